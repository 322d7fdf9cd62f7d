"""What the command line says when the exchange refuses."""

from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import text

from marketplace import cli
from marketplace.kit.db import db


def run(own_database: Flask, *words: str) -> Result:
    given = own_database.config["MUSUBI_SETTINGS"]
    composition = cli.Composition(
        settings=lambda: given,
        prepare=lambda _given: given,
        create_app=lambda _given: own_database,
        create_serving_app=lambda _given: own_database,
        run_worker=lambda _app: None,
    )
    return CliRunner().invoke(cli.build(composition), words)


def found(own_database: Flask, *more: str) -> Result:
    names = ("--name-ja", "札幌市監査委員", "--name-en", "Sapporo City auditor")
    return run(own_database, "found", *names, "--kind", "municipality", "--capacity", "auditor", *more)


def count(table: str) -> int:
    return db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def test_a_refused_command_says_which_field_is_wrong_and_changes_nothing(own_database: Flask) -> None:
    said = found(own_database, "--government-code", "011003")
    assert said.exit_code == 1
    assert "local_government_code" in said.output
    assert "Traceback" not in said.output
    assert count("organization") == count("audit_entry") == 0


def test_the_same_command_put_right_founds_an_auditor(own_database: Flask) -> None:
    said = found(own_database, "--government-code", "011002")
    assert said.exit_code == 0, said.output
    assert [line.split()[0] for line in said.output.splitlines()] == ["organization", "client_id", "client_secret"]
    assert count("organization") == 1
