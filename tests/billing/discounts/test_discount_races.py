"""Eight at once on one coupon, one eligibility, one order: the database decides."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select

from marketplace.billing.discounts import queries, service, taking
from marketplace.billing.discounts.errors import CouponNotUsable, EligibilityNotUsable
from marketplace.billing.discounts.models import DiscountUse
from marketplace.billing.discounts.rules import CouponDraft, DiscountWish, EligibilityDraft
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing.offers import Discount
from marketplace.licensing.states import DiscountClass
from tests.factories import licensing as make
from tests.factories.access import PaidOrderFactory
from tests.factories.identity import ApiClientFactory, OrganizationFactory, actor_of

THREADS = 8


class World:
    """A buyer with eight orders of one offer, and what may be taken off one of them."""

    def __init__(self):
        operator = OrganizationFactory(operator=True)
        self.operator = actor_of(operator, ApiClientFactory(organization=operator))
        self.provider, self.buyer = make.provider(), make.buyer()
        self.offer_id = make.offer_of(self.provider, discounts=(Discount(DiscountClass.SME, 1_000),)).id
        self.order_ids = [PaidOrderFactory().id for _ in range(THREADS)]
        applied = service.apply(self.buyer, EligibilityDraft(DiscountClass.SME, "中小企業基本法2条", "ab" * 32))
        until = clock.now() + timedelta(days=1)
        self.eligibility_id = service.grant(self.operator, applied.id, until, single_use=True).id
        coupon, self.code = service.issue_coupon(self.provider, CouponDraft(until, amount_yen=10))
        self.coupon_id = coupon.id

    def take(self, number, wish):
        return taking.take(self.buyer, licensing.get_offer(self.offer_id), 5_000, wish, self.order_ids[number])


@pytest.fixture
def world(own_database):
    with transaction():
        return World()


def at_once(app, deed):
    barrier = Barrier(THREADS)

    def run(number):
        with app.app_context():
            barrier.wait()
            try:
                with transaction():
                    return deed(number)
            except (CouponNotUsable, EligibilityNotUsable) as refusal:
                return refusal

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def uses():
    return db.session.scalar(select(func.count()).select_from(DiscountUse))


def test_of_eight_orders_one_redeems_a_single_use_coupon(own_database, world):
    """Bug of others: requests in parallel used one coupon many times."""
    found = at_once(own_database, lambda number: world.take(number, DiscountWish(coupon_code=world.code)))
    assert sum(isinstance(result, tuple) for result in found) == 1
    assert uses() == 1
    assert queries.get_coupon(world.provider, world.coupon_id).redemptions == 1


def test_of_eight_orders_one_uses_a_single_use_eligibility(own_database, world):
    """Bug of others: a discount for one use was used many times in parallel."""
    found = at_once(own_database, lambda number: world.take(number, DiscountWish(world.eligibility_id)))
    assert sum(isinstance(result, tuple) for result in found) == 1
    assert {result.members["reason"] for result in found if not isinstance(result, tuple)} == {"used"}
    assert uses() == 1


def test_both_at_once_neither_deadlock_nor_double(own_database, world):
    wish = DiscountWish(world.eligibility_id, world.code)
    found = at_once(own_database, lambda number: world.take(number, wish))
    assert sum(isinstance(result, tuple) for result in found) == 1
    assert uses() == 2


def test_eight_times_given_back_is_given_back_once(own_database, world):
    with transaction():
        world.take(0, DiscountWish(world.eligibility_id, world.code))
    given = at_once(own_database, lambda _: taking.give_back(world.buyer, world.order_ids[0]))
    assert sorted(given) == [0] * (THREADS - 1) + [2]
    assert queries.get_coupon(world.provider, world.coupon_id).redemptions == 0


def test_a_refusal_of_the_evidence_waits_for_the_order_under_way(own_database, world):
    def deed(number):
        if number:
            return world.take(number, DiscountWish(world.eligibility_id))
        return service.refuse(world.operator, world.eligibility_id, "虚偽の申請").id

    found = at_once(own_database, deed)
    assert sum(isinstance(result, tuple) for result in found) == uses() <= 1
    assert queries.get_eligibility(world.buyer, world.eligibility_id).state == "refused"
