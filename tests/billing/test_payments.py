"""Payments: one attempt at a time, moved by facts, never back from paid."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry as AuditEntry
from marketplace.billing import invoices, payments, queries
from marketplace.billing.checkout import Checkout, CheckoutReport, facts_of_report
from marketplace.billing.errors import InvoiceNotFound, InvoiceNotPayable, PaymentUnknown
from marketplace.billing.models import Payment, PaymentFact
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind, PaymentState
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.billing import InvoiceDraftFactory, InvoiceLineFactory, OrderFactory, PaymentFactory
from tests.factories.receivables import paid_in

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
CHECKOUT = Checkout("cs_1", "https://checkout.example/cs_1", AT)


def fact(kind: FactKind, amount: int | None = 5500, object_id: str = "cs_1", currency: str = "JPY") -> Fact:
    return Fact(kind, object_id, amount, currency, AT, "evt_1")


def buyer_of(order) -> Actor:
    return Actor(order.organization_id)


def verbs(session: Session, subject: str) -> list[str]:
    return list(session.scalars(select(AuditEntry.verb).where(AuditEntry.subject == subject).order_by(AuditEntry.id)))


def test_the_key_is_kept_with_the_payment_before_the_gateway_is_asked(session: Session) -> None:
    order = OrderFactory(rail="konbini")
    payment = payments.open_first(buyer_of(order), order)
    assert (payment.state, payment.amount_minor, payment.currency) == ("created", 5500, "JPY")
    assert (payment.order_id, payment.rail) == (order.id, "konbini")
    assert payment.idempotency_key == f"checkout:{payment.id}"
    assert payment.session_id is None
    assert verbs(session, payment.id) == ["billing.payment.opened"]


def test_an_order_has_one_attempt_under_way(session: Session) -> None:
    order, other = OrderFactory(), OrderFactory()
    first = payments.open_first(buyer_of(order), order)
    payments.open_first(buyer_of(other), other)
    with pytest.raises(IntegrityError, match="uq_payment_order_id_live"), session.begin_nested():
        payments.open_first(buyer_of(order), order)
    assert list(queries.list_payments(order_id=order.id)) == [first]


def test_paying_an_invoice_again_continues_the_attempt_under_way(session: Session) -> None:
    invoice, other = (invoices.issue(SYSTEM, InvoiceDraftFactory()) for _ in range(2))
    recipient = Actor(invoice.recipient_organization_id)
    first = payments.open_for_invoice(recipient, invoice.id)
    payments.open_for_invoice(Actor(other.recipient_organization_id), other.id)
    payments.attach_session(first.id, CHECKOUT)
    assert payments.open_for_invoice(recipient, invoice.id) is first
    payments.record_facts(first.id, [fact(FactKind.SESSION_EXPIRED)])
    second = payments.open_for_invoice(recipient, invoice.id)
    assert second is not first
    assert [payment.id for payment in queries.list_payments(invoice_id=invoice.id)] == [second.id, first.id]


def test_an_invoice_is_paid_by_its_recipient_while_it_is_open(session: Session) -> None:
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory())
    recipient = Actor(invoice.recipient_organization_id)
    for stranger in (Actor("org_x"), Actor(invoice.issuer_organization_id), SYSTEM):
        with pytest.raises(InvoiceNotFound):
            payments.open_for_invoice(stranger, invoice.id)
    assert session.scalar(select(func.count()).select_from(Payment)) == 0
    payment = payments.open_for_invoice(recipient, invoice.id)
    assert (payment.order_id, payment.invoice_id, payment.amount_minor) == (None, invoice.id, 346)
    assert payments.open_for_invoice(recipient, invoice.id) is payment
    assert list(queries.list_payments(invoice_id=invoice.id)) == [payment]
    payments.record_facts(payment.id, [fact(FactKind.SESSION_COMPLETED_PAID, 345)])
    with pytest.raises(InvoiceNotPayable, match="another amount"):
        payments.open_for_invoice(recipient, invoice.id)
    paid_in(SYSTEM, invoice.id, 346, "src_1")
    with pytest.raises(InvoiceNotPayable):
        payments.open_for_invoice(recipient, invoice.id)


def test_an_invoice_over_nothing_is_not_payable(session: Session) -> None:
    line = InvoiceLineFactory(unit_price_yen=0, amount_net_yen=0)
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory(lines=(line,)))
    with pytest.raises(InvoiceNotPayable):
        payments.open_for_invoice(Actor(invoice.recipient_organization_id), invoice.id)


def test_the_first_page_of_a_payment_stays(session: Session) -> None:
    payment = PaymentFactory()
    change = payments.attach_session(payment.id, CHECKOUT)
    assert (change.before, change.after) == (PaymentState.CREATED, PaymentState.OPEN)
    payments.attach_session(payment.id, Checkout("cs_2", "https://checkout.example/cs_2", AT))
    assert (payment.session_id, payment.checkout_url, payment.session_expires_at) == ("cs_1", CHECKOUT.url, AT)


def test_a_webhook_that_overtakes_our_own_note_is_not_undone_by_it(session: Session) -> None:
    payment = PaymentFactory()
    assert payments.record_facts(payment.id, [fact(FactKind.SESSION_COMPLETED_PAID)]).after is PaymentState.PAID
    change = payments.attach_session(payment.id, CHECKOUT)
    assert (change.before, change.after) == (PaymentState.PAID, PaymentState.PAID)
    assert payment.session_id == "cs_1"


def test_a_fact_is_known_once_and_changes_the_state_once(session: Session) -> None:
    payment = PaymentFactory()
    paid = fact(FactKind.SESSION_COMPLETED_PAID)
    first = payments.record_facts(payment.id, [paid, paid], payment_intent_id="pi_1", charge_id="ch_1")
    again = payments.record_facts(payment.id, [paid], payment_intent_id="pi_2", charge_id="ch_2")
    assert (first.before, first.after) == (PaymentState.CREATED, PaymentState.PAID)
    assert (again.before, again.after) == (PaymentState.PAID, PaymentState.PAID)
    assert (payment.payment_intent_id, payment.charge_id) == ("pi_1", "ch_1")
    assert [known.kind for known in queries.list_facts(payment.id)] == ["session_completed_paid"]
    assert verbs(session, payment.id) == ["billing.payment.captured"]


@pytest.mark.parametrize(
    ("kind", "state", "verb"),
    [
        (FactKind.SESSION_ASYNC_FAILED, "failed", "billing.payment.failed"),
        (FactKind.SESSION_EXPIRED, "expired", "billing.payment.expired"),
    ],
)
def test_the_end_of_an_attempt_is_on_the_record(session: Session, kind, state, verb) -> None:
    payment = PaymentFactory()
    payments.record_facts(payment.id, [fact(kind)])
    assert payment.state == state
    assert verbs(session, payment.id) == [verb]


def test_other_money_than_asked_for_is_held_and_blocks_a_second_attempt(session: Session) -> None:
    order = OrderFactory()
    payment = payments.open_first(buyer_of(order), order)
    change = payments.record_facts(payment.id, [fact(FactKind.SESSION_COMPLETED_PAID, 550_000)])
    assert change.after is PaymentState.HELD
    assert queries.list_facts(payment.id)[0].amount_minor == 550_000
    assert "billing.payment.held" in verbs(session, payment.id)
    with pytest.raises(IntegrityError, match="uq_payment_order_id_live"), session.begin_nested():
        payments.open_first(buyer_of(order), order)


def test_all_orders_of_a_whole_life_end_paid_and_tell_of_it_once(session: Session) -> None:
    life = [
        fact(FactKind.SESSION_OPENED, None),
        fact(FactKind.INTENT_FAILED, object_id="pi_1"),
        fact(FactKind.SESSION_COMPLETED_UNPAID),
        fact(FactKind.INTENT_SUCCEEDED, object_id="pi_1"),
        fact(FactKind.SESSION_COMPLETED_PAID),
        fact(FactKind.CHARGE_FEE, 198, "ch_1"),
        fact(FactKind.SESSION_EXPIRED),
    ]
    chance = random.Random(20261122)
    for _round in range(30):
        payment = PaymentFactory()
        arrivals = life + chance.sample(life, 3)
        chance.shuffle(arrivals)
        changes = [payments.record_facts(payment.id, [known]) for known in arrivals]
        assert changes[-1].after is PaymentState.PAID
        assert sum(change.before != change.after == PaymentState.PAID for change in changes) == 1


def test_a_payment_nobody_opened_is_unknown(session: Session) -> None:
    for deed in (lambda: payments.record_facts("pay_x", []), lambda: queries.get_payment("pay_x")):
        with pytest.raises(PaymentUnknown):
            deed()
    payment = PaymentFactory()
    assert queries.get_payment(payment.id) is payment


def test_no_facts_change_nothing(session: Session) -> None:
    payment = PaymentFactory()
    change = payments.record_facts(payment.id, [], payment_intent_id="pi_1")
    assert (change.before, change.after, payment.payment_intent_id) == ("created", "created", "pi_1")


def test_a_payment_is_found_by_any_of_its_names(session: Session) -> None:
    PaymentFactory(session_id="cs_noise", payment_intent_id="pi_noise")
    payment = PaymentFactory(session_id="cs_1", payment_intent_id="pi_1")
    assert queries.find_payment(payment.id) is payment
    assert queries.find_payment("pay_unknown", "cs_1") is payment
    assert queries.find_payment(None, None, "pi_1") is payment
    assert queries.find_payment("pay_unknown", "cs_unknown") is None
    assert queries.find_payment() is None


@pytest.mark.parametrize(
    "change",
    [
        "invoice_id = order_id",
        "order_id = NULL",
        "amount_minor = 0",
        "state = 'refunded'",
        "gateway = 'cash'",
        "idempotency_key = 'taken'",
    ],
)
def test_the_database_refuses_impossible_payments(session: Session, change: str) -> None:
    PaymentFactory(idempotency_key="taken")
    payment = PaymentFactory()
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text(f"UPDATE payment SET {change} WHERE id = :id"), {"id": payment.id})


def test_the_database_keeps_one_live_attempt_for_each_order(session: Session) -> None:
    payment = PaymentFactory()
    order = queries.require_order(payment.order_id)
    with pytest.raises(DBAPIError, match="uq_payment_order_id_live"), session.begin_nested():
        PaymentFactory(order=order)
    payment.state = "failed"
    session.flush()
    PaymentFactory(order=order)


@pytest.mark.parametrize("statement", ["UPDATE payment_fact SET amount_minor = 1", "DELETE FROM payment_fact"])
def test_facts_do_not_change(session: Session, statement: str) -> None:
    payment = PaymentFactory()
    payments.record_facts(payment.id, [fact(FactKind.SESSION_COMPLETED_PAID)])
    with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
        session.execute(text(statement))


def report(**changes) -> CheckoutReport:
    known = {
        "session_id": "cs_1",
        "payment_id": "pay_1",
        "status": "complete",
        "payment_status": "paid",
        "amount_minor": 5500,
        "currency": "JPY",
    }
    return CheckoutReport(**(known | changes))


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"status": "open", "payment_status": "unpaid"}, []),
        ({}, [FactKind.SESSION_COMPLETED_PAID]),
        ({"payment_status": "unpaid"}, [FactKind.SESSION_COMPLETED_UNPAID]),
        ({"payment_status": "unpaid", "intent_status": "processing"}, [FactKind.SESSION_COMPLETED_UNPAID]),
        ({"payment_status": "unpaid", "intent_status": "requires_payment_method"}, [FactKind.SESSION_ASYNC_FAILED]),
        ({"payment_status": "unpaid", "intent_status": "canceled"}, [FactKind.SESSION_ASYNC_FAILED]),
        ({"status": "expired", "payment_status": "unpaid"}, [FactKind.SESSION_EXPIRED]),
        (
            {"payment_status": "unpaid", "payment_intent_id": "pi_1", "remaining_minor": 3000},
            [FactKind.SESSION_COMPLETED_UNPAID, FactKind.INTENT_PARTIALLY_FUNDED],
        ),
        (
            {"payment_status": "unpaid", "payment_intent_id": "pi_1", "remaining_minor": 5500},
            [FactKind.SESSION_COMPLETED_UNPAID],
        ),
    ],
)
def test_a_fetched_checkout_shows_facts(changes, kinds) -> None:
    facts = facts_of_report(report(**changes), AT, "evt_9")
    assert [found.kind for found in facts] == kinds
    assert all((found.occurred_at, found.event_id) == (AT, "evt_9") for found in facts)


def test_eight_threads_open_one_attempt(own_database: Flask) -> None:
    with transaction():
        invoice = invoices.issue(SYSTEM, InvoiceDraftFactory())
        invoice_id, recipient = invoice.id, Actor(invoice.recipient_organization_id)

    def work(_n: int) -> str:
        with own_database.app_context(), transaction():
            return payments.open_for_invoice(recipient, invoice_id).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(8)))) == 1


def test_of_eight_threads_with_the_same_facts_one_sees_the_change(own_database: Flask) -> None:
    with transaction():
        payment_id = PaymentFactory().id

    def work(number: int) -> bool:
        known = [fact(FactKind.SESSION_COMPLETED_PAID), fact(FactKind.INTENT_SUCCEEDED, object_id="pi_1")]
        with own_database.app_context(), transaction():
            change = payments.record_facts(payment_id, known[:: 1 if number % 2 else -1])
            return change.before != change.after

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == [False] * 7 + [True]
    assert db.session.scalar(select(func.count()).select_from(PaymentFact)) == 2
    assert verbs(db.session(), payment_id) == ["billing.payment.captured"]
