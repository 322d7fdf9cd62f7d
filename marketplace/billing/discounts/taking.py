"""Taking discounts on an order, each as often as it may be taken, and giving them back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.discounts import queries, rules
from marketplace.billing.discounts.errors import CouponNotUsable, EligibilityNotUsable
from marketplace.billing.discounts.models import Coupon, DiscountUse, Eligibility
from marketplace.billing.discounts.rules import Deduction, DiscountWish
from marketplace.billing.discounts.states import CouponState, DeductionKind, EligibilityState
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import is_id, new_id
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.states import DiscountClass


@dataclass(frozen=True, slots=True)
class _Order:
    buyer: Actor
    offer: Offer
    order_id: str
    is_metered: bool
    is_trial: bool


def take(buyer: Actor, offer: Offer, net_yen: int, wish: DiscountWish, order_id: str) -> tuple[Deduction, ...]:
    """Take what the buyer wishes off a price before tax, first for its eligibility, of the rest for a coupon.

    Each deduction is floored and they never come to more than the price. The order may be written later in
    the same transaction. On a trial, which costs nothing, an eligibility is noted for the terms after it, and
    what is good for one order alone is not spent. Raises EligibilityNotUsable or CouponNotUsable; nothing is
    taken then.
    """
    price = licensing.price_of(offer)
    order = _Order(buyer, offer, order_id, price.is_metered, price.is_recurring and net_yen == 0)
    taken: list[Deduction] = []
    if wish.eligibility_id is not None:
        taken.append(_take_eligibility(order, net_yen, wish.eligibility_id))
    if wish.coupon_code is not None:
        left = net_yen - sum(deduction.amount_yen for deduction in taken)
        taken.append(_take_coupon(order, left, wish.coupon_code))
    return tuple(taken)


def standing_wish(organization_id: str, deductions: Sequence[Mapping[str, Any]]) -> DiscountWish:
    """Return what of an order's deductions a renewal takes again.

    That is what was taken for a class of buyers, as long as an eligibility of the class stands that is not for
    one order alone. A coupon is redeemed by one order, and by no renewal of it.
    """
    taken = [one["source_id"] for one in deductions if one["kind"] == DeductionKind.ELIGIBILITY]
    standing = queries.find_standing(organization_id, taken[0]) if taken else None
    return DiscountWish(eligibility_id=standing.id if standing else None)


def give_back(actor: Actor, order_id: str) -> int:
    """Let what an order took be taken by another, since it failed or expired; returns how many were given back.

    Doing it again gives back nothing more.
    """
    held = (DiscountUse.order_id == order_id, DiscountUse.given_back_at.is_(None))
    statement = update(DiscountUse).where(*held).values(given_back_at=clock.now())
    returned = statement.returning(DiscountUse.coupon_id, DiscountUse.eligibility_id)
    given = db.session.execute(returned, execution_options={"synchronize_session": False}).all()
    for coupon_id in (row.coupon_id for row in given if row.coupon_id):
        less = update(Coupon).where(Coupon.id == coupon_id).values(redemptions=Coupon.redemptions - 1)
        db.session.execute(less, execution_options={"synchronize_session": False})
    for row in given:
        source = row.coupon_id or row.eligibility_id
        audit.record(actor, Verb.DISCOUNT_GIVEN_BACK, subject=order_id, facts={"source": source})
    return len(given)


def _take_eligibility(order: _Order, net_yen: int, eligibility_id: str) -> Deduction:
    # FOR SHARE would let two orders pass together; the lock also holds off a refusal until this order is placed.
    mine = (Eligibility.id == (eligibility_id if is_id(eligibility_id) else ""),)
    statement = select(Eligibility).where(*mine).with_for_update()
    eligibility = db.session.scalar(statement.execution_options(populate_existing=True))
    if eligibility is None or eligibility.organization_id != order.buyer.organization_id:
        raise EligibilityNotUsable(reason="unknown")
    points = _points(order, eligibility, net_yen)
    amount_yen = rules.off(net_yen, basis_points=points)
    deduction = Deduction(DeductionKind.ELIGIBILITY, eligibility.id, points, amount_yen)
    if not _keep(order, deduction, single_use=eligibility.single_use):
        raise EligibilityNotUsable(reason="used")
    return deduction


def _points(order: _Order, eligibility: Eligibility, net_yen: int) -> int:
    if eligibility.state != EligibilityState.GRANTED:
        raise EligibilityNotUsable(reason="not_granted")
    if eligibility.valid_until is None or eligibility.valid_until <= clock.now():
        raise EligibilityNotUsable(reason="over")
    points = licensing.discounts_of(order.offer).get(DiscountClass(eligibility.discount_class))
    waits = order.is_metered or (order.is_trial and not eligibility.single_use)
    if points is None or not (net_yen or waits):
        raise EligibilityNotUsable(reason="not_offered")
    return points


def _take_coupon(order: _Order, net_yen: int, code: str) -> Deduction:
    now = clock.now()
    if not (net_yen or order.is_metered):
        raise CouponNotUsable
    statement = (
        update(Coupon)
        .where(
            Coupon.code_sha256 == rules.code_sha256(code),
            Coupon.organization_id == order.offer.organization_id,
            # A code for an offer is good for whatever version came in its place.
            or_(Coupon.offer_id.is_(None), Coupon.offer_id.in_(licensing.line_of(order.offer))),
            Coupon.state == CouponState.OPEN.value,
            Coupon.valid_from <= now,
            Coupon.valid_until > now,
            Coupon.redemptions < Coupon.max_redemptions,
            *((Coupon.basis_points.is_not(None),) if order.is_metered else ()),
        )
        .values(redemptions=Coupon.redemptions + 1)
        .returning(Coupon.id, Coupon.basis_points, Coupon.amount_yen)
    )
    coupon = db.session.execute(statement, execution_options={"synchronize_session": False}).one_or_none()
    if coupon is None:
        raise CouponNotUsable
    amount_yen = rules.off(net_yen, basis_points=coupon.basis_points, amount_yen=coupon.amount_yen)
    deduction = Deduction(DeductionKind.COUPON, coupon.id, coupon.basis_points, amount_yen)
    _keep(order, deduction, single_use=False)
    return deduction


def _keep(order: _Order, deduction: Deduction, *, single_use: bool) -> bool:
    is_coupon = deduction.kind is DeductionKind.COUPON
    statement = insert(DiscountUse).values(
        id=new_id("dsu"),
        order_id=order.order_id,
        organization_id=order.buyer.organization_id,
        kind=deduction.kind.value,
        eligibility_id=None if is_coupon else deduction.source_id,
        coupon_id=deduction.source_id if is_coupon else None,
        single_use=single_use,
        basis_points=deduction.basis_points,
        amount_yen=deduction.amount_yen,
        taken_at=clock.now(),
    )
    free = statement.on_conflict_do_nothing(
        index_elements=["eligibility_id"], index_where=DiscountUse.single_use & DiscountUse.given_back_at.is_(None)
    )
    if db.session.scalar(free.returning(DiscountUse.id)) is None:
        return False
    audit.record(
        order.buyer,
        Verb.DISCOUNT_TAKEN,
        subject=order.order_id,
        counterparty=order.offer.organization_id,
        dataset=order.offer.dataset_id,
        amount_minor=deduction.amount_yen,
        facts={"source": deduction.source_id, "basis_points": deduction.basis_points},
    )
    return True
