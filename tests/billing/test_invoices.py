"""Invoices: numbers without gaps, tax rounded once, nothing changes after issue."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry as AuditEntry
from marketplace.billing import invoices, queries
from marketplace.billing.errors import InvoiceConflict, InvoiceNotFound
from marketplace.billing.models import Invoice
from marketplace.billing.states import InvoiceKind, InvoiceState
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.billing import InvoiceDraftFactory, InvoiceLineFactory, OrderFactory, party_of
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.receivables import paid_in

NOON = datetime(2026, 11, 22, 3, tzinfo=UTC)


def serials(found) -> list[int]:
    return [int(invoice.number.rpartition("-")[2]) for invoice in found]


def test_an_invoice_carries_all_that_the_law_asks_for(session: Session) -> None:
    draft = InvoiceDraftFactory()
    with clock.stopped(NOON):
        invoice = invoices.issue(SYSTEM, draft)
    assert invoice.issuer_name_ja == draft.issuer.name_ja
    assert invoice.registration_number == "T9000020011002"
    assert (invoice.transaction_on, invoice.issued_on) == (date(2026, 11, 30), date(2026, 11, 22))
    assert (invoice.period_from, invoice.period_to) == (date(2026, 11, 1), date(2026, 11, 30))
    assert [line["description_ja"] for line in invoice.lines] == ["札幌市 人流データ 利用料"] * 3
    assert invoice.rate_totals == [{"rate_basis_points": 1000, "net_yen": 315, "tax_yen": 31}]
    assert (invoice.amount_net_yen, invoice.amount_tax_yen, invoice.amount_gross_yen) == (315, 31, 346)
    assert invoice.recipient_name_ja == draft.recipient.name_ja
    assert (invoice.state, invoice.paid_at) == ("open", None)
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.verb, entry.subject, entry.amount_minor, entry.counterparty_id) == (
        "billing.invoice.issued",
        invoice.id,
        346,
        invoice.recipient_organization_id,
    )
    assert entry.facts["number"] == invoice.number


def test_numbers_count_by_issuer_and_year(session: Session) -> None:
    city, shop = OrganizationFactory(city=True), OrganizationFactory()
    with clock.stopped(NOON):
        first = [invoices.issue(SYSTEM, InvoiceDraftFactory(issuing=city)) for _n in range(3)]
        other = invoices.issue(SYSTEM, InvoiceDraftFactory(issuing=shop))
    # 2026-12-31 15:00 UTC is New Year's Day in Japan.
    with clock.stopped(datetime(2026, 12, 31, 15, tzinfo=UTC)):
        next_year = invoices.issue(SYSTEM, InvoiceDraftFactory(issuing=city))
    assert serials(first) == [1, 2, 3]
    code = first[0].number.partition("-")[0]
    assert [invoice.number for invoice in first] == [f"{code}-2026-{n:06d}" for n in (1, 2, 3)]
    assert next_year.number == f"{code}-2027-000001"
    assert other.number.endswith("-2026-000001")
    assert not other.number.startswith(f"{code}-")


def test_an_unregistered_issuer_shows_no_tax(session: Session) -> None:
    lines = tuple(InvoiceLineFactory.build_batch(2, tax_rate_basis_points=0))
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory(registration_number=None, lines=lines))
    assert (invoice.registration_number, invoice.rate_totals) == (None, [])
    assert (invoice.amount_net_yen, invoice.amount_tax_yen, invoice.amount_gross_yen) == (210, 0, 210)


def test_impossible_drafts_are_refused_and_use_no_number(session: Session) -> None:
    issuer = OrganizationFactory()
    for change in ({"registration_number": None}, {"lines": ()}):
        with pytest.raises(ValueError, match=r"no tax|has lines"):
            invoices.issue(SYSTEM, InvoiceDraftFactory(issuing=issuer, **change))
    assert serials([invoices.issue(SYSTEM, InvoiceDraftFactory(issuing=issuer))]) == [1]


def test_a_sale_is_invoiced_once_and_as_paid(session: Session) -> None:
    order = OrderFactory()
    issuer = session.get(Organization, order.provider_organization_id)
    draft = InvoiceDraftFactory(
        kind=InvoiceKind.SALE,
        idem=f"order:{order.id}",
        issuing=issuer,
        order_id=order.id,
        period_from=None,
        period_to=None,
    )
    invoice = invoices.issue(SYSTEM, draft, paid_at=NOON)
    assert (invoice.state, invoice.paid_at) == ("paid", NOON)
    assert invoices.issue(SYSTEM, draft, paid_at=NOON) is invoice
    assert queries.find_invoice_of_order(order.id) is invoice
    assert queries.find_invoice_of_order("ord_unknown") is None


def test_the_same_period_is_not_billed_twice(session: Session) -> None:
    draft = InvoiceDraftFactory()
    invoice = invoices.issue(SYSTEM, draft)
    assert invoices.issue(SYSTEM, draft) is invoice
    with pytest.raises(InvoiceConflict):
        invoices.issue(SYSTEM, replace(draft, lines=draft.lines[:2]))
    assert serials(session.scalars(select(Invoice))) == [1]


def test_an_invoice_is_paid_once(session: Session) -> None:
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory())
    recipient = session.get(Organization, invoice.recipient_organization_id)
    gross = invoice.amount_gross_yen
    with clock.stopped(NOON):
        assert paid_in(actor_of(recipient), invoice.id, gross, "src_1") == gross
    assert paid_in(SYSTEM, invoice.id, gross, "src_2") == 0
    assert (invoice.state, invoice.paid_at) == ("paid", NOON)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.verb == "billing.invoice.paid")).one()
    assert entry.counterparty_id == invoice.issuer_organization_id
    with pytest.raises(InvoiceNotFound):
        paid_in(SYSTEM, "inv_unknown", 1, "src_1")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoice SET amount_net_yen = 1, amount_gross_yen = 32 WHERE id = :id",
        "UPDATE invoice SET number = 'M0001-2026-000099' WHERE id = :id",
        "UPDATE invoice SET lines = '[]' WHERE id = :id",
        "UPDATE invoice SET recipient_name_ja = '別の会社' WHERE id = :id",
        "UPDATE invoice SET state = 'paid', paid_at = now(), issued_on = '2020-01-01' WHERE id = :id",
        "UPDATE invoice SET state = 'void' WHERE id = :id",
        "DELETE FROM invoice WHERE id = :id",
        "TRUNCATE invoice CASCADE",
    ],
)
def test_an_issued_invoice_does_not_change(session: Session, statement: str) -> None:
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory())
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text(statement), {"id": invoice.id} if ":id" in statement else {})


def test_a_paid_invoice_does_not_become_open_again(session: Session) -> None:
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory(), paid_at=NOON)
    for change in ("state = 'open', paid_at = NULL", "paid_at = now()"):
        with pytest.raises(DBAPIError, match="does not change"), session.begin_nested():
            session.execute(text(f"UPDATE invoice SET {change} WHERE id = :id"), {"id": invoice.id})


@pytest.mark.parametrize(
    "change",
    [
        {"registration_number": "9000020011002"},
        {"period_from": None},
        {"period_from": date(2026, 12, 1)},
        {"kind": InvoiceKind.SALE},
    ],
)
def test_the_database_refuses_impossible_invoices(session: Session, change) -> None:
    draft = InvoiceDraftFactory(**change)
    with pytest.raises(DBAPIError, match="ck_invoice"), session.begin_nested():
        invoices.issue(SYSTEM, draft)


def test_parties_see_their_invoices_overseers_all_and_strangers_none(session: Session) -> None:
    mine = invoices.issue(SYSTEM, InvoiceDraftFactory())
    other = invoices.issue(SYSTEM, InvoiceDraftFactory(), paid_at=NOON)
    for party in (mine.issuer_organization_id, mine.recipient_organization_id):
        actor = actor_of(session.get(Organization, party))
        assert queries.get_invoice(actor, mine.id) is mine
        assert list(queries.list_invoices(actor).items) == [mine]
        with pytest.raises(InvoiceNotFound):
            queries.get_invoice(actor, other.id)
    auditor = actor_of(OrganizationFactory(auditor=True))
    assert list(queries.list_invoices(auditor).items) == [other, mine]
    assert list(queries.list_invoices(auditor, state=InvoiceState.PAID).items) == [other]
    assert list(queries.list_invoices(auditor, kind=InvoiceKind.SALE).items) == []
    assert not queries.list_invoices(actor_of(OrganizationFactory())).items


def test_reading_for_the_exchange_itself_knows_no_unknown_invoices(session: Session) -> None:
    for read in (queries.require_invoice, queries.lock_invoice):
        with pytest.raises(InvoiceNotFound):
            read("inv_unknown")


def test_eight_threads_issue_without_gap_or_double_though_some_roll_back(own_database: Flask) -> None:
    with transaction():
        issuer, recipient = party_of(OrganizationFactory()), party_of(OrganizationFactory())
    base = InvoiceDraftFactory.build(issuing=None, receiving=None, issuer=issuer, recipient=recipient)

    def work(number: int) -> None:
        with own_database.app_context(), transaction():
            invoices.issue(SYSTEM, replace(base, idem=f"usage:{number}"))
            if number % 3 == 0:
                raise ZeroDivisionError

    def attempt(number: int) -> None:
        with pytest.raises(ZeroDivisionError) if number % 3 == 0 else nullcontext():
            work(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(24)))
    assert sorted(serials(db.session.scalars(select(Invoice)))) == list(range(1, 17))


def test_eight_threads_with_one_sale_issue_one_invoice(own_database: Flask) -> None:
    with transaction():
        draft = InvoiceDraftFactory()

    def work(_n: int) -> str:
        with own_database.app_context(), transaction():
            return invoices.issue(SYSTEM, draft).number

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(8)))) == 1
    with own_database.app_context(), transaction():
        following = invoices.issue(SYSTEM, replace(draft, idem="next"))
        assert serials([following]) == [2]
