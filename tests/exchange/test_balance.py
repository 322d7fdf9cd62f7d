"""The gateway's balance: every movement is one transaction of the ledger, whoever looks, how often, in which order."""

import random
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from marketplace.billing import ledger, ledger_checks, ledger_exports, ledger_queries, postings, queries
from marketplace.billing.balance import queries as movements
from marketplace.billing.balance import service
from marketplace.billing.balance.models import Movement
from marketplace.billing.balance.states import MovementState
from marketplace.billing.gateways.reports import BalanceTransaction
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.exchange import balance, payment, purchase
from marketplace.exchange.purchase import Purchase
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.sandbox import controls
from tests.factories import market, money


def told(identifier: str = "txn_1", kind: str = "charge", amount: int = 5500, **changes: object) -> BalanceTransaction:
    """A movement as the gateway tells it."""
    fee = changes.pop("fee", 0)
    at = changes.pop("at", clock.now())
    source = changes.pop("source", "src_1")
    known = {
        "transaction_id": identifier,
        "type": kind,
        "amount_minor": amount,
        "fee_minor": fee,
        "net_minor": amount - fee,
        "currency": "JPY",
        "created_at": at,
        "available_at": at,
        "source_id": source,
        "names": (source,),
    }
    return BalanceTransaction(**(known | changes))


def settled(one: BalanceTransaction) -> MovementState:
    with transaction():
        service.keep(one)
        return service.settle(one.transaction_id)


def balances() -> dict[str, int]:
    return {row.code: row.balance_minor for row in ledger_queries.trial_balance().accounts if row.balance_minor}


def movement(identifier: str = "txn_1") -> Movement:
    return db.session.get_one(Movement, identifier, populate_existing=True)


def booked(kind: str) -> int:
    query = text("SELECT count(*) FROM ledger_txn WHERE kind = :kind")
    return db.session.execute(query, {"kind": kind}).scalar_one()


def sold(app: Flask) -> Purchase:
    """An order paid by card and fulfilled, of whose movement nothing was read yet."""
    made = market.ordered(market.buyer(), market.offered(market.listed()))
    controls.pay(made.payment.session_id)
    payment.backfill()
    payment.work_inbox()
    db.session.expire_all()
    assert queries.require_order(made.order.id).state == "fulfilled"
    return made


def test_a_payment_is_its_sale_and_its_fee_is_booked_from_the_balance(app: Flask) -> None:
    sold(app)
    assert balances()["Assets:Clearing:Stripe"] == 5500
    assert balance.reconcile() == {MovementState.MATCHED: 1}
    assert balances()["Expenses:PaymentProcessing"] == 198
    assert balances()["Assets:Clearing:Stripe"] == 5500 - 198
    assert list(ledger_checks.check_clearing()) == []


def test_reading_again_changes_nothing(app: Flask) -> None:
    sold(app)
    for later in range(3):
        with clock.stopped(clock.now() + timedelta(hours=later)):
            balance.reconcile()
    assert (booked("sale"), booked("processing_fee")) == (1, 1)


def test_a_movement_that_overtakes_our_inbox_waits_for_its_sale(app: Flask) -> None:
    made = market.ordered(market.buyer(), market.offered(market.listed()))
    controls.pay(made.payment.session_id)
    assert balance.reconcile() == {MovementState.WAITING: 1}
    assert balances() == {}
    market.learn()
    assert [one.state for one in movements.list_movements().items] == ["matched"]


def test_what_waits_too_long_goes_to_suspense_and_comes_out_when_its_sale_appears(app: Flask, caplog) -> None:
    made = market.ordered(market.buyer(), market.offered(market.listed()))
    controls.pay(made.payment.session_id)
    with clock.stopped(clock.now() + timedelta(hours=2)):
        assert balance.reconcile() == {MovementState.SUSPENSE: 1}
        assert balances() == {"Assets:Clearing:Stripe": 5302, "Assets:Suspense": -5302}
        assert "explained by nothing" in caplog.text
        market.learn()
    assert "Assets:Suspense" not in balances()
    assert balances()["Assets:Clearing:Stripe"] == 5302
    assert [one.state for one in movements.list_movements().items] == ["matched"]
    verbs = db.session.execute(text("SELECT verb FROM audit_entry WHERE verb LIKE 'billing.balance.%' ORDER BY id"))
    assert [row.verb for row in verbs] == ["billing.balance.suspended", "billing.balance.explained"]
    assert list(ledger_checks.check_clearing()) == []


def test_a_refund_that_the_bank_takes_days_over_is_no_riddle(app: Flask, caplog) -> None:
    made = money.sold(app)
    controls.hold_refunds()
    [sent] = money.refunded(made)
    controls.hold_refunds(held=False)
    with clock.stopped(clock.now() + timedelta(days=3)):
        assert balance.reconcile()[MovementState.WAITING] == 1
        assert money.in_transit() == {"Liabilities:RefundsInTransit": -5500}
        assert ("Assets:Suspense" not in money.balances(), caplog.text) == (True, "")
        controls.settle_refund(sent.gateway_refund_id)
        market.learn()
    assert {one.state for one in movements.list_movements().items} == {"matched"}
    assert money.in_transit() == {}
    money.assert_sound()


def test_what_nobody_knows_goes_to_suspense_at_once(app: Flask) -> None:
    assert settled(told(kind="reserve_hold", amount=-700)) is MovementState.SUSPENSE
    assert settled(told(kind="reserve_hold", amount=-700)) is MovementState.SUSPENSE
    assert balances() == {"Assets:Clearing:Stripe": -700, "Assets:Suspense": 700}
    assert booked("gateway_suspense") == 1


def test_what_moves_nothing_is_not_kept(app: Flask) -> None:
    with transaction():
        assert not service.keep(told(amount=0))
    assert movements.list_movements().items == []


def test_a_payout_to_our_bank_and_its_return_are_booked_from_the_balance(app: Flask) -> None:
    assert settled(told("txn_1", "payout", -9000, source="po_1")) is MovementState.MATCHED
    assert balances() == {"Assets:Bank": 9000, "Assets:Clearing:Stripe": -9000}
    assert settled(told("txn_2", "payout_failure", 9000, source="po_1")) is MovementState.MATCHED
    assert balances() == {}


def test_a_fee_of_its_own_is_booked_from_the_balance_and_given_back(app: Flask) -> None:
    assert settled(told("txn_1", "stripe_fee", -300)) is MovementState.MATCHED
    assert balances() == {"Expenses:PaymentProcessing": 300, "Assets:Clearing:Stripe": -300}
    assert settled(told("txn_2", "stripe_fee", 300)) is MovementState.MATCHED
    assert balances() == {}


def test_foreign_money_keeps_its_currency_and_its_own_accounts(app: Flask) -> None:
    assert settled(told(kind="payout", amount=-12_345, currency="USD")) is MovementState.MATCHED
    assert ledger_queries.balance_of("Assets:Bank:USD") == 12_345
    assert ledger_queries.balance_of("Assets:Clearing:Stripe:USD") == -12_345
    assert ledger_queries.balance_of("Assets:Clearing:Stripe") == 0
    assert list(ledger_checks.check_clearing()) == []


def paid_out(identifier: str, amount: int, currency: str) -> dict[str, object]:
    """A payout to our bank in the gateway's own words."""
    at = int(clock.now().timestamp())
    return {
        "id": identifier, "object": "balance_transaction", "type": "payout", "amount": -amount, "fee": 0,
        "net": -amount, "currency": currency, "created": at, "available_on": at, "source": "po_1",
    }  # fmt: skip


def test_money_that_the_gateway_counts_in_hundredths_is_booked_and_exported_whole(app: Flask, monkeypatch) -> None:
    monkeypatch.setattr(StripeGateway, "_pages", lambda *_: iter([paid_out("txn_1", 50_000, "ugx")]))
    assert balance.reconcile() == {MovementState.MATCHED: 1}
    assert ledger_queries.balance_of("Assets:Bank:UGX") == 500
    exported = "".join(ledger_exports.export(ledger_exports.FORMS["hledger"]))
    assert re.search(r"Assets:Bank:UGX +500 UGX", exported)
    money.assert_sound()


def test_a_movement_that_cannot_be_read_is_recorded_once_and_stalls_no_other(app: Flask, monkeypatch, caplog) -> None:
    told = [paid_out("txn_2", 9000, "jpy"), paid_out("txn_1", 50_001, "ugx")]
    monkeypatch.setattr(StripeGateway, "_pages", lambda *_: iter(told))
    assert balance.reconcile() == {MovementState.MATCHED: 1}
    balance.reconcile()
    assert [one.id for one in movements.list_movements().items] == ["txn_2"]
    assert balances() == {"Assets:Bank": 9000, "Assets:Clearing:Stripe": -9000}
    assert "txn_1 (payout) cannot be read: txn_1: amount is -50001 UGX" in caplog.text
    entries = db.session.execute(text("SELECT subject, facts FROM audit_entry WHERE verb LIKE '%unreadable'"))
    assert [tuple(row) for row in entries] == [("txn_1", {"type": "payout", "currency": "UGX"})]


def test_a_fee_booked_from_the_charge_by_an_earlier_version_is_not_booked_again(app: Flask) -> None:
    made = sold(app)
    charge_id = queries.get_payment(made.payment.id).charge_id
    with transaction():
        entries = postings.processing_fee(198)
        ledger.post("processing_fee", made.payment.id, f"fee:{charge_id}", clock.today(), entries)
    assert balance.reconcile() == {MovementState.MATCHED: 1}
    assert balances()["Expenses:PaymentProcessing"] == 198
    assert list(ledger_checks.check_clearing()) == []


def test_money_that_came_twice_is_two_movements_and_two_postings(app: Flask) -> None:
    made = market.ordered(market.buyer(), market.offered(market.listed()))
    controls.pay(made.payment.session_id)
    with transaction():
        purchase.fulfil(made.order.id)
    market.learn()
    assert balances()[f"Liabilities:Unapplied:{made.order.organization_id}"] == -5500
    (one,) = movements.list_movements().items
    ref = db.session.execute(text("SELECT ref FROM ledger_txn WHERE id = :id"), {"id": one.ledger_txn_id}).scalar_one()
    assert (one.state, ref) == ("matched", made.payment.id)


def test_refunds_disputes_and_transfers_are_found_by_the_gateways_own_names(app: Flask) -> None:
    with transaction():
        entries = postings.refund_settled(1100)
        ledger.post("refund_settled", "re_1", "refund_settled:ref_1", clock.today(), entries)
        ledger.post("dispute_opened", "dp_1", "dispute:dsp_1", clock.today(), postings.dispute_opened(5500, 1500))
    assert settled(told("txn_1", "refund", -1100, source="re_1")) is MovementState.MATCHED
    # The fee of a dispute is in its posting.
    assert settled(told("txn_2", "adjustment", -5500, fee=1500, source="dp_1")) is MovementState.MATCHED
    assert booked("processing_fee") == 0
    assert balances()["Assets:Clearing:Stripe"] == -1100 - 5500 - 1500
    assert list(ledger_checks.check_clearing()) == []


def test_no_posting_is_two_movements(app: Flask) -> None:
    with transaction():
        ledger.post("refund_settled", "re_1", "refund_settled:ref_1", clock.today(), postings.refund_settled(1100))
    assert settled(told("txn_1", "refund", -1100, source="re_1")) is MovementState.MATCHED
    assert settled(told("txn_2", "refund", -1100, source="re_1")) is MovementState.WAITING
    first = movement("txn_1").ledger_txn_id
    with pytest.raises(DBAPIError, match="uq_balance_transaction_ledger_txn_id"), db.session.begin_nested():
        db.session.execute(
            text("UPDATE balance_transaction SET state = 'matched', ledger_txn_id = :txn WHERE id = 'txn_2'"),
            {"txn": first},
        )


@pytest.mark.parametrize(
    "change",
    ["net_minor = 1, amount_minor = 1", "state = 'waiting', ledger_txn_id = NULL", "type = 'x'", "refs = '[]'"],
)
def test_what_the_gateway_said_never_changes(app: Flask, change: str) -> None:
    settled(told(kind="payout", amount=-9000))
    for statement in (f"UPDATE balance_transaction SET {change}", "DELETE FROM balance_transaction"):
        with pytest.raises(DBAPIError), db.session.begin_nested():
            db.session.execute(text(statement))


def test_one_movement_in_trouble_does_not_keep_the_others_waiting(app: Flask, monkeypatch, caplog) -> None:
    settle = service.settle

    def failing_first(movement_id: str) -> MovementState:
        if movement_id == "txn_1":
            raise ZeroDivisionError
        return settle(movement_id)

    listed = [told("txn_2", "payout", -2), told("txn_1", "payout", -1)]
    monkeypatch.setattr(StripeGateway, "list_balance_transactions", lambda *_: iter(listed))
    monkeypatch.setattr(service, "settle", failing_first)
    assert balance.reconcile() == {MovementState.WAITING: 1, MovementState.MATCHED: 1}
    assert "txn_1 could not be tied" in caplog.text


@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_any_number_of_readings_make_the_same_books(own_database: Flask, monkeypatch, seed: int) -> None:
    at = clock.now() - timedelta(hours=3)
    whole = [
        told("txn_1", "payout", -9000, source="po_1", at=at),
        told("txn_2", "stripe_fee", -300, source="fee_1", at=at),
        told("txn_3", "refund", -1100, source="re_1", at=at),
        told("txn_4", "reserve_hold", -77, source="rh_1", at=at),
        told("txn_5", "payout_failure", 9000, source="po_1", at=at),
    ]
    chance = random.Random(seed)
    with transaction():
        ledger.open_accounts([postings.CLEARING, postings.SUSPENSE])

    def read(number: int) -> None:
        part = chance.sample(whole, chance.randint(1, 5)) if number < 7 else whole
        with own_database.app_context():
            if number == 3:
                with transaction():
                    entries = postings.refund_settled(1100)
                    ledger.post("refund_settled", "re_1", "refund_settled:ref_1", clock.today(), entries)
            for one in part:
                with transaction():
                    service.keep(one)
            with transaction():
                waiting = list(movements.unsettled_ids())
            for movement_id in waiting:
                with transaction():
                    service.settle(movement_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(8)))
    read(8)
    assert balances() == {
        "Assets:Clearing:Stripe": -300 - 1100 - 77,
        "Expenses:PaymentProcessing": 300,
        "Liabilities:RefundsInTransit": 1100,
        "Assets:Suspense": 77,
    }
    assert list(ledger_checks.check_clearing()) == []
