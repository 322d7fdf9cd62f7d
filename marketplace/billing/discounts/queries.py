"""Reading eligibilities, coupons, and what orders took."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, select

from marketplace.billing.discounts.models import Coupon, DiscountUse, Eligibility
from marketplace.billing.discounts.states import EligibilityState
from marketplace.identity.actors import Actor
from marketplace.kit import clock, pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page

Row = TypeVar("Row", Eligibility, Coupon)


def get_eligibility(actor: Actor, eligibility_id: str) -> Eligibility:
    """Return an eligibility to the organization that applied and to overseers; NotFound for everyone else."""
    return _visible(actor, find_eligibility(eligibility_id))


def find_eligibility(eligibility_id: str) -> Eligibility | None:
    """Return an eligibility whoever's it is, or None."""
    return db.session.get(Eligibility, eligibility_id, populate_existing=True) if is_id(eligibility_id) else None


def list_eligibilities(
    actor: Actor, *, state: str | None = None, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[Eligibility]:
    """Return the caller's eligibilities, newest first; all of them for overseers."""
    statement = select(Eligibility).order_by(Eligibility.id.desc())
    if state is not None:
        statement = statement.where(Eligibility.state == state)
    return _page(actor, statement, Eligibility, cursor, size)


def find_standing(organization_id: str, eligibility_id: str) -> Eligibility | None:
    """Return what an organization may use again and again for the class of one of its eligibilities, or None.

    Of several it is the one that stands longest.
    """
    used = find_eligibility(eligibility_id)
    standing = (
        Eligibility.organization_id == organization_id,
        Eligibility.discount_class == (used.discount_class if used else ""),
        Eligibility.state == EligibilityState.GRANTED.value,
        Eligibility.valid_until > clock.now(),
        Eligibility.single_use.is_(False),
    )
    return db.session.scalar(select(Eligibility).where(*standing).order_by(Eligibility.valid_until.desc()).limit(1))


def get_coupon(actor: Actor, coupon_id: str) -> Coupon:
    """Return a coupon to its provider and to overseers; NotFound for everyone else."""
    return _visible(actor, db.session.get(Coupon, coupon_id, populate_existing=True) if is_id(coupon_id) else None)


def list_coupons(actor: Actor, *, cursor: str | None = None, size: int = pages.SIZE_DEFAULT) -> Page[Coupon]:
    """Return the caller's coupons, newest first; all of them for overseers."""
    return _page(actor, select(Coupon).order_by(Coupon.id.desc()), Coupon, cursor, size)


def list_uses(order_id: str) -> Sequence[DiscountUse]:
    """Return what an order took, also what it gave back."""
    statement = select(DiscountUse).where(DiscountUse.order_id == order_id).order_by(DiscountUse.id)
    return db.session.scalars(statement).all()


def _visible(actor: Actor, row: Row | None) -> Row:
    if row is None or not (actor.oversees or row.organization_id == actor.organization_id):
        raise NotFound
    return row


def _page(actor: Actor, statement: Select[Any], table: type[Row], cursor: str | None, size: int) -> Page[Row]:
    if not actor.oversees:
        statement = statement.where(table.organization_id == actor.organization_id)
    after = pages.decode_cursor(cursor, 1)
    if after:
        statement = statement.where(table.id < (str(after[0]) if is_id(str(after[0])) else ""))
    return pages.cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda row: [row.id])
