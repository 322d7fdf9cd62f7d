"""The `marketplace payouts` commands: from what is payable to what the bank has paid."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from marketplace import app as composition_root
from marketplace import cli
from marketplace.billing import sales
from marketplace.billing.states import Via
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from tests.factories import payouts
from tests.factories.sales import Trade


@pytest.fixture
def run(own_database):
    """Run a command as the composition root composes it, on this test's database."""
    given = replace(own_database.config["MUSUBI_SETTINGS"])
    composed = replace(composition_root.composition(), settings=lambda: given)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(cli.build(composed), ["payouts", *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.output

    return invoke


@pytest.fixture
def provider(own_database):
    """A provider that may draw 49,500 yen."""
    with own_database.app_context():
        payouts.operator()
        with transaction():
            trade = Trade()
            trade.book(trade.sale(50_000, 5_000, 5_000, 500), on=clock.today())
            sales.release_due(SYSTEM, payouts.FAR)
        payouts.account_of(trade.provider)
        return trade.provider


def test_a_payout_goes_from_payable_to_paid_at_the_terminal(run, provider, tmp_path):
    assert run("payable") == f"{provider} 49,500 yen; 0 pending\n"
    payout_id, state, *_ = run("draw").split()
    assert state == "created"
    assert run("draw") == ""
    assert "below the minimum payout" in run("draw", "--organization", provider, code=1)
    assert " approved " in run("approve", payout_id)
    file = tmp_path / "振込.csv"
    file_id = run("file", "--out", file).split(":")[0]
    first = file.read_bytes()
    assert run("file", "--again", file_id, "--out", file) == f"{file_id}: 1 payouts, 49,500 yen, in {file}\n"
    assert file.read_bytes() == first
    assert "49500" in first.decode("cp932")
    assert " paid " in run("paid", payout_id, "--on", clock.today())
    assert run("list", "--state", "paid").startswith(payout_id)
    assert " failed " in run("failed", payout_id, "--reason", "口座相違")
    again = run("draw", "--organization", provider).split()[0]
    assert " cancelled " in run("cancel", again)


def test_a_refused_deed_says_why_and_changes_nothing(run, provider, tmp_path):
    payout_id = run("draw").split()[0]
    file = tmp_path / "none.csv"
    assert "No approved payout" in run("file", "--out", file, code=1)
    assert not file.exists()
    assert "was never that far" in run("paid", payout_id, code=1)
    assert "covers what it owes" in run("claim", provider, code=1)
    assert " created " in run("list")


def test_what_a_provider_owes_is_claimed(run, own_database):
    with own_database.app_context():
        payouts.operator()
        with transaction():
            trade = Trade()
            trade.book(via=Via.OUTSIDE, on=clock.today())
    assert "of which 550 commission is taken off" in run("payable")
    assert " sent " in run("claim", trade.provider)
