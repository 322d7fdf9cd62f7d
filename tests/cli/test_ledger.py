"""`marketplace ledger`: what an operator sees of sound books and of broken ones."""

from dataclasses import replace
from datetime import date

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from marketplace import app as composition_root
from marketplace import cli
from marketplace.billing import ledger, ledger_proof
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

DAY = date(2026, 11, 22)


@pytest.fixture
def run(own_database):
    with transaction():
        ledger.post("sale", "ord_1", "sale:ord_1", DAY, [("Assets:Bank", 700), ("Equity:Opening", -700)])
    given = replace(own_database.config["MUSUBI_SETTINGS"])
    composed = replace(composition_root.composition(), settings=lambda: given)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(cli.build(composed), ["ledger", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.output

    return invoke


def test_sound_books_are_called_sound_and_the_programs_asked_are_named(run, monkeypatch):
    said = run("check")
    assert "the books are sound" in said
    assert "bean-check: asked" in said
    monkeypatch.setattr(ledger_proof, "program_of", lambda _form: None)
    assert "hledger: not installed, not asked" in run("check")


def test_broken_books_end_with_1_and_say_what_is_broken(run):
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ALTER TABLE ledger_entry DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE ledger_entry SET amount_minor = 701 WHERE seq = 1"))
    said = run("check", code=1)
    assert "WRONG I1 transaction 1: does not balance: 1 JPY too much" in said
    assert "WRONG I1 transaction 1: is not what was posted" in said
    assert "WRONG I8 beancount: bean-check:" in said


@pytest.mark.parametrize("form", ["beancount", "hledger"])
def test_the_export_is_a_file_that_the_program_takes(run, tmp_path, form):
    out = tmp_path / f"books{ledger_proof._SUFFIX[form]}"
    assert "wrote" in run("export", "--format", form, "--out", out)
    assert list(ledger_proof.ask_program(form, out)) == []
    assert "ord_1" in out.read_text()


def test_an_export_that_cannot_be_written_says_so(run, tmp_path):
    said = run("export", "--format", "hledger", "--out", tmp_path / "nowhere" / "books", code=1)
    assert "No such file" in said
    assert "invalid" in run("export", "--format", "gnucash", "--out", "x", code=2).lower()
