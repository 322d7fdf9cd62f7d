"""Late usage that makes a closed month cheaper: offset for two months, then given back with a credit note."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.billing import ledger_queries, queries
from marketplace.billing.documents import queries as documents
from marketplace.billing.models import Invoice, RatedLine
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.models import Refund
from marketplace.exchange import adjusting, refund
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.exchange.test_settled_months import (
    DECEMBER_ENDS,
    MIDDAY,
    NOVEMBER_ENDS,
    VOLUME,
    billed,
    grant_at,
    requested,
    yen,
)
from tests.factories import money

JANUARY_ENDS = datetime(2027, 1, 31, 15, tzinfo=UTC)


def cheapened() -> Invoice:
    """The invoice of November over 200 yen, of which late usage has made 180."""
    grant = grant_at(VOLUME)
    requested(grant, MIDDAY, 2)
    (invoice,) = billed(NOVEMBER_ENDS)
    requested(grant, MIDDAY, 1)
    assert billed(DECEMBER_ENDS) == []
    return invoice


def given() -> list[Refund]:
    db.session.expire_all()
    return list(db.session.scalars(select(Refund).order_by(Refund.id)))


def test_what_nothing_offsets_is_given_back_with_its_tax_and_a_credit_note(app: Flask) -> None:
    del app
    invoice = cheapened()
    before = invoice.amount_gross_yen
    assert given() == []
    assert billed(JANUARY_ENDS) == []
    (back,) = given()
    tax = 2 if invoice.registration_number else 0
    assert (back.amount_yen, back.reason, back.way, back.state) == (20 + tax, "adjustment", "credit", "succeeded")
    assert receivables.rest_of(queries.require_invoice(invoice.id)) == before - 20 - tax
    (note,) = documents.list_credit_notes(documents.find_by_number(invoice.number).id)
    assert "利用料の精算による返金" in str(note.content)
    assert billed(JANUARY_ENDS + timedelta(days=31)) == []
    assert len(given()) == 1
    assert ledger_queries.trial_balance().total_minor == 0
    money.assert_sound()


def test_what_the_next_usage_offsets_is_not_given_back(app: Flask) -> None:
    del app
    grant = grant_at(VOLUME)
    requested(grant, MIDDAY, 2)
    billed(NOVEMBER_ENDS)
    requested(grant, MIDDAY, 1)
    requested(grant, NOVEMBER_ENDS + timedelta(days=1), 1)
    assert yen(billed(DECEMBER_ENDS)) == [-20, 100]
    billed(JANUARY_ENDS)
    assert given() == []


def test_what_the_invoice_does_not_hold_any_more_is_carried_on(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    del app
    invoice = cheapened()
    with transaction():
        refund.give_back(SYSTEM, invoice.id, None, Why("asked:1"))
    assert refunds.left_yen(invoice) == 0
    billed(JANUARY_ENDS)
    assert len(given()) == 1
    assert "is carried on" in caplog.text
    open_lines = select(RatedLine.line_yen).where(RatedLine.invoice_id.is_(None), RatedLine.line_yen != 0)
    assert db.session.scalars(open_lines).all() == [-20]


def test_one_in_trouble_keeps_no_other_from_its_money(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    ill, well = cheapened(), cheapened()
    give_back = refund.give_back

    def but_for_one(actor: object, invoice_id: str, *more: object) -> list[str]:
        if invoice_id == ill.id:
            raise ValueError("this one is ill")
        return give_back(actor, invoice_id, *more)

    monkeypatch.setattr(refund, "give_back", but_for_one)
    with clock.stopped(JANUARY_ENDS):
        assert len(adjusting.give_back_overdue(SYSTEM, JANUARY_ENDS)) == 1
        assert [one.invoice_id for one in given()] == [well.id]
        monkeypatch.setattr(refund, "give_back", give_back)
        assert len(adjusting.give_back_overdue(SYSTEM, JANUARY_ENDS)) == 1
        assert adjusting.give_back_overdue(SYSTEM, JANUARY_ENDS) == []
