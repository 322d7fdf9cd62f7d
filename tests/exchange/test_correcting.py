"""Corrected usage on the bill: within its month, as an adjustment of one that was billed, and in budgets."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.audit.models import Entry
from marketplace.billing.budgets import queries as budgets
from marketplace.billing.budgets.rules import BudgetDraft
from marketplace.exchange import correcting, settlement, spending
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, UsageUnit
from marketplace.metering import queries
from marketplace.metering import service as metering
from marketplace.metering.corrections import Correction
from marketplace.metering.errors import CorrectionNotYours
from marketplace.metering.models import UsageEvent
from tests.exchange.test_settled_months import BYTES, DECEMBER_ENDS, MIB, MIDDAY, NOVEMBER_ENDS, billed, grant_at, yen
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.metering import buyer_of, entitlement_of, provider_of

OPERATOR = replace(SYSTEM, capacities=frozenset({Capacity.OPERATOR}))


def fetched(right, at, first_byte, last_byte):
    """Fetch these bytes at that instant; return the delivery's id."""
    with clock.stopped(at):
        opened = spending.open_delivery(right, first_byte, last_byte - first_byte, None)
        metering.close_delivery(opened.id, last_byte - first_byte, last_byte - first_byte, "complete")
        spending.count_ended(right.organization_id, right.grant_id)
    return opened.id


def corrected(delivery_id, byte_count, actor: Actor = OPERATOR, reference="c-1"):
    return correcting.correct(actor, delivery_id, Correction(reference, "ログの誤り", bytes=byte_count))


@pytest.fixture
def right(app: Flask):
    """A right to 100 bytes at a yen a byte."""
    del app
    return entitlement_of(grant=grant_at(BYTES), size_bytes=100)


def test_a_correction_before_the_bill_is_billed_within_its_month(right):
    delivery_id = fetched(right, MIDDAY, 0, 100)
    corrected(delivery_id, -30)
    corrected(delivery_id, 10, reference="c-2")
    (invoice,) = billed(NOVEMBER_ENDS)
    assert yen([invoice]) == [80]
    assert invoice.lines[0]["quantity"] == "80"


def test_a_correction_of_a_billed_month_is_an_adjustment_on_the_next_bill(right):
    delivery_id = fetched(right, MIDDAY, 0, 60)
    assert yen(billed(NOVEMBER_ENDS)) == [60]
    corrected(delivery_id, -20)
    assert billed(NOVEMBER_ENDS) == []  # nothing offsets it yet: it is carried
    fetched(right, NOVEMBER_ENDS + timedelta(days=2), 60, 100)
    (invoice,) = billed(DECEMBER_ENDS)
    assert yen([invoice]) == [-20, 40]
    assert [line["quantity"] for line in invoice.lines] == ["-20", "40"]
    assert "2026年11月分の調整" in invoice.lines[0]["description_ja"]
    assert queries.get_quota(right.grant_id).used_bytes == 80


def test_added_usage_of_a_billed_month_is_billed_next_and_later_corrections_reckon_with_it(right):
    delivery_id = fetched(right, MIDDAY, 0, 60)
    billed(NOVEMBER_ENDS)
    corrected(delivery_id, -20)
    corrected(delivery_id, 50, reference="c-2")
    (invoice,) = billed(DECEMBER_ENDS)
    assert yen([invoice]) == [30]
    corrected(delivery_id, 5, reference="c-3")
    assert yen(billed(DECEMBER_ENDS)) == [5]


def test_what_nothing_offsets_is_given_back_by_a_credit_note(right):
    delivery_id = fetched(right, MIDDAY, 0, 60)
    (invoice,) = billed(NOVEMBER_ENDS)
    corrected(delivery_id, -60)
    later = DECEMBER_ENDS + timedelta(days=70)
    with clock.stopped(later):
        settled = settlement.bill(SYSTEM, later)
    assert len(settled.adjusted) == 1
    db.session.refresh(invoice)
    assert invoice.credited_yen == invoice.amount_gross_yen


@pytest.mark.parametrize("who", ["provider adds", "buyer", "stranger"])
def test_only_the_provider_takes_off_and_only_the_operator_adds(right, who):
    delivery_id = fetched(right, MIDDAY, 0, 60)
    before = db.session.scalar(select(func.count()).select_from(Entry))
    actor, byte_count, refusal = {
        "provider adds": (provider_of(right), 1, CorrectionNotYours),
        "buyer": (buyer_of(right), -1, CorrectionNotYours),
        "stranger": (actor_of(OrganizationFactory()), -1, NotFound),
    }[who]
    with pytest.raises(refusal):
        corrected(delivery_id, byte_count, actor)
    assert db.session.scalar(select(func.count()).select_from(UsageEvent).filter_by(grant_id=right.grant_id)) == 1
    assert db.session.scalar(select(func.count()).select_from(Entry)) == before
    assert corrected(delivery_id, -1, provider_of(right)).bytes_new == -1


@pytest.mark.parametrize("price", [BYTES, Price(PriceKind.PER_UNIT, unit=UsageUnit.MIB, unit_yen=BYTES.unit_yen / 2)])
def test_a_budget_follows_corrections_of_this_month_and_is_not_lent_by_those_of_earlier_ones(app, price):
    del app
    right = entitlement_of(grant=grant_at(price), size_bytes=100)
    yen_each = int(price.unit_yen) / MIB
    old = fetched(right, MIDDAY, 0, 40)
    with clock.stopped(NOVEMBER_ENDS + timedelta(days=1)):
        budget = spending.set_budget(buyer_of(right), BudgetDraft(name="研究費", limit_yen=1000))
    new = fetched(right, NOVEMBER_ENDS + timedelta(days=1), 40, 100)

    def used():
        with clock.stopped(NOVEMBER_ENDS + timedelta(days=2)):
            return budgets.view(budgets.get_budget(buyer_of(right), budget.id)).yen_used

    assert used() == 60 * yen_each
    with clock.stopped(NOVEMBER_ENDS + timedelta(days=2)):
        corrected(old, -20)
        assert used() == 60 * yen_each
        corrected(new, -20)
    assert used() == 40 * yen_each
