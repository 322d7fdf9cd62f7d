"""What follows from an invoice: credit notes that add up, receipts, corrections; the operator's own papers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from marketplace.billing import invoices
from marketplace.billing.documents import papers, queries, rules, words
from marketplace.billing.documents.errors import CorrectionChangesAmount, CreditExceedsInvoice, DocumentConflict
from marketplace.billing.documents.papers import Changes
from marketplace.billing.documents.rules import Remark
from marketplace.identity.actors import SYSTEM
from marketplace.identity.registrations import record_registration
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.billing import InvoiceDraftFactory, InvoiceLineFactory
from tests.factories.documents import LineFactory
from tests.factories.identity import OrganizationFactory

DAY = date(2026, 11, 25)
WHY = Remark("データの欠損", "Data was missing")


@dataclass(frozen=True)
class Back:
    """What was taken back."""

    net: int
    tax: int


def mixed_invoice(**change):
    lines = (
        InvoiceLineFactory(unit_price_yen=1001, amount_net_yen=1001),
        InvoiceLineFactory(unit_price_yen=333, amount_net_yen=333, tax_rate_basis_points=800),
    )
    return invoices.issue(SYSTEM, InvoiceDraftFactory(lines=lines, **change))


def test_a_credit_note_s_lines_are_below_zero_and_sum_to_its_total(session: Session) -> None:
    invoice = mixed_invoice()
    note = papers.credit_note(SYSTEM, invoice, Back(400, 39), WHY, "ref_1", DAY)
    amounts = [int(line["amount_net_yen"]) for line in note.content["lines"]]
    taxes = [int(total["tax_yen"]) for total in note.content["totals"]]
    assert all(amount < 0 for amount in amounts)
    assert all(tax <= 0 for tax in taxes)
    assert (sum(amounts), sum(taxes), note.amount_yen) == (-400, -39, -439)
    assert note.corrects == papers.document_of(invoice).id
    assert note.content["corrects"]["number"] == invoice.number
    assert note.content["facts"]["original_transaction_on"] == invoice.transaction_on.isoformat()
    assert note.content["issuer"]["registration_number"] == "T9000020011002"
    assert words.title(note.content) == ("適格返還請求書", "Qualified Credit Note")
    assert note.number.split("-")[1] == "CN"


def test_three_part_credits_give_back_each_rate_exactly_and_a_fourth_is_refused(session: Session) -> None:
    invoice = mixed_invoice()
    net, tax = invoice.amount_net_yen, invoice.amount_tax_yen
    parts = [Back(net // 3, tax // 3), Back(net // 3, tax // 3), Back(net - 2 * (net // 3), tax - 2 * (tax // 3))]
    notes = [papers.credit_note(SYSTEM, invoice, part, WHY, f"ref_{n}", DAY) for n, part in enumerate(parts)]
    whole = {one.category: one for one in rules.read_totals(papers.document_of(invoice).content["totals"])}
    for category, total in whole.items():
        given_back = [
            one for note in notes for one in rules.read_totals(note.content["totals"]) if one.category == category
        ]
        assert sum(one.net_yen for one in given_back) == -total.net_yen
        assert sum(one.tax_yen for one in given_back) == -total.tax_yen
    with pytest.raises(CreditExceedsInvoice):
        papers.credit_note(SYSTEM, invoice, Back(1, 0), WHY, "ref_more", DAY)
    assert queries.list_credit_notes(papers.document_of(invoice).id) == notes


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**8)), min_size=1, max_size=4),
    st.lists(st.integers(1, 100), min_size=1, max_size=6),
)
def test_parts_of_totals_never_exceed_them_and_the_last_takes_the_rest(totals, steps) -> None:
    left_nets = [net for net, _tax in totals]
    for step in [*steps, 100]:
        asked = sum(left_nets) * step // 100
        parts = rules.shared(asked, left_nets)
        assert sum(parts) == asked
        assert all(0 <= part <= left for part, left in zip(parts, left_nets, strict=True))
        left_nets = [left - part for left, part in zip(left_nets, parts, strict=True)]
    assert sum(left_nets) == 0


def test_a_refund_is_credited_once_and_not_over_another_amount(session: Session) -> None:
    invoice = mixed_invoice()
    first = papers.credit_note(SYSTEM, invoice, Back(100, 9), WHY, "ref_1", DAY)
    assert papers.credit_note(SYSTEM, invoice, Back(100, 9), WHY, "ref_1", DAY).id == first.id
    with pytest.raises(DocumentConflict):
        papers.credit_note(SYSTEM, invoice, Back(101, 9), WHY, "ref_1", DAY)
    assert len(queries.list_credit_notes(papers.document_of(invoice).id)) == 1


def test_a_cancelled_credit_note_frees_its_amount_and_is_cancelled_once(session: Session) -> None:
    invoice = mixed_invoice()
    whole = Back(invoice.amount_net_yen, invoice.amount_tax_yen)
    note = papers.credit_note(SYSTEM, invoice, whole, WHY, "ref_1", DAY)
    cancelled = papers.cancel_credit_note(SYSTEM, "ref_1", Remark("返金の組戻し", "The refund came back"))
    again = papers.cancel_credit_note(SYSTEM, "ref_1", Remark("返金の組戻し", "The refund came back"))
    assert cancelled.id == again.id
    assert (cancelled.corrects, cancelled.amount_yen) == (note.id, 0)
    assert any("取り消す" in japanese for japanese, _english in words.notes(cancelled.content))
    assert papers.credit_note(SYSTEM, invoice, whole, WHY, "ref_2", DAY).amount_yen == -invoice.amount_gross_yen


def test_a_receipt_shows_a_part_by_rate_and_the_whole_as_invoiced(session: Session) -> None:
    invoice = mixed_invoice()
    part = papers.receipt(SYSTEM, invoice, 500, DAY, "pay_1")
    assert part.amount_yen == 500
    assert sum(int(line["amount_net_yen"]) for line in part.content["lines"]) == int(part.content["amount_net_yen"])
    whole = papers.receipt(SYSTEM, invoice, invoice.amount_gross_yen, DAY, "pay_2")
    assert whole.content["totals"] == papers.document_of(invoice).content["totals"]
    with pytest.raises(ValueError, match="no part"):
        papers.receipt(SYSTEM, invoice, invoice.amount_gross_yen + 1, DAY, "pay_3")


def test_a_correction_is_the_whole_document_anew_linked_and_made_once(session: Session) -> None:
    invoice = mixed_invoice()
    origin = papers.document_of(invoice)
    changes = Changes(recipient_name_ja="株式会社正しい宛名", transaction_on=date(2026, 11, 21))
    first = papers.correct(SYSTEM, origin.id, changes, Remark("宛名の誤り", "Wrong name"))
    assert papers.correct(SYSTEM, origin.id, changes, Remark("宛名の誤り", "Wrong name")).id == first.id
    assert first.content["recipient"]["name_ja"] == "株式会社正しい宛名"
    assert first.content["lines"] == origin.content["lines"]
    assert first.content["corrects"]["number"] == invoice.number
    assert words.title(first.content) == ("修正適格請求書", "Corrected Qualified Invoice")
    with pytest.raises(DocumentConflict):
        papers.correct(SYSTEM, origin.id, Changes(recipient_name_ja="別の名前"), WHY)
    second = papers.correct(SYSTEM, first.id, Changes(recipient_name_ja="別の名前"), WHY)
    assert second.corrects == first.id
    assert words.title(second.content) == ("修正適格請求書", "Corrected Qualified Invoice")


def test_a_correction_moves_no_money(session: Session) -> None:
    origin = papers.document_of(mixed_invoice())
    for changes in (Changes(issuer_registration_number=""), Changes(descriptions=[("一行", "one line")])):
        with pytest.raises(CorrectionChangesAmount):
            papers.correct(SYSTEM, origin.id, changes, WHY)
    assert queries.list_about(origin.id) == []


def test_the_operator_bills_its_commission_and_states_what_it_pays(session: Session) -> None:
    operator = OrganizationFactory(operator=True)
    record_registration(SYSTEM, operator.id, f"T{operator.corporate_number}", date(2023, 10, 1))
    provider = OrganizationFactory(provider=True)
    record_registration(SYSTEM, provider.id, f"T{provider.corporate_number}", date(2026, 1, 1), date(2026, 11, 30))
    lines = [LineFactory(amount_net_yen=1000)]
    fee = papers.commission_invoice(SYSTEM, provider.id, lines, "2026-11", DAY)
    assert fee.issuer_organization_id == operator.id
    assert fee.content["issuer"]["registration_number"] == f"T{operator.corporate_number}"
    assert fee.amount_yen == 1100
    statement = papers.purchase_statement(SYSTEM, provider.id, lines, "payout_1", DAY)
    assert statement.content["recipient"]["registration_number"] == f"T{provider.corporate_number}"
    assert any("ご連絡がない場合" in remark["ja"] for remark in statement.content["remarks"])
    late = papers.purchase_statement(
        SYSTEM, provider.id, [replace(lines[0], tax_rate_basis_points=0)], "payout_2", date(2026, 12, 1)
    )
    assert late.content["recipient"]["registration_number"] is None
    assert late.content["totals"][0]["category"] == "O"


def test_eight_refunds_at_once_never_give_back_more_than_was_billed(own_database: Flask) -> None:
    with transaction():
        invoice = invoices.issue(SYSTEM, InvoiceDraftFactory())
    # No session serves several threads, also for what it reads anew of a row.
    db.session.refresh(invoice)
    db.session.expunge(invoice)
    db.session.rollback()

    def work(number: int) -> bool:
        try:
            with own_database.app_context(), transaction():
                papers.credit_note(SYSTEM, invoice, Back(100, 10), WHY, f"ref_{number}", DAY)
        except CreditExceedsInvoice:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == [False] * 5 + [True] * 3
