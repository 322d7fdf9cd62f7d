"""Usage by month and price: what is billed along, what waits for its month, what is late, what is carried forward."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from marketplace.access import queries as access
from marketplace.access.models import Grant
from marketplace.billing import ledger_queries
from marketplace.billing.models import Invoice, RatedLine
from marketplace.exchange import settlement
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price, Tier, price_document
from marketplace.licensing.states import BillingPeriod, PriceKind, UsageUnit
from marketplace.metering.models import UsageClaim, UsageEvent
from tests.factories.access import OfferOnFactory, PaidOrderFactory
from tests.factories.identity import OrganizationFactory
from tests.factories.metering import entitlement_of, fetch, granted

MIB = 2**20
BEGUN = datetime(2026, 10, 1, tzinfo=UTC)
NOVEMBER_ENDS = datetime(2026, 11, 30, 15, tzinfo=UTC)  # midnight in Japan
DECEMBER_ENDS = datetime(2026, 12, 31, 15, tzinfo=UTC)
MIDDAY = datetime(2026, 11, 10, 3, tzinfo=UTC)
PER_REQUEST = Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=Decimal(100))
VOLUME = Price(
    PriceKind.VOLUME, unit=UsageUnit.REQUEST, tiers=(Tier(Decimal(2), Decimal(100)), Tier(None, Decimal(60)))
)
BYTES = Price(PriceKind.PER_UNIT, unit=UsageUnit.MIB, unit_yen=Decimal(MIB))


def grant_at(
    price: Price, starts_at: datetime = MIDDAY - timedelta(days=1), rails: tuple[str, ...] = ("invoice",), **more
):
    """A grant at a price, with its accounting open."""
    offer = OfferOnFactory(
        price_kind=price.kind.value, amount_yen=price.amount_yen, price=price_document(price), rails=list(rails), **more
    )
    return granted(order=PaidOrderFactory(offer=offer, price_kind=price.kind.value), starts_at=starts_at)


def requested(grant: Grant, at: datetime, times: int = 1) -> None:
    """Make requests under the grant, each of ten bytes that are new the first time."""
    entitlement = entitlement_of(grant=grant)
    for _ in range(times):
        with clock.stopped(at):
            fetch(entitlement)


def billed(until: datetime) -> list[Invoice]:
    """Settle with the clock at that instant."""
    with clock.stopped(until):
        return settlement.settle(SYSTEM, until)


def yen(invoices: list[Invoice]) -> list[int]:
    """The net yen of each line, in the order of invoices and lines."""
    return [line["amount_net_yen"] for invoice in invoices for line in invoice.lines]


def test_usage_of_either_side_of_a_months_end_is_rated_in_its_own_month(app: Flask) -> None:
    del app
    price = replace(PER_REQUEST, included_units=1)
    grant = grant_at(price)
    requested(grant, NOVEMBER_ENDS - timedelta(microseconds=1), 2)
    requested(grant, NOVEMBER_ENDS, 3)
    (invoice,) = billed(DECEMBER_ENDS)
    assert yen([invoice]) == [100, 200]
    assert "2026年11月分" in invoice.lines[0]["description_ja"]
    assert "2026-12" in invoice.lines[1]["description_en"]
    assert (invoice.period_from, invoice.period_to) == (date(2026, 11, 30), date(2026, 12, 31))


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_clock_that_jumps_moves_usage_to_its_instant_and_loses_none(app: Flask, jump: timedelta) -> None:
    del app
    grant = grant_at(PER_REQUEST)
    requested(grant, NOVEMBER_ENDS - timedelta(minutes=30))
    requested(grant, NOVEMBER_ENDS - timedelta(minutes=30) + jump)
    requested(grant, NOVEMBER_ENDS - timedelta(minutes=29))
    assert sum(yen(billed(NOVEMBER_ENDS) + billed(DECEMBER_ENDS))) == 300


def test_a_leap_day_belongs_to_february(app: Flask) -> None:
    del app
    grant = grant_at(PER_REQUEST, datetime(2028, 2, 1, tzinfo=UTC))
    requested(grant, datetime(2028, 2, 29, 14, 59, 59, tzinfo=UTC))
    requested(grant, datetime(2028, 2, 29, 15, tzinfo=UTC))
    (invoice,) = billed(datetime(2028, 2, 29, 15, tzinfo=UTC))
    assert (yen([invoice]), invoice.transaction_on) == ([100], date(2028, 2, 29))


def test_a_price_per_unit_is_billed_while_the_month_runs_and_a_volume_price_after_it(app: Flask) -> None:
    del app
    along, waiting = grant_at(PER_REQUEST), grant_at(VOLUME)
    for grant in (along, waiting):
        requested(grant, MIDDAY, 2)
    assert yen(billed(MIDDAY + timedelta(days=1))) == [200]
    assert db.session.scalar(select(func.count()).select_from(UsageClaim)) == 2
    requested(waiting, NOVEMBER_ENDS - timedelta(seconds=1))
    (invoice,) = billed(NOVEMBER_ENDS)
    assert (yen([invoice]), invoice.lines[0]["quantity"], invoice.lines[0]["unit"]) == ([180], "3", "request")


def test_late_usage_of_a_closed_month_is_an_adjustment_on_the_next_invoice(app: Flask) -> None:
    del app
    grant = grant_at(VOLUME)
    requested(grant, MIDDAY, 1)
    (first,) = billed(NOVEMBER_ENDS)
    requested(grant, MIDDAY, 1)  # told of late: the month is closed
    requested(grant, NOVEMBER_ENDS + timedelta(days=1), 1)
    (second,) = billed(DECEMBER_ENDS)
    assert (yen([first]), yen([second])) == ([100], [100, 100])
    assert "2026年11月分の調整" in second.lines[0]["description_ja"]
    assert "adjustment of 2026-11" in second.lines[0]["description_en"]
    assert db.session.get_one(Invoice, first.id).amount_net_yen == 100


def test_an_adjustment_in_the_buyers_favour_is_taken_off_what_comes_next_of_the_dataset(app: Flask) -> None:
    del app
    grant = grant_at(VOLUME)
    requested(grant, MIDDAY, 2)
    assert yen(billed(NOVEMBER_ENDS)) == [200]
    requested(grant, MIDDAY, 1)  # now three: 180 for all
    assert billed(DECEMBER_ENDS) == []
    requested(grant, DECEMBER_ENDS + timedelta(days=1), 1)
    (invoice,) = billed(datetime(2027, 1, 31, 15, tzinfo=UTC))
    assert (yen([invoice]), invoice.amount_net_yen) == ([-20, 100], 80)
    assert ledger_queries.trial_balance().total_minor == 0


def test_a_minimum_is_billed_for_each_month_that_is_over_also_without_usage(app: Flask) -> None:
    del app
    grant = grant_at(replace(PER_REQUEST, minimum_yen=250))
    requested(grant, MIDDAY)
    assert yen(billed(MIDDAY + timedelta(days=1))) == [100]
    assert yen(billed(DECEMBER_ENDS)) == [150, 250]
    assert billed(DECEMBER_ENDS) == []


def test_a_maximum_caps_the_month_however_often_it_is_settled(app: Flask) -> None:
    del app
    grant = grant_at(replace(PER_REQUEST, maximum_yen=250))
    taken = []
    for day in range(4):
        requested(grant, MIDDAY + timedelta(days=day))
        taken += yen(billed(MIDDAY + timedelta(days=day, hours=1)))
    assert taken == [100, 100, 50]


def test_no_fee_is_charged_for_months_after_the_grants_end_or_within_its_trial(app: Flask) -> None:
    del app
    price = replace(PER_REQUEST, minimum_yen=250)
    ended = grant_at(price, BEGUN)
    db.session.execute(
        text("UPDATE access_grant SET expires_at = :at WHERE id = :id"),
        {"at": BEGUN + timedelta(days=9), "id": ended.id},
    )
    grant_at(replace(price, trial_days=90), BEGUN)
    db.session.expire_all()
    assert yen(billed(NOVEMBER_ENDS)) == [250]


def test_a_grant_that_ended_is_asked_for_fees_until_its_last_month_is_closed_and_again_when_it_goes_on(
    app: Flask,
) -> None:
    del app
    grant = grant_at(replace(PER_REQUEST, minimum_yen=250))

    def asked(before: datetime) -> bool:
        return grant.id in {one.id for one in access.list_grants_charged_unused(before)}

    assert yen(billed(NOVEMBER_ENDS)) == [250]
    grant.expires_at = DECEMBER_ENDS  # the last moment is December's
    db.session.commit()
    assert asked(DECEMBER_ENDS)
    assert yen(billed(DECEMBER_ENDS)) == [250]
    assert not asked(DECEMBER_ENDS + timedelta(days=700))
    grant.expires_at = DECEMBER_ENDS + timedelta(microseconds=1)
    db.session.commit()
    assert yen(billed(DECEMBER_ENDS + timedelta(days=31))) == [250]
    assert not asked(DECEMBER_ENDS + timedelta(days=700))
    assert billed(DECEMBER_ENDS + timedelta(days=62)) == []


def test_usage_of_a_trial_is_never_billed_not_even_when_the_trial_is_over(app: Flask) -> None:
    del app
    grant = grant_at(replace(PER_REQUEST, trial_days=7), MIDDAY)
    requested(grant, MIDDAY + timedelta(days=6), 5)
    requested(grant, MIDDAY + timedelta(days=7), 1)
    assert yen(billed(NOVEMBER_ENDS)) == [100]
    assert db.session.scalar(select(func.count()).select_from(UsageClaim)) == 6
    assert billed(DECEMBER_ENDS) == []


def test_prices_over_the_life_of_a_grant_know_no_months(app: Flask) -> None:
    del app
    grant = grant_at(replace(PER_REQUEST, period=BillingPeriod.GRANT, included_units=3))
    requested(grant, MIDDAY, 2)
    requested(grant, NOVEMBER_ENDS, 2)
    (invoice,) = billed(DECEMBER_ENDS)
    assert (yen([invoice]), invoice.lines[0]["quantity"]) == ([100], "4")
    assert (invoice.period_from, invoice.period_to) == (date(2026, 11, 10), date(2026, 12, 31))


def test_rows_are_billed_by_the_row_at_fractions_of_a_yen(app: Flask) -> None:
    del app
    grant = grant_at(Price(PriceKind.PER_UNIT, unit=UsageUnit.ROW, unit_yen=Decimal("0.005")))
    entitlement = entitlement_of(grant=grant)
    profile = text("UPDATE file SET profile = '{\"rows\": 20001}' WHERE id = :id")
    db.session.execute(profile, {"id": entitlement.file_id})
    with clock.stopped(MIDDAY):
        fetch(entitlement)
    (invoice,) = billed(NOVEMBER_ENDS)
    (line,) = invoice.lines
    assert (line["amount_net_yen"], line["quantity"], line["unit"], line["unit_price"]) == (
        100,
        "20001",
        "row",
        "0.005",
    )


def test_what_no_card_carries_is_carried_forward_until_it_can(app: Flask) -> None:
    del app
    grant = grant_at(replace(PER_REQUEST, unit_yen=Decimal(20)), rails=("card",))
    requested(grant, MIDDAY, 2)
    assert billed(NOVEMBER_ENDS) == []
    requested(grant, NOVEMBER_ENDS + timedelta(days=1), 1)
    (invoice,) = billed(DECEMBER_ENDS)
    assert (yen([invoice]), invoice.amount_gross_yen) == ([40, 20], 60)
    assert (invoice.period_from, invoice.period_to) == (date(2026, 11, 10), date(2026, 12, 31))


def test_a_few_yen_are_billed_where_the_provider_takes_invoices(app: Flask) -> None:
    del app
    grant = grant_at(replace(PER_REQUEST, unit_yen=Decimal(1)), rails=("card", "invoice"))
    requested(grant, MIDDAY)
    assert [invoice.amount_gross_yen for invoice in billed(NOVEMBER_ENDS)] == [1]


def test_offers_whose_revenue_is_split_otherwise_are_on_invoices_of_their_own(app: Flask) -> None:
    del app
    first = grant_at(PER_REQUEST)
    partner = OrganizationFactory(provider=True).id
    shares = [
        {"organization_id": first.provider_organization_id, "basis_points": 6667},
        {"organization_id": partner, "basis_points": 3333},
    ]
    offer = OfferOnFactory(
        dataset_id=first.dataset_id, organization_id=first.provider_organization_id, price_kind="per_unit", rails=["invoice"],
        price=price_document(PER_REQUEST), shares=shares,
    )  # fmt: skip
    order = PaidOrderFactory(offer=offer, price_kind="per_unit", organization_id=first.organization_id)
    second = granted(order=order, starts_at=MIDDAY - timedelta(days=1))
    for grant in (first, second):
        requested(grant, MIDDAY)
    invoices = billed(NOVEMBER_ENDS)
    assert [invoice.amount_net_yen for invoice in invoices] == [100, 100]
    assert ledger_queries.balance_of(f"Liabilities:Provider:{partner}:Pending") < 0
    assert ledger_queries.trial_balance().total_minor == 0


def test_an_invoice_of_a_thousand_lines_adds_up(app: Flask) -> None:
    del app
    grant = grant_at(replace(PER_REQUEST, unit_yen=Decimal("1.05")))
    requested(grant, MIDDAY)
    db.session.execute(
        text("""
        INSERT INTO delivery SELECT (jsonb_populate_record(d, jsonb_build_object('id', d.id || n))).*
          FROM delivery d, generate_series(1, 999) n""")
    )
    db.session.execute(
        text("""
        INSERT INTO usage_event SELECT (jsonb_populate_record(e, jsonb_build_object('id', e.id || n,
               'delivery_id', e.delivery_id || n, 'occurred_at', e.occurred_at + make_interval(months => n)))).*
          FROM usage_event e, generate_series(1, 999) n""")
    )
    (invoice,) = billed(datetime(2112, 1, 1, tzinfo=UTC))
    assert len(invoice.lines) == 1000
    assert invoice.amount_net_yen == 1000
    assert sum(line["amount_net_yen"] for line in invoice.lines) == invoice.amount_net_yen


def test_the_monthly_job_bills_the_months_that_are_over_and_nothing_of_the_running_one(app: Flask) -> None:
    del app
    grant = grant_at(PER_REQUEST)
    requested(grant, MIDDAY)
    requested(grant, NOVEMBER_ENDS + timedelta(minutes=1))
    for late in (timedelta(minutes=20), timedelta(days=3)):
        with clock.stopped(NOVEMBER_ENDS + late):
            settlement.settle_months()
    assert [line["amount_net_yen"] for one in db.session.scalars(select(Invoice)) for line in one.lines] == [100]


def test_eight_writers_and_two_settlers_lose_no_event_and_bill_none_twice(own_database: Flask) -> None:
    with transaction():
        grant = grant_at(PER_REQUEST)
        grant_id, entitlement = grant.id, entitlement_of(grant=grant)
    until = clock.now() + timedelta(hours=1)

    def write(_n: int) -> None:
        with own_database.app_context():
            for _ in range(25):
                with transaction():
                    fetch(entitlement)

    def settle(_n: int) -> None:
        with own_database.app_context():
            for _ in range(6):
                settlement.settle(SYSTEM, until)

    with ThreadPoolExecutor(10) as pool:
        done = [pool.submit(write, n) for n in range(8)] + [pool.submit(settle, n) for n in range(2)]
        for one in done:
            one.result()
    settlement.settle(SYSTEM, until)
    assert db.session.scalar(select(func.count()).select_from(UsageEvent)) == 200
    assert db.session.scalar(select(func.count()).select_from(UsageClaim)) == 200
    assert db.session.scalar(select(func.sum(Invoice.amount_net_yen))) == 20_000
    lines = db.session.scalars(
        select(RatedLine).where(RatedLine.grant_id == grant_id).order_by(RatedLine.revision)
    ).all()
    assert [line.revision for line in lines] == list(range(1, len(lines) + 1))
    assert all(line.invoice_id for line in lines)
    assert ledger_queries.trial_balance().total_minor == 0


def test_a_settlement_that_dies_before_its_end_has_billed_nothing_of_the_pair(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    del own_database
    with transaction():
        grant = grant_at(PER_REQUEST)
        requested(grant, MIDDAY)

    def die(*_args: object, **_facts: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(settlement.sales, "book_sale", die)
        with pytest.raises(KeyboardInterrupt):
            settlement.settle(SYSTEM, NOVEMBER_ENDS)
    for table in ("usage_claim", "rated_line", "invoice", "ledger_txn"):
        assert db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
    db.session.rollback()
    assert yen(settlement.settle(SYSTEM, NOVEMBER_ENDS)) == [100]
