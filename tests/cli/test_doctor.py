"""What the doctor says of an installation."""

import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from marketplace import cli
from marketplace.kit.settings import Settings


def doctor(own_database: Flask, given: Settings) -> Result:
    """Run the command with these settings; the database is there already, whatever they say."""
    ready = replace(given, database_url=own_database.config["SQLALCHEMY_DATABASE_URI"])
    composition = cli.Composition(
        settings=lambda: given,
        prepare=lambda _given: ready,
        create_app=lambda _given: own_database,
        create_serving_app=lambda _given: own_database,
        run_worker=lambda _app: None,
    )
    return CliRunner().invoke(cli.build(composition), ["doctor"])


@pytest.mark.parametrize(("url", "word"), [(None, "embedded"), ("postgresql://elsewhere/musubi", "given")])
def test_the_doctor_says_whose_database_it_is(own_database: Flask, url: str | None, word: str) -> None:
    given = replace(own_database.config["MUSUBI_SETTINGS"], database_url=url)

    said = doctor(own_database, given)

    assert said.exit_code == 0, said.output
    assert f"database: {word}, schema" in said.output
    assert said.output.endswith("in order\n")


def test_the_doctor_names_what_is_wrong(own_database: Flask) -> None:
    given = own_database.config["MUSUBI_SETTINGS"]
    shutil.rmtree(given.store_dir)

    said = doctor(own_database, given)

    assert said.exit_code == 1
    assert "not in order: The store folder cannot be written." in said.output
