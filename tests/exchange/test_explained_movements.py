"""What nobody knew at the gateway, explained by the operator: taken out of suspense once, and put where it belongs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.billing import ledger, ledger_checks, ledger_queries, postings
from marketplace.billing.balance import queries, service
from marketplace.billing.balance.errors import (
    AccountNotCorrectable,
    MovementNotFound,
    MovementNotInSuspense,
    MovementsNoExchange,
)
from marketplace.billing.balance.states import MovementState
from marketplace.billing.gateways.reports import BalanceTransaction
from marketplace.exchange import balance
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

FEES = "Expenses:PaymentProcessing"


def suspended(identifier: str, amount: int, currency: str = "JPY", kind: str = "reserve_hold") -> str:
    """A movement that nothing in the books explains; returns its id."""
    at = clock.now()
    with transaction():
        service.keep(BalanceTransaction(identifier, kind, amount, 0, amount, currency, at, at, "src_1"))
        assert service.settle(identifier) is MovementState.SUSPENSE
    return identifier


def explain(identifier: str, account: str = FEES, *, is_new: bool = True) -> None:
    with transaction():
        service.explain(SYSTEM, identifier, account, is_new=is_new)


def exchange(sold: str, bought: str) -> None:
    with transaction():
        service.exchange(SYSTEM, sold, bought)


def balances(currency: str = "JPY") -> dict[str, int]:
    trial = ledger_queries.trial_balance(currency=currency)
    return {row.code: row.balance_minor for row in trial.accounts if row.balance_minor}


def states() -> dict[str, str]:
    return {one.id: one.state for one in queries.list_movements().items}


def corrected() -> list[tuple[str, int, dict[str, str]]]:
    found = db.session.execute(
        text("SELECT subject, amount_minor, facts FROM audit_entry WHERE verb LIKE '%.corrected' ORDER BY id")
    )
    return [tuple(row) for row in found]


def refused(reason: type[Exception], deed: object, *said: object, **more: object) -> str:
    """What a refused deed is told; it has moved no money and no movement, and is not on the record."""
    before = balances(), balances("USD"), states(), corrected()
    with pytest.raises(reason) as refusal:
        deed(*said, **more)
    assert (balances(), balances("USD"), states(), corrected()) == before
    return str(refusal.value)


@pytest.mark.parametrize("amount", [-700, 700])
def test_what_the_operator_found_out_leaves_suspense_and_stays_tied(app: Flask, amount: int) -> None:
    suspended("txn_1", amount)
    assert balances() == {postings.CLEARING: amount, postings.SUSPENSE: -amount}
    explain("txn_1")
    assert balances() == {postings.CLEARING: amount, FEES: -amount}
    assert (states(), queries.list_movements(state=MovementState.SUSPENSE).items) == ({"txn_1": "matched"}, [])
    facts = {"type": "reserve_hold", "source": "src_1", "currency": "JPY", "account": FEES}
    assert corrected() == [("txn_1", 700, facts)]
    balance.reconcile()
    with clock.stopped(clock.now() + timedelta(days=3)):
        assert list(ledger_checks.check_clearing()) == []
    assert balances() == {postings.CLEARING: amount, FEES: -amount}


@pytest.mark.parametrize("named", ["Assets:Bank", "Assets:Bank:USD"])
def test_foreign_money_goes_to_the_accounts_twin(app: Flask, named: str) -> None:
    suspended("txn_1", 1234, "USD")
    explain("txn_1", named)
    assert balances("USD") == {"Assets:Clearing:Stripe:USD": 1234, "Assets:Bank:USD": -1234}
    assert balances() == {}


def test_money_changed_into_yen_is_one_exchange_of_two_movements(app: Flask) -> None:
    suspended("txn_1", 10_000, "USD", "contribution")
    suspended("txn_2", -10_000, "USD", "conversion")
    suspended("txn_3", 1_500_000, "JPY", "conversion")
    exchange("txn_2", "txn_3")
    assert balances() == {postings.CLEARING: 1_500_000, "Equity:Conversion:JPY": -1_500_000}
    assert balances("USD") == {"Assets:Suspense:USD": -10_000, "Equity:Conversion:USD": 10_000}
    assert states() == {"txn_1": "suspense", "txn_2": "matched", "txn_3": "matched"}
    facts = {"type": "conversion", "source": "src_1"}
    assert corrected() == [
        ("txn_2", 10_000, {**facts, "currency": "USD", "exchanged_for": "txn_3"}),
        ("txn_3", 1_500_000, {**facts, "currency": "JPY", "exchanged_for": "txn_2"}),
    ]
    with clock.stopped(clock.now() + timedelta(days=3)):
        assert list(ledger_checks.check_clearing()) == []


def test_two_movements_that_are_no_exchange_are_refused(app: Flask) -> None:
    for identifier, amount, currency in (
        ("txn_1", -10_000, "USD"),
        ("txn_2", 1_500_000, "JPY"),
        ("txn_3", 10_000, "USD"),
        ("txn_4", -700, "JPY"),
    ):
        suspended(identifier, amount, currency)
    for sold, bought in (("2", "1"), ("1", "3"), ("1", "4"), ("4", "2"), ("3", "2"), ("1", "1")):
        refused(MovementsNoExchange, exchange, f"txn_{sold}", f"txn_{bought}")


def test_what_needs_no_explanation_is_refused(app: Flask) -> None:
    suspended("txn_1", -700)
    suspended("txn_2", -10_000, "USD")
    explain("txn_1")
    assert refused(MovementNotInSuspense, explain, "txn_1", "Assets:Bank") == "txn_1 is matched."
    refused(MovementNotInSuspense, exchange, "txn_2", "txn_1")
    refused(MovementNotFound, explain, "txn_9")
    refused(MovementNotFound, exchange, "txn_2", "txn_9")
    with transaction():
        at = clock.now()
        service.keep(BalanceTransaction("txn_3", "charge", 700, 0, 700, "JPY", at, at, "ch_1"))
    assert refused(MovementNotInSuspense, explain, "txn_3") == "txn_3 is waiting."


@pytest.mark.parametrize(
    "account",
    [
        "Assets:Clearing:Stripe",
        "Assets:Suspense",
        "Assets:Receivable:org_b",
        "Assets:DisputesHeld",
        "Liabilities:Provider:org_p:Available",
        "Liabilities:RefundsInTransit",
        "Liabilities:PayoutsInTransit",
    ],
)
def test_what_our_deeds_keep_is_not_corrected_by_hand(app: Flask, account: str) -> None:
    suspended("txn_1", -700)
    assert "our own deeds" in refused(AccountNotCorrectable, explain, "txn_1", account)


def test_an_account_is_known_or_new_on_purpose_and_of_the_movements_currency(app: Flask) -> None:
    suspended("txn_1", -700)
    with transaction():
        ledger.open_accounts(["Assets:Reserve"])
        ledger.open_accounts(["Assets:Bank:USD"], "USD")
    assert "is new" in refused(AccountNotCorrectable, explain, "txn_1", "Assets:Reserv", is_new=False)
    assert "no account's code" in refused(AccountNotCorrectable, explain, "txn_1", "Reserve")
    assert "is of USD" in refused(AccountNotCorrectable, explain, "txn_1", "Assets:Bank:USD")
    explain("txn_1", "Assets:Reserve", is_new=False)
    assert balances() == {postings.CLEARING: -700, "Assets:Reserve": 700}


def test_of_eight_who_explain_one_movement_one_does(own_database: Flask) -> None:
    suspended("txn_1", -700)

    def work(number: int) -> bool:
        with own_database.app_context():
            try:
                explain("txn_1", FEES if number % 2 else "Assets:Reserve")
            except MovementNotInSuspense:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 1
    assert sum(balances().values()) == 0
    assert postings.SUSPENSE not in balances()
    assert len(corrected()) == 1
