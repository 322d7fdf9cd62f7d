"""Orders paid outside have their time; a slip that comes late is honoured, unless another order took the place."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from marketplace.billing import orders, queries
from marketplace.billing.discounts import service as discounts
from marketplace.billing.discounts.errors import CouponNotUsable
from marketplace.billing.discounts.rules import CouponDraft, DiscountWish
from marketplace.billing.models import Order
from marketplace.billing.orders import Slip
from marketplace.exchange import outside, purchase, renewal
from marketplace.exchange.errors import OrderNotOutside
from marketplace.exchange.ordering import OrderWish
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.settings import BadSetting
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Offer
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail
from tests.factories import market

BEGUN = datetime(2026, 11, 20, 3, tzinfo=UTC)
DAYS = 60
SLIP = Slip("札幌-2026-000777", date(2026, 11, 20), "札幌市手数料条例 別表第3")


def placed(who: Actor, offer: Offer, code: str | None = None) -> Order:
    with clock.stopped(BEGUN), transaction():
        wish = OrderWish(None, DiscountWish(coupon_code=code))
        return queries.require_order(purchase.place_order(who, offer.id, offer.terms_sha256, wish))


def expired(at: datetime, order: Order) -> bool:
    """Let the job run at an instant; whether the order has expired by then."""
    with clock.stopped(at):
        outside.expire_hourly()
    db.session.expire_all()
    return queries.require_order(order.id).state == "expired"


def test_without_a_slip_an_order_expires_in_time_and_gives_its_discount_back(app: Flask) -> None:
    del app
    city, who, other = market.seller(), market.buyer(), market.buyer()
    listed = market.listed(city)
    offer = market.offered(listed, said={"rails": (Rail.OUTSIDE,)})
    by_card = market.offered(listed)
    with clock.stopped(BEGUN), transaction():
        code = discounts.issue_coupon(city, CouponDraft(BEGUN + timedelta(days=90), amount_yen=500))[1]
    order, waiting = placed(who, offer, code), placed(who, by_card)
    with pytest.raises(CouponNotUsable):
        placed(other, offer, code)
    assert not expired(BEGUN + timedelta(days=DAYS), order)
    assert expired(BEGUN + timedelta(days=DAYS, seconds=1), order)
    assert queries.require_order(waiting.id).state == "placed"
    assert placed(other, offer, code).amount_net_yen == 4_500


def test_an_order_in_trouble_does_not_keep_the_others_from_expiring(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    del app
    offer = market.offered(market.listed(market.seller()), said={"rails": (Rail.OUTSIDE,)})
    stuck, order = placed(market.buyer(), offer), placed(market.buyer(), offer)
    expire = orders.mark_expired

    def failing(actor: Actor, order_id: str) -> bool:
        if order_id == stuck.id:
            raise RuntimeError("no")
        return expire(actor, order_id)

    monkeypatch.setattr(orders, "mark_expired", failing)
    late = BEGUN + timedelta(days=DAYS + 1)
    assert expired(late, order)
    assert queries.require_order(stuck.id).state == "placed"
    assert stuck.id in caplog.text
    monkeypatch.undo()
    assert expired(late, stuck)


def test_a_late_slip_is_honoured_at_the_price_of_the_order(app: Flask) -> None:
    del app
    city, who = market.seller(), market.buyer()
    order = placed(who, market.offered(market.listed(city), said={"rails": (Rail.OUTSIDE,)}))
    late = BEGUN + timedelta(days=DAYS + 1)
    assert expired(late, order)
    with clock.stopped(late), transaction():
        assert outside.note_payment(city, order.id, SLIP)
    made = purchase.read(who, order.id)
    assert (made.order.state, made.order.slip_number, made.order.amount_gross_yen) == ("fulfilled", SLIP.number, 5_500)
    assert made.grant_id


def test_a_slip_for_a_term_that_another_order_pays_is_refused_and_not_lost_silently(app: Flask) -> None:
    del app
    city, who = market.seller(), market.buyer()
    price = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1)
    with clock.stopped(BEGUN):
        offer = market.offered(market.listed(city), price=price, said={"rails": (Rail.OUTSIDE,)})
    first = placed(who, offer)
    with clock.stopped(BEGUN), transaction():
        outside.note_payment(city, first.id, SLIP)
    soon = BEGUN + timedelta(days=25)
    with clock.stopped(soon):
        (lapsed,) = renewal.renew(soon.date()).order_ids
        with transaction():
            orders.mark_expired(SYSTEM, lapsed)
        (following,) = renewal.renew(soon.date()).order_ids
        other = Slip("札幌-2026-000778", SLIP.paid_on, SLIP.ordinance)
        with pytest.raises(OrderNotOutside), transaction():
            outside.note_payment(city, lapsed, other)
        with transaction():
            assert outside.note_payment(city, following, other)
    assert queries.require_order(lapsed).slip_number is None


def test_the_time_for_a_slip_is_a_setting_within_bounds() -> None:
    for days in ("0", "367", "soon"):
        with pytest.raises(BadSetting, match="MARKETPLACE_OUTSIDE_DAYS"):
            settings.from_environment({"MARKETPLACE_OUTSIDE_DAYS": days})
