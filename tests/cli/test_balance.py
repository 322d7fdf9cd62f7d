"""`marketplace balance explain`: what the operator found out of a movement in suspense."""

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.billing import ledger_queries, postings
from marketplace.billing.balance import service
from marketplace.billing.gateways.reports import BalanceTransaction
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def movements(own_database: Flask) -> None:
    """Three movements in suspense: a fee of no known kind, dollars that went, and yen that came for them."""
    at = clock.now()
    for number, (amount, currency) in enumerate([(-700, "JPY"), (-10_000, "USD"), (1_500_000, "JPY")], 1):
        with transaction():
            service.keep(BalanceTransaction(f"txn_{number}", "other", amount, 0, amount, currency, at, at, "src_1"))
            service.settle(f"txn_{number}")


def suspense() -> tuple[int, int]:
    db.session.rollback()
    return ledger_queries.balance_of(postings.SUSPENSE), ledger_queries.balance_of(f"{postings.SUSPENSE}:USD")


def test_a_movement_is_explained_by_the_account_where_it_belongs(run: Run) -> None:
    words = ("balance", "explain", "txn_1", "--account", "Expenses:PaymentProcessing")
    assert "Nothing was ever booked on Expenses:PaymentProcessing" in run(*words, code=1)
    assert suspense() == (700 - 1_500_000, 10_000)
    assert run(*words, "--new-account") == "matched txn_1 other src_1 -700 JPY\n"
    assert suspense() == (-1_500_000, 10_000)
    assert "txn_1 is matched." in run(*words, code=1)
    assert "txn_1" not in run("balance", "list")
    told = db.session.execute(text("SELECT organization_id, subject FROM audit_entry WHERE verb LIKE '%.corrected'"))
    assert [tuple(row) for row in told] == [("system", "txn_1")]


def test_two_movements_are_explained_as_an_exchange(run: Run) -> None:
    said = run("balance", "explain", "txn_2", "--exchanged-for", "txn_3")
    assert said == "matched txn_2 other src_1 -10000 USD\nmatched txn_3 other src_1 1500000 JPY\n"
    assert suspense() == (700, 0)


@pytest.mark.parametrize("how", [(), ("--account", "Assets:Bank", "--exchanged-for", "txn_3")])
def test_an_explanation_is_one_of_both(run: Run, how: tuple[str, ...]) -> None:
    assert "either --account or --exchanged-for" in run("balance", "explain", "txn_2", *how, code=2)
    assert suspense() == (700 - 1_500_000, 10_000)
