"""What the doctor says of an installation, and of a deployment that runs."""

import json
import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from marketplace import cli
from marketplace.doctor import exchange_checks
from marketplace.identity.login import people
from marketplace.identity.states import MemberRole
from marketplace.kit import mail
from marketplace.kit.db import db
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction
from tests import live
from tests.factories.identity import OrganizationFactory
from tests.web.people import PASSWORD, set_up_generator, someone

pytestmark = pytest.mark.usefixtures("durable")


def doctor(own_database: Flask, given: Settings, *options: str) -> Result:
    """Run the command with these settings; the database is there already, whatever they say."""
    ready = replace(given, database_url=own_database.config["SQLALCHEMY_DATABASE_URI"])
    composition = cli.Composition(
        settings=lambda: given,
        prepare=lambda _given: ready,
        create_app=lambda _given: own_database,
        create_serving_app=lambda _given: own_database,
        run_worker=lambda _app: None,
    )
    return CliRunner().invoke(cli.build(composition), ["doctor", "--language", "en", *options])


@pytest.mark.parametrize(("url", "word"), [(None, "embedded"), ("postgresql://elsewhere/musubi", "given")])
def test_the_doctor_says_whose_database_it_is(own_database: Flask, url: str | None, word: str) -> None:
    given = replace(own_database.config["MUSUBI_SETTINGS"], database_url=url)

    said = doctor(own_database, given)

    assert f"database: {word}, schema" in said.output
    # The tests' own role is a superuser, which is a fault where the database is somebody's.
    assert ("role-is-no-superuser" in said.output) is (word == "given")
    assert said.exit_code == (1 if word == "given" else 0), said.output
    assert said.output.endswith("in order\n")


def test_the_doctor_names_what_is_wrong_and_how_to_mend_it(own_database: Flask) -> None:
    given = replace(own_database.config["MUSUBI_SETTINGS"], database_url=None)
    shutil.rmtree(given.store_dir)

    said = doctor(own_database, given)

    assert said.exit_code == 1
    assert "WRONG store-writable: The store folder cannot be written.\n  Create " in said.output
    assert said.output.endswith("not in order\n")
    assert "要修正 store-writable" in doctor(own_database, given, "--language", "ja").output


def test_programs_read_the_same_in_both_languages(own_database: Flask) -> None:
    given = replace(own_database.config["MUSUBI_SETTINGS"], database_url=None)
    shutil.rmtree(given.store_dir)

    told = json.loads(doctor(own_database, given, "--json").output)

    assert told["in_order"] is False
    assert told["facts"]["issuer"] == given.base_url
    [wrong] = [one for one in told["findings"] if one["level"] == "wrong"]
    assert wrong["check"] == "store-writable"
    assert {"finding", "cure", "finding_ja", "cure_ja"} <= set(wrong)


def test_a_silent_database_is_a_finding_beside_the_others(tmp_path) -> None:
    silent = {"database_url": "postgresql://127.0.0.1:1/nowhere", "marketplace_data_dir": tmp_path}
    said = live.command("doctor", "--json", **silent)
    assert said.returncode == 1, said.stderr
    found = {one["check"]: one["level"] for one in json.loads(said.stdout)["findings"]}
    assert found == {"installation-key-made": "advice", "database-answers": "wrong"}


def test_what_the_exchange_tells_is_read_from_it(own_database: Flask) -> None:
    operator = OrganizationFactory(operator=True)
    someone(MemberRole.OWNER, operator, PASSWORD)
    someone(MemberRole.OWNER, operator)
    someone(MemberRole.OWNER, None, PASSWORD)
    assert people.count_operators_with_one_factor() == 1
    with transaction():
        mail_id = mail.send("x@example.jp", "subject", "body")
        mail._note(mail_id, attempts=1, last_trouble="ConnectionRefusedError")
        mail.send("y@example.jp", "subject", "body")
    seen = exchange_checks.examine()
    assert (seen.operators_with_one_factor, seen.mail_troubled, seen.events_parked) == (1, 1, 0)


def test_a_code_generator_is_a_second_factor(own_database: Flask) -> None:
    who = someone(MemberRole.OWNER, OrganizationFactory(operator=True), PASSWORD)
    assert people.count_operators_with_one_factor() == 1
    set_up_generator(own_database, who)
    db.session.expire_all()
    assert people.count_operators_with_one_factor() == 0


def test_a_running_deployment_is_asked_from_outside(tmp_path, clone) -> None:
    with live.exchange(tmp_path, clone()) as exchange:
        told = json.loads(exchange.command("doctor", "--json", "--url", exchange.base_url).stdout)
        assert [one["check"] for one in told["findings"] if one["level"] == "wrong"] == ["role-is-no-superuser"]
        other = exchange.base_url.replace("127.0.0.1", "localhost")
        told = json.loads(exchange.command("doctor", "--json", "--url", other).stdout)
        assert "issuer-is-base-url" in [one["check"] for one in told["findings"]]
        exchange.stop()
        told = exchange.command("doctor", "--language", "en", "--url", exchange.base_url)
        assert told.returncode == 1
        assert "WRONG deployment-answers" in told.stdout
