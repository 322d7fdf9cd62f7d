"""Documents: numbered without gaps, unchangeable, kept, taxed once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry as AuditEntry
from marketplace.billing import invoices
from marketplace.billing.documents import numbering, papers, queries, rules, service
from marketplace.billing.documents.errors import DocumentConflict, RoundingFixed
from marketplace.billing.documents.models import Document
from marketplace.billing.documents.states import DocumentKind, TaxCategory
from marketplace.billing.tax import Rounding
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.billing import InvoiceDraftFactory, InvoiceLineFactory
from tests.factories.documents import DraftFactory, LineFactory, named
from tests.factories.identity import OrganizationFactory, actor_of

NOON = datetime(2026, 11, 22, 3, tzinfo=UTC)


def serials(documents) -> list[int]:
    return [int(document.number.rpartition("-")[2]) for document in documents]


def test_a_document_says_all_that_the_law_asks_for_and_its_hash_names_it(session: Session) -> None:
    draft = DraftFactory(about=("ord_1",))
    with clock.stopped(NOON):
        document = service.issue(SYSTEM, draft)
    said = document.content
    assert said["issuer"]["registration_number"] == "T9000020011002"
    assert (said["issuer"]["name_ja"], said["recipient"]["name_ja"]) == (draft.issuer.name_ja, draft.recipient.name_ja)
    assert (said["transaction_on"], said["issued_on"]) == ("2026-11-20", "2026-11-22")
    assert said["totals"] == [{"category": "S", "rate_basis_points": 1000, "net_yen": "315", "tax_yen": "31"}]
    assert (said["amount_gross_yen"], document.amount_yen) == ("346", 346)
    assert document.content_sha256 == digest_of(said)
    assert document.retain_until == date(2035, 3, 31)
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.verb, entry.subject, entry.amount_minor) == ("billing.document.issued", document.id, 346)


def test_each_kind_and_year_of_an_issuer_counts_for_itself(session: Session) -> None:
    city, shop = OrganizationFactory(city=True), OrganizationFactory()
    with clock.stopped(NOON):
        invoiced = [service.issue(SYSTEM, DraftFactory(issuing=city)) for _n in range(2)]
        quoted = service.issue(SYSTEM, DraftFactory(issuing=city, kind=DocumentKind.QUOTE))
        other = service.issue(SYSTEM, DraftFactory(issuing=shop))
    with clock.stopped(datetime(2026, 12, 31, 15, tzinfo=UTC)):
        next_year = service.issue(SYSTEM, DraftFactory(issuing=city))
    code = invoiced[0].number.partition("-")[0]
    assert [one.number for one in invoiced] == [f"{code}-2026-000001", f"{code}-2026-000002"]
    assert quoted.number == f"{code}-QT-2026-000001"
    assert next_year.number == f"{code}-2027-000001"
    assert not other.number.startswith(f"{code}-")


def test_an_invoice_files_its_document_under_the_same_number(session: Session) -> None:
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory())
    document = papers.document_of(invoice)
    assert document.number == invoice.number
    assert document.amount_yen == invoice.amount_gross_yen == 346
    assert invoice.id in document.about
    assert queries.list_about(invoice.id) == [document]


def test_the_same_deed_is_documented_once_and_never_otherwise(session: Session) -> None:
    draft = DraftFactory()
    first = service.issue(SYSTEM, draft)
    assert service.issue(SYSTEM, draft).id == first.id
    with pytest.raises(DocumentConflict):
        service.issue(SYSTEM, replace(draft, lines=LineFactory.build_batch(2)))
    assert session.scalar(select(func.count()).select_from(Document)) == 1
    assert serials([service.issue(SYSTEM, replace(draft, idem="next"))]) == [2]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE document SET amount_yen = 1",
        "UPDATE document SET content = '{}'",
        "UPDATE document SET retain_until = '2000-01-01'",
        "DELETE FROM document",
        "TRUNCATE document CASCADE",
        "UPDATE document_counter SET last_serial = last_serial + 2",
        "UPDATE document_counter SET last_serial = 0",
    ],
)
def test_nothing_issued_changes_or_leaves_before_its_time(session: Session, statement: str) -> None:
    document = service.issue(SYSTEM, DraftFactory())
    said = dict(document.content)
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text(statement))
    session.expire_all()
    assert queries.require(document.id).content == said


def test_what_the_law_no_longer_asks_for_may_leave(session: Session) -> None:
    with clock.stopped(datetime(2015, 1, 1, tzinfo=UTC)):
        document = service.issue(
            SYSTEM, DraftFactory(transaction_on=date(2014, 12, 1), number=None, lines=(untaxed(),))
        )
    assert document.retain_until == date(2024, 3, 31)
    session.execute(text("DELETE FROM document"))
    assert session.scalar(select(func.count()).select_from(Document)) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"lines": ()},
        {"number": None},
        {"totals": (rules.TaxTotal(TaxCategory.STANDARD, 1000, 314, 31),)},
        {"kind": DocumentKind.CREDIT_NOTE},
    ],
)
def test_what_is_no_document_is_refused_and_uses_no_number(session: Session, change: dict) -> None:
    issuer = OrganizationFactory()
    with pytest.raises(ValueError, match=r"lines|no tax|gives back"):
        service.issue(SYSTEM, DraftFactory(issuing=issuer, **change))
    assert serials([service.issue(SYSTEM, DraftFactory(issuing=issuer))]) == [1]


def untaxed(amount: int = 1000):
    return LineFactory(amount_net_yen=amount, tax_rate_basis_points=0)


@pytest.mark.parametrize(
    ("day", "percent"),
    [
        (date(2026, 9, 30), 80),
        (date(2026, 10, 1), 70),
        (date(2027, 9, 30), 70),
        (date(2027, 10, 1), 50),
        (date(2028, 10, 1), 30),
        (date(2029, 9, 30), 30),
        (date(2029, 10, 1), 0),
    ],
)
def test_a_buyer_of_an_unregistered_seller_reads_what_it_may_deduct(session: Session, day: date, percent: int) -> None:
    document = service.issue(SYSTEM, DraftFactory(number=None, lines=(untaxed(),), transaction_on=day))
    assert document.content["transitional_credit_percent"] == percent
    assert document.content["totals"][0] == {"category": "O", "rate_basis_points": 0, "net_yen": "1000", "tax_yen": "0"}
    registered = service.issue(SYSTEM, DraftFactory(transaction_on=day))
    assert registered.content["transitional_credit_percent"] is None


def test_rates_and_categories_are_summed_apart_and_rounded_once_each(session: Session) -> None:
    lines = (
        LineFactory(amount_net_yen=105),
        LineFactory(amount_net_yen=106, tax_rate_basis_points=800),
        LineFactory(amount_net_yen=105),
        LineFactory(amount_net_yen=107, tax_rate_basis_points=800),
        LineFactory(amount_net_yen=50, tax_rate_basis_points=0, category=TaxCategory.EXPORT),
        untaxed(40),
    )
    said = service.issue(SYSTEM, DraftFactory(lines=lines)).content
    assert [(one["category"], one["net_yen"], one["tax_yen"]) for one in said["totals"]] == [
        ("S", "210", "21"),
        ("AA", "213", "17"),
        ("E", "40", "0"),
        ("G", "50", "0"),
    ]


@pytest.mark.parametrize(("way", "tax"), [("floor", "115"), ("half_up", "116"), ("ceil", "116")])
def test_the_tax_agency_s_22_small_lines_are_rounded_once_in_the_issuer_s_way(
    session: Session, way: str, tax: str
) -> None:
    issuer = OrganizationFactory()
    numbering.choose_rounding(actor_of(issuer), Rounding(way))
    nets = [53] * 21 + [45]  # 1,158 yen in 22 lines
    lines = [LineFactory(amount_net_yen=net) for net in nets]
    assert service.issue(SYSTEM, DraftFactory(issuing=issuer, lines=lines)).content["amount_tax_yen"] == tax


def test_an_issuer_s_rounding_never_changes_once_it_was_used(session: Session) -> None:
    issuer = OrganizationFactory()
    assert numbering.choose_rounding(actor_of(issuer), Rounding.CEIL) is Rounding.CEIL
    assert numbering.choose_rounding(actor_of(issuer), Rounding.CEIL) is Rounding.CEIL
    with pytest.raises(RoundingFixed):
        numbering.choose_rounding(actor_of(issuer), Rounding.FLOOR)
    quoted = OrganizationFactory()
    assert numbering.rounding_of(quoted.id) is Rounding.FLOOR
    with pytest.raises(RoundingFixed):
        numbering.choose_rounding(actor_of(quoted), Rounding.CEIL)
    assert numbering.rounding_of(issuer.id) is Rounding.CEIL


@pytest.mark.parametrize("amount", [0, 1, 2**53 - 1])
def test_nothing_one_yen_and_the_most_that_the_record_holds_are_exact(session: Session, amount: int) -> None:
    line = InvoiceLineFactory(unit_price_yen=amount, amount_net_yen=amount, tax_rate_basis_points=0)
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory(lines=[line]))
    document = papers.document_of(invoice)
    session.expire_all()
    assert invoice.amount_gross_yen == document.amount_yen == amount
    assert document.content["amount_gross_yen"] == str(amount)
    assert document.content_sha256 == digest_of(document.content)


def test_beyond_what_json_numbers_hold_contents_stay_exact(session: Session) -> None:
    content, digest = service.prepared(DraftFactory(lines=[LineFactory(amount_net_yen=2**53)]))
    assert content["amount_net_yen"] == "9007199254740992"
    assert content["amount_gross_yen"] == str(2**53 + 2**53 // 10)
    assert digest == digest_of(content | {"corrects": None})


def test_the_operator_that_hands_a_document_over_is_named_on_it(session: Session) -> None:
    operator = OrganizationFactory(operator=True)
    handed = service.issue(SYSTEM, DraftFactory())
    assert handed.content["delivered_by"]["name_ja"] == operator.name_ja
    own = service.issue(SYSTEM, DraftFactory(issuer=named(operator, "T9000020011002")))
    assert own.content["delivered_by"] is None


def test_eight_threads_number_without_gap_or_double_though_some_roll_back(own_database: Flask) -> None:
    with transaction():
        base = DraftFactory()

    def attempt(number: int) -> None:
        failing = pytest.raises(ZeroDivisionError) if number % 3 == 0 else nullcontext()
        with failing, own_database.app_context(), transaction():
            service.issue(SYSTEM, replace(base, idem=f"paper:race:{number}"))
            if number % 3 == 0:
                raise ZeroDivisionError

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(24)))
    assert sorted(serials(db.session.scalars(select(Document)))) == list(range(1, 17))


def test_eight_threads_that_finish_one_paper_give_it_one_number(own_database: Flask) -> None:
    with transaction():
        draft = DraftFactory()

    def work(_n: int) -> str:
        with own_database.app_context(), transaction():
            return service.issue(SYSTEM, draft).number

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(8)))) == 1
    with own_database.app_context(), transaction():
        assert serials([service.issue(SYSTEM, replace(draft, idem="next"))]) == [2]
