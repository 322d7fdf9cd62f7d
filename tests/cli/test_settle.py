"""`marketplace settle` with work of every kind: what it says, that twice is as once, and what one failure leaves."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.billing import invoices, ledger_checks
from marketplace.billing.service_levels.service import MeasurementDraft
from marketplace.exchange import service_level, settlement
from marketplace.exchange.purchase import Purchase
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Offer
from marketplace.licensing.prices import Price, Tier
from marketplace.licensing.service_levels import CreditStep
from marketplace.licensing.states import PriceKind, Rail, UsageUnit
from tests.cli.conftest import Run
from tests.factories import market, money

NOVEMBER = datetime(2026, 11, 10, 3, tzinfo=UTC)
NOVEMBER_ENDS = datetime(2026, 11, 30, 15, tzinfo=UTC)  # midnight in Japan
DECEMBER_ENDS = datetime(2026, 12, 31, 15, tzinfo=UTC)
JANUARY = datetime(2027, 1, 20, 3, tzinfo=UTC)
FEBRUARY = datetime(2027, 2, 1, 3, tzinfo=UTC)
REQUEST = UsageUnit.REQUEST
PER_REQUEST = Price(PriceKind.PER_UNIT, unit=REQUEST, unit_yen=Decimal(1_000))
VOLUME = Price(PriceKind.VOLUME, unit=REQUEST, tiers=(Tier(Decimal(2), Decimal(100)), Tier(None, Decimal(60))))
MONTHLY = Price(PriceKind.SUBSCRIPTION, 3_000, term_months=1)
WORK = ("access_grant_suspension", "document", "invoice", "ledger_txn", "purchase_order", "refund", "usage_claim")


def on_account(on: market.Listed, price: Price, **said: object) -> Offer:
    return market.offered(on, price=price, said={"rails": (Rail.INVOICE,), **said})


def used(who: Actor, grant_id: str | None, at: datetime, times: int = 1) -> None:
    with clock.stopped(at):
        for _ in range(times):
            market.fetched(who, str(grant_id))


def ordered_at(at: datetime, who: Actor, offer: Offer) -> Purchase:
    with clock.stopped(at):
        return market.ordered(who, offer)


def made_cheaper(on: market.Listed) -> None:
    """November's invoice stands open, and what was told of late since has made its usage cheaper."""
    who = market.buyer()
    grant_id = ordered_at(NOVEMBER - timedelta(days=1), who, on_account(on, VOLUME)).grant_id
    used(who, grant_id, NOVEMBER, 2)
    for until in (NOVEMBER_ENDS, DECEMBER_ENDS):
        with clock.stopped(until):
            settlement.settle(SYSTEM, until)
        used(who, grant_id, NOVEMBER, until is NOVEMBER_ENDS)


def metered(on: market.Listed) -> Actor:
    """A buyer who used something in January, of which nothing is billed yet."""
    who = market.buyer()
    offer = on_account(on, PER_REQUEST, service_level=(CreditStep(9_990, 1_000),))
    used(who, ordered_at(JANUARY, who, offer).grant_id, JANUARY)
    return who


def missed_service_level(on: market.Listed) -> None:
    with clock.stopped(FEBRUARY), transaction():
        draft = MeasurementDraft(on.dataset_id, "2027-01", 9_000, "監視記録 2027-01", "a1" * 32)
        service_level.measure(money.operator(), draft)


def held_long_enough(on: market.Listed) -> None:
    with clock.stopped(JANUARY):
        made = market.ordered(market.buyer(), on_account(on, Price(PriceKind.ONE_OFF, 5_000)))
        money.pay_by_bank(made, 5_500)


@pytest.fixture
def work(own_database: Flask) -> list[Actor]:
    """One thing of each kind that the calendar asks for; returns the two buyers whose usage is not billed yet."""
    del own_database
    with clock.stopped(NOVEMBER - timedelta(days=1)):
        on, elsewhere = market.listed(), market.listed()
    made_cheaper(on)
    ordered_at(NOVEMBER, market.buyer(), market.offered(on, said={"rails": (Rail.OUTSIDE,)}))
    ordered_at(NOVEMBER, market.buyer(), on_account(on, Price(PriceKind.ONE_OFF, 5_000)))  # overdue since
    ordered_at(JANUARY - timedelta(days=10), market.buyer(), on_account(on, MONTHLY))
    held_long_enough(on)
    buyers = [metered(on), metered(elsewhere)]
    missed_service_level(on)
    return buyers


def settled(run: Run, code: int = 0) -> list[str]:
    with clock.stopped(FEBRUARY):
        said = run("settle", "--until", "2027-01-31", code=code)
    db.session.rollback()
    return said.splitlines()


def counted() -> dict[str, int]:
    """How many rows there are of all that a settlement can make."""
    db.session.rollback()
    return {table: db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in WORK}


def numbers(lines: list[str]) -> list[str]:
    """Every number that a line counts something with."""
    return [found for line in lines for found in re.findall(r"(?:^|, )(\d+) ", line)]


def test_all_that_the_calendar_asks_for_is_done_and_said_and_the_second_time_nothing(
    run: Run, work: list[Actor]
) -> None:
    said = settled(run)
    told = "\n".join(said)
    for sentence in (
        r"^1 unpaid orders expired: ord_\w+$",
        r"^\S+-2027-\d{6} .+: 1,100 yen\n\S+-2027-\d{6} .+: 1,100 yen\n2 invoices of usage$",
        r"^1 adjustments given back: \w+$",
        r"^1 credits for missed service levels: \w+$",
        r"^1 renewals ordered, 0 terms begun, 0 failed$",
        r"^1 sales released to their providers$",
        r"^1 invoices reminded of, 1 suspended, 0 lifted$",
        r"^settled until 2027-01-31T15:00:00",
    ):
        assert re.search(sentence, told, re.MULTILINE), (sentence, told)
    made = counted()
    again = settled(run)
    assert numbers(again) == ["0"] * len(numbers(said))
    assert counted() == made
    assert ledger_checks.check_all() == []


def test_a_pair_that_cannot_be_billed_is_named_after_all_the_rest_is_done_and_said(
    run: Run, work: list[Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    ill, well = work
    issue = invoices.issue

    def issue_but_for_one(actor: Actor, draft: invoices.InvoiceDraft, **more: object) -> object:
        if draft.recipient.organization_id == ill.organization_id:
            raise ValueError("this pair is ill")
        return issue(actor, draft, **more)

    monkeypatch.setattr(invoices, "issue", issue_but_for_one)
    said = "\n".join(settled(run, code=1))
    before, after = said.split("Error: ")
    for sentence in ("1 invoices of usage", "1 renewals ordered", "1 sales released", "1 suspended", "1 unpaid orders"):
        assert sentence in before
    assert f"organization_id {ill.organization_id}" in after
    assert str(well.organization_id) not in after
    assert "settled until" not in said
    assert "Traceback" not in said
    monkeypatch.setattr(invoices, "issue", issue)
    again = settled(run)
    assert "1 invoices of usage" in again
    assert sorted(numbers(again))[-3:] == ["0", "1", "1"], "its invoice, and the credit of that"
