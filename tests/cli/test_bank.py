"""The `marketplace bank` commands: accounts into the pool, statements taken in, what lies in suspense."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from marketplace import app as composition_root
from marketplace import cli

STATEMENT = 'お取引日,お預入金額,振込依頼人名,摘要\nR8.11.22,"１，０００",ﾔﾏﾀﾞ ﾀﾛｳ,\n'


@pytest.fixture
def run(own_database):
    """Run a command as the composition root composes it, on this test's database."""
    given = replace(own_database.config["MUSUBI_SETTINGS"])
    composed = replace(composition_root.composition(), settings=lambda: given)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(cli.build(composed), ["bank", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.output

    return invoke


def test_a_statement_is_taken_in_once_and_what_nobody_is_known_for_is_listed(run, tmp_path):
    file = tmp_path / "明細.csv"
    file.write_bytes(STATEMENT.encode("cp932"))
    assert "1 lie in suspense" in run("import", file)
    assert "0 yen new; 1 lines were known already" in run("import", file)
    assert "2026-11-22 1,000 yen ヤマダ タロウ" in run("suspense")


def test_an_unclear_statement_names_its_rows_and_brings_nothing(run, tmp_path):
    file = tmp_path / "bank.csv"
    file.write_text(STATEMENT + "R8.11.31,5,,\n", encoding="utf-8")
    said = run("import", file, code=1)
    assert "rows/3" in said
    assert "Traceback" not in said
    assert run("suspense") == ""


def test_a_run_of_accounts_is_added_once(run):
    assert run("accounts", "--branch", "001", "--first", "0000009", "--count", 3) == "3 new; 3 are free\n"
    assert run("accounts", "--branch", "001", "--first", "0000011", "--count", 2) == "1 new; 4 are free\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--branch", "1", "--first", "0000001"),
        ("--branch", "001", "--first", "１２３４５６７"),
        ("--branch", "001", "--first", "9999999", "--count", "2"),
        ("--branch", "001", "--first", "0000001", "--count", "0"),
    ],
)
def test_numbers_that_no_account_has_are_refused(run, wrong):
    run("accounts", *wrong, code=2)
