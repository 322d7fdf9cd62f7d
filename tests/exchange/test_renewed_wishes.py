"""What a first order wished for lasts: its rail, its discount while it stands; a trial is had once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import update

from marketplace.app import install
from marketplace.billing import orders, queries
from marketplace.billing.discounts import service as discounts
from marketplace.billing.discounts.errors import CouponNotUsable, EligibilityNotUsable
from marketplace.billing.discounts.rules import CouponDraft, DiscountWish, EligibilityDraft
from marketplace.billing.models import Order
from marketplace.billing.receivables import rules as receiving
from marketplace.billing.subscriptions import queries as subscriptions
from marketplace.exchange import purchase, renewal
from marketplace.exchange.errors import RailNotOffered
from marketplace.exchange.listing import supersede_offer
from marketplace.exchange.ordering import OrderWish
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Offer
from marketplace.licensing.offers import Discount
from marketplace.licensing.prices import Price
from marketplace.licensing.states import DiscountClass, PriceKind, Rail, UsageUnit
from tests.factories import market

MONTHLY = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1)
TRIED = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1, trial_days=14)
SME = (Discount(DiscountClass.SME, 2_000),)
BEGUN = date(2027, 1, 31)
EVIDENCE = EligibilityDraft(DiscountClass.SME, "中小企業者証明 2026-17", "ab" * 32)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no invoice fall due: what an overdue one does to credit is told elsewhere."""
    monkeypatch.setattr(receiving, "due_on", lambda issued_on, _rule: issued_on + timedelta(days=3650))


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 3, tzinfo=UTC)


def offered(price: Price = MONTHLY, *rails: Rail, on: market.Listed | None = None, **said: object) -> Offer:
    with clock.stopped(noon(BEGUN)):
        said = {"rails": rails or (Rail.INVOICE,), "discounts": SME} | said
        return market.offered(on or market.listed(), price=price, said=said)


def placed(who: Actor, offer: Offer, rail: Rail | None = None, day: date = BEGUN, **asked: str) -> Order:
    with clock.stopped(noon(day)), transaction():
        wish = OrderWish(rail, DiscountWish(**asked))
        return queries.require_order(purchase.place_order(who, offer.id, offer.terms_sha256, wish))


def renewed(day: date) -> list[Order]:
    """Look after all subscriptions at noon of a day; the orders that were placed."""
    with clock.stopped(noon(day)):
        ids = renewal.renew(day).order_ids
    db.session.expire_all()
    return [queries.require_order(one) for one in ids]


def eligible(who: Actor, until: date, *, single_use: bool = False) -> str:
    """An eligibility as a small business, until noon of a day."""
    operator = market.party(operator=True)
    with clock.stopped(noon(BEGUN)), transaction():
        applied = discounts.apply(who, EVIDENCE)
        return discounts.grant(operator, applied.id, noon(until), single_use=single_use).id


def coupon(offer: Offer, **said: object) -> str:
    with clock.stopped(noon(BEGUN)), transaction():
        provider = Actor(offer.organization_id)
        return discounts.issue_coupon(provider, CouponDraft(noon(BEGUN + timedelta(days=300)), **said))[1]


def refused(reason: type[Refusal], who: Actor, offer: Offer, rail: Rail | None = None, **asked: str) -> Refusal:
    before = len(queries.list_orders(who).items)
    with pytest.raises(reason) as refusal:
        placed(who, offer, rail, **asked)
    assert len(queries.list_orders(who).items) == before
    return refusal.value


def test_a_class_is_discounted_each_term_while_its_eligibility_stands(app: Flask) -> None:
    install(app)
    who, offer = market.buyer(), offered()
    first = placed(who, offer, eligibility_id=eligible(who, date(2027, 3, 20)))
    (second,) = renewed(date(2027, 2, 20))
    (third,) = renewed(date(2027, 3, 21))  # it stood until the day before
    assert [(one.list_net_yen, one.amount_net_yen) for one in (first, second, third)] == [
        (3000, 2400),
        (3000, 2400),
        (3000, 3000),
    ]
    eligible(who, date(2027, 12, 31))  # judged anew, and good for the terms that follow
    assert [one.amount_net_yen for one in renewed(date(2027, 4, 20))] == [2400]


def test_a_coupon_and_what_is_for_one_order_are_for_the_first_term(app: Flask) -> None:
    install(app)
    who, other, offer = market.buyer(), market.buyer(), offered()
    assert placed(who, offer, coupon_code=coupon(offer, basis_points=1_000)).amount_net_yen == 2700
    single = eligible(other, date(2027, 12, 31), single_use=True)
    assert placed(other, offer, eligibility_id=single).amount_net_yen == 2400
    assert [one.amount_net_yen for one in renewed(date(2027, 2, 20))] == [3000, 3000]


def test_a_trial_keeps_the_rail_and_the_class_for_the_terms_after_it(app: Flask) -> None:
    install(app)
    who, offer = market.buyer(), offered(TRIED, Rail.CARD, Rail.INVOICE)
    trial = placed(who, offer, Rail.INVOICE, eligibility_id=eligible(who, date(2027, 12, 31)))
    assert (trial.state, trial.rail, trial.rail_wished, trial.amount_net_yen) == ("fulfilled", None, "invoice", 0)
    (paid,) = renewed(date(2027, 2, 10))
    assert (paid.rail, paid.amount_net_yen, paid.state) == ("invoice", 2400, "fulfilled")


def test_a_rail_that_does_not_carry_the_amount_gives_way_to_one_that_does(app: Flask) -> None:
    install(app)
    dear = Price(PriceKind.SUBSCRIPTION, 290_000, term_months=1, trial_days=14)
    who, offer = market.buyer(), offered(dear, Rail.KONBINI, Rail.INVOICE)
    placed(who, offer, Rail.KONBINI)
    (paid,) = renewed(date(2027, 2, 10))  # 319,000 yen with tax
    assert paid.rail == "invoice"


def test_what_a_trial_does_not_take_is_refused_and_not_spent(app: Flask) -> None:
    install(app)
    who, offer = market.buyer(), offered(TRIED)
    single = eligible(who, date(2027, 12, 31), single_use=True)
    refused(EligibilityNotUsable, who, offer, eligibility_id=single)
    code = coupon(offer, amount_yen=500)
    refused(CouponNotUsable, who, offer, coupon_code=code)
    refused(RailNotOffered, who, offer, Rail.KONBINI)
    plain = offered(on=market.Listed(Actor(offer.organization_id), offer.dataset_id, ""))
    assert placed(who, plain, eligibility_id=single, coupon_code=code).amount_net_yen == 1900


def test_a_trial_is_had_once_whatever_version_of_the_offer(app: Flask) -> None:
    install(app)
    who, listed = market.buyer(), market.listed()
    offer = offered(TRIED, on=listed)
    assert placed(who, offer).trial_days == 14
    with clock.stopped(noon(BEGUN)), transaction():
        draft = market.offer_draft(listed.provider, listed.dataset_id, price=TRIED, said={"rails": (Rail.INVOICE,)})
        following = supersede_offer(listed.provider, offer.id, draft)
    again = placed(who, following)
    assert (again.trial_days, again.amount_net_yen, again.rail) == (0, 3000, "invoice")
    terms = [
        (one.term_from.isoformat(), one.term_to.isoformat()) for one in subscriptions.list_terms(again.subscription_id)
    ]
    assert terms == [("2027-01-31", "2027-02-27")]
    assert placed(market.buyer(), following).trial_days == 14
    metered = offered(Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=Decimal(1), trial_days=7))
    assert [placed(who, metered).trial_days for _ in range(2)] == [7, 0]


def test_of_four_orders_at_once_one_has_the_trial(own_database: Flask) -> None:
    install(own_database)
    who, offer = market.buyer(), offered(TRIED)
    actor, offer_id, accepted = who, offer.id, offer.terms_sha256
    db.session.remove()

    def order(_number: int) -> int:
        with own_database.app_context(), transaction():
            order_id = purchase.place_order(actor, offer_id, accepted)
            return queries.require_order(order_id).trial_days

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(order, range(4))) == [0, 0, 0, 14]


def test_a_trial_that_lapsed_may_be_had_after_all(app: Flask) -> None:
    install(app)
    who, offer = market.buyer(), offered(TRIED)
    first = placed(who, offer)
    assert orders.has_had_trial(who.organization_id, [offer.id])
    db.session.execute(update(Order).where(Order.id == first.id).values(state="expired", paid_at=None))
    assert not orders.has_had_trial(who.organization_id, [offer.id])


def test_a_code_for_an_offer_is_good_for_the_versions_after_it(app: Flask) -> None:
    install(app)
    who, listed = market.buyer(), market.listed()
    offer = offered(on=listed)
    elsewhere = offered(on=listed)
    code = coupon(offer, basis_points=1_000, offer_id=offer.id, max_redemptions=2)
    for _ in range(2):
        with clock.stopped(noon(BEGUN)), transaction():
            draft = market.offer_draft(
                listed.provider, listed.dataset_id, price=MONTHLY, said={"rails": (Rail.INVOICE,)}
            )
            offer = supersede_offer(listed.provider, offer.id, draft)
    refused(CouponNotUsable, who, elsewhere, coupon_code=code)
    assert placed(who, offer, coupon_code=code).amount_net_yen == 2700
    newer = coupon(offer, basis_points=1_000, offer_id=offer.id)
    assert placed(who, offer, coupon_code=newer).amount_net_yen == 2700
