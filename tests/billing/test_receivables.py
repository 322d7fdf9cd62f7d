"""Receivables: due days, money applied to invoices, credit; decided by the database where two come at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry as AuditEntry
from marketplace.billing import invoices, ledger_queries, queries
from marketplace.billing.errors import InvoiceNotFound
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.receivables import rules, service
from marketplace.billing.receivables.errors import CreditExhausted, InvoicesOverdue
from marketplace.billing.states import Dunning
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from tests.factories.billing import InvoiceDraftFactory, InvoiceLineFactory
from tests.factories.identity import OrganizationFactory
from tests.factories.receivables import paid_in


def issued(net_yen: int = 1000, **facts: object) -> Invoice:
    """An open invoice of so much before tax of 10 %."""
    line = InvoiceLineFactory(unit_price_yen=net_yen, amount_net_yen=net_yen)
    return invoices.issue(SYSTEM, InvoiceDraftFactory(lines=(line,), **facts))


def verbs(subject: str) -> list[str]:
    found = select(AuditEntry.verb).where(AuditEntry.subject == subject, AuditEntry.verb.like("billing.invoice%"))
    return list(db.session.scalars(found.order_by(AuditEntry.id)))


@pytest.mark.parametrize(
    ("issued_on", "rule", "due_on"),
    [
        (date(2026, 11, 22), "month-end+1", date(2026, 12, 31)),
        (date(2026, 12, 31), "month-end+1", date(2027, 1, 31)),
        (date(2027, 1, 31), "month-end+1", date(2027, 2, 28)),
        (date(2028, 1, 31), "month-end+1", date(2028, 2, 29)),
        (date(2028, 2, 29), "month-end+1", date(2028, 3, 31)),
        (date(2027, 3, 31), "month-end+1", date(2027, 4, 30)),
        (date(2026, 11, 22), "month-end+0", date(2026, 11, 30)),
        (date(2026, 11, 22), "month-end+12", date(2027, 11, 30)),
        (date(2026, 11, 22), "day-20+2", date(2027, 1, 20)),
        (date(2026, 11, 22), "day-10+0", date(2026, 11, 22)),
        (date(2028, 2, 28), "days+1", date(2028, 2, 29)),
        (date(2026, 11, 22), "days+0", date(2026, 11, 22)),
    ],
)
def test_an_invoice_is_due_by_the_calendar(issued_on: date, rule: str, due_on: date) -> None:
    assert rules.due_on(issued_on, rule) == due_on


@pytest.mark.parametrize("rule", ["", "month-end", "month-end+13", "day-29+1", "day-0+1", "days+1000", "end+1"])
def test_a_rule_that_could_slip_over_a_months_end_is_none(rule: str) -> None:
    with pytest.raises(ValueError, match="month-end"):
        rules.due_on(date(2026, 11, 22), rule)


def test_an_issued_invoice_says_when_it_is_due_in_japan(session: Session) -> None:
    # Half past midnight in Japan on the first of the month: one month later than in London.
    with clock.stopped(datetime(2026, 11, 30, 15, 30, tzinfo=UTC)):
        invoice = issued()
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 12, 1), date(2027, 1, 31))
    assert (invoice.paid_yen, invoice.credited_yen, invoice.dunning) == (0, 0, "none")


def test_an_invoice_over_nothing_and_one_that_is_paid_are_never_due(session: Session) -> None:
    for invoice in (issued(0), invoices.issue(SYSTEM, InvoiceDraftFactory(), paid_at=clock.now())):
        assert (invoice.state, invoice.due_on, receivables.rest_of(invoice)) == ("paid", None, 0)


def test_money_pays_an_invoice_in_parts_and_never_more_than_it(session: Session) -> None:
    other, invoice = issued(), issued()
    buyer = invoice.recipient_organization_id
    assert paid_in(SYSTEM, invoice.id, 400, "src_1", account="Assets:Bank") == 400
    assert (invoice.state, receivables.rest_of(invoice), invoice.paid_at) == ("open", 700, None)
    assert paid_in(SYSTEM, invoice.id, 900, "src_2", account="Assets:Bank") == 700
    assert (invoice.state, receivables.rest_of(invoice)) == ("paid", 0)
    assert invoice.paid_at is not None
    assert paid_in(SYSTEM, invoice.id, 5, "src_3") == 0
    assert (other.state, other.paid_yen) == ("open", 0)
    assert ledger_queries.balance_of("Assets:Bank") == 1100
    assert ledger_queries.balance_of(f"Assets:Receivable:{buyer}") == -1100
    assert verbs(invoice.id) == ["billing.invoice.issued", "billing.invoice.paid_in_part", "billing.invoice.paid"]
    assert [(paid.source_ref, paid.amount_yen) for paid in receivables.list_payments(invoice.id)] == [
        ("src_1", 400),
        ("src_2", 700),
    ]


def test_the_same_money_pays_once(session: Session) -> None:
    invoice = issued()
    assert [paid_in(SYSTEM, invoice.id, 400, "src_1") for _ in range(3)] == [400, 400, 400]
    assert invoice.paid_yen == 400
    assert ledger_queries.balance_of("Assets:Clearing:Stripe") == 400


def test_one_yen_is_money(session: Session) -> None:
    invoice = issued(1)
    assert invoice.amount_gross_yen == 1
    assert paid_in(SYSTEM, invoice.id, 1, "src_1") == 1
    assert invoice.state == "paid"


@pytest.mark.parametrize("amount", [0, -1])
def test_no_money_pays_nothing(session: Session, amount: int) -> None:
    invoice = issued()
    assert paid_in(SYSTEM, invoice.id, amount, "src_1") == 0
    assert invoice.paid_yen == 0


def test_an_unknown_invoice_takes_no_money(session: Session) -> None:
    with pytest.raises(InvoiceNotFound):
        paid_in(SYSTEM, new_id("inv"), 1, "src_1")


def test_a_credit_note_takes_off_what_is_owed_and_no_more(session: Session) -> None:
    invoice = issued()
    paid_in(SYSTEM, invoice.id, 300, "src_1")
    assert service.credit(SYSTEM, invoice.id, 500, "ref_1") == 500
    assert receivables.rest_of(invoice) == 300
    assert service.credit(SYSTEM, invoice.id, 1100, "ref_2") == 300
    assert (invoice.state, invoice.paid_yen, invoice.credited_yen) == ("paid", 300, 800)
    assert service.credit(SYSTEM, invoice.id, 1, "ref_3") == 0


@pytest.mark.parametrize(
    "change",
    [
        "paid_yen = 1101",
        "paid_yen = -1",
        "paid_yen = 1100",
        "state = 'paid', paid_at = now()",
        "credited_yen = 600, paid_yen = 600",
        "dunning = 'shot'",
    ],
)
def test_the_database_refuses_impossible_payments(session: Session, change: str) -> None:
    invoice = issued()
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text(f"UPDATE invoice SET {change} WHERE id = :id"), {"id": invoice.id})


@pytest.mark.parametrize("change", ["paid_yen = 0", "due_on = '2030-01-01'", "amount_net_yen = 1", "number = 'M1'"])
def test_what_was_paid_and_what_was_issued_never_changes(session: Session, change: str) -> None:
    invoice = issued()
    paid_in(SYSTEM, invoice.id, 100, "src_1")
    with pytest.raises(DBAPIError, match="does not change"), session.begin_nested():
        session.execute(text(f"UPDATE invoice SET {change} WHERE id = :id"), {"id": invoice.id})


def test_credit_ends_at_the_limit_to_the_yen(session: Session) -> None:
    invoice = issued(900)
    buyer = invoice.recipient_organization_id
    issued(100_000)
    service.set_credit_limit(SYSTEM, buyer, 1000)
    service.require_credit(buyer, 10)
    with pytest.raises(CreditExhausted) as refusal:
        service.require_credit(buyer, 11)
    assert refusal.value.members == {"credit_limit_yen": 1000, "owed_yen": 990}
    paid_in(SYSTEM, invoice.id, 1, "src_1")
    service.require_credit(buyer, 11)
    service.set_credit_limit(SYSTEM, buyer, None)
    assert receivables.credit_limit_yen(buyer) == 1_000_000


def test_nobody_has_credit_while_an_invoice_is_overdue(session: Session) -> None:
    invoice = issued()
    buyer, other = invoice.recipient_organization_id, OrganizationFactory(buyer=True).id
    with clock.stopped(datetime.combine(invoice.due_on, datetime.min.time(), clock.JST)):
        service.require_credit(buyer, 1)
    with clock.stopped(datetime(2099, 1, 1, tzinfo=UTC)):
        with pytest.raises(InvoicesOverdue) as refusal:
            service.require_credit(buyer, 1)
        assert refusal.value.members == {"invoices": [invoice.number]}
        service.require_credit(other, 1)


def test_dunning_takes_each_step_once(session: Session) -> None:
    invoice = issued()
    assert [service.note_dunning(SYSTEM, invoice.id, Dunning.REMINDED) for _ in range(2)] == [True, False]
    assert service.note_dunning(SYSTEM, invoice.id, Dunning.SUSPENDED)
    assert verbs(invoice.id)[1:] == ["billing.invoice.overdue"] * 2


def test_parallel_payers_never_overpay(own_database: Flask) -> None:
    with transaction():
        invoice_id = issued().id

    def pay(number: int) -> int:
        with own_database.app_context(), transaction():
            return paid_in(SYSTEM, invoice_id, 300, f"src_{number}", account="Assets:Bank")

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(pay, range(8)), reverse=True) == [300, 300, 300, 200, 0, 0, 0, 0]
    with transaction():
        invoice = queries.require_invoice(invoice_id)
        assert (invoice.state, invoice.paid_yen) == ("paid", 1100)
        assert ledger_queries.balance_of("Assets:Bank") == 1100


def test_the_same_money_told_eight_times_at_once_pays_once(own_database: Flask) -> None:
    with transaction():
        invoice_id = issued().id

    def pay(_number: int) -> int:
        with own_database.app_context(), transaction():
            return paid_in(SYSTEM, invoice_id, 300, "src_1")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(pay, range(8))) == [300] * 8
    with transaction():
        assert queries.require_invoice(invoice_id).paid_yen == 300


def test_parallel_orders_on_credit_stay_below_the_limit(own_database: Flask) -> None:
    with transaction():
        buyer = OrganizationFactory(buyer=True)
        service.set_credit_limit(SYSTEM, buyer.id, 3_300)
        buyer_id = buyer.id

    def buy(_number: int) -> bool:
        with own_database.app_context():
            try:
                with transaction():
                    service.require_credit(buyer_id, 1_100)
                    receiving = db.session.get(type(OrganizationFactory.build()), buyer_id)
                    issued(receiving=receiving)
            except CreditExhausted:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(buy, range(8))) == 3
    with transaction():
        assert receivables.owed_yen(buyer_id) == 3_300
