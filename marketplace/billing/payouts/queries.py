"""Reading payouts, and what providers may draw."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select

from marketplace.billing.earning_models import Earning
from marketplace.billing.payouts.errors import PayoutAccountMissing, PayoutNotFound
from marketplace.billing.payouts.models import Payout, PayoutAccount, PayoutApproval, PayoutItem
from marketplace.billing.payouts.states import PayoutState, PayoutWay
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.pages import Page
from marketplace.kit.texts import is_storable

_FRESH = {"populate_existing": True}
_UNPAID = (
    Earning.released_on.is_not(None),
    ~select(PayoutItem.earning_id).where(PayoutItem.earning_id == Earning.id, ~PayoutItem.freed).exists(),
)


@dataclass(frozen=True, slots=True)
class Payable:
    """What one provider may draw, in yen; below zero it owes (refunds of what was paid out already)."""

    organization_id: str
    amount_yen: int
    earnings: int


def get_payout(actor: Actor, payout_id: str) -> Payout:
    """Return a payout to the provider it goes to and to overseers; PayoutNotFound for everyone else."""
    payout = db.session.get(Payout, payout_id) if is_storable(payout_id) else None
    if payout is None or not (actor.oversees or actor.organization_id == payout.organization_id):
        raise PayoutNotFound
    return payout


def require_payout(payout_id: str) -> Payout:
    """Return a payout whoever asks; raises PayoutNotFound."""
    payout = db.session.get(Payout, payout_id, populate_existing=True)
    if payout is None:
        raise PayoutNotFound
    return payout


def lock_payout(payout_id: str) -> Payout:
    """Return a payout and hold its row; raises PayoutNotFound."""
    query = select(Payout).where(Payout.id == payout_id).with_for_update()
    payout = db.session.scalar(query, execution_options=_FRESH)
    if payout is None:
        raise PayoutNotFound
    return payout


def list_payouts(
    actor: Actor, cursor: str | None = None, size: int = pages.SIZE_DEFAULT, state: PayoutState | None = None
) -> Page[Payout]:
    """List payouts, newest first: a provider's own, all for overseers."""
    query = select(Payout).order_by(Payout.id.desc()).limit(size + 1)
    if not actor.oversees:
        query = query.where(Payout.organization_id == actor.organization_id)
    if state is not None:
        query = query.where(Payout.state == state.value)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Payout.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda payout: [payout.id])


def find_account(organization_id: str) -> PayoutAccount | None:
    """Return where an organization's money goes, if it has said so."""
    return db.session.get(PayoutAccount, organization_id, populate_existing=True)


def get_account(organization_id: str) -> PayoutAccount:
    """Return where an organization's money goes; raises PayoutAccountMissing."""
    account = find_account(organization_id)
    if account is None:
        raise PayoutAccountMissing
    return account


def lock_account(organization_id: str) -> PayoutAccount | None:
    """Return a provider's account and put its payouts in line, until the transaction ends."""
    query = select(PayoutAccount).where(PayoutAccount.organization_id == organization_id).with_for_update()
    return db.session.scalar(query, execution_options=_FRESH)


def payables() -> list[Payable]:
    """Return the payable report: every provider with something to draw, or something owed."""
    amount = func.sum(Earning.payable_yen)
    query = (
        select(Earning.organization_id, amount, func.count())
        .where(*_UNPAID)
        .group_by(Earning.organization_id)
        .having(amount != 0)
        .order_by(Earning.organization_id)
    )
    return [Payable(row[0], int(row[1]), row[2]) for row in db.session.execute(query)]


def unpaid_of(organization_id: str) -> Sequence[Earning]:
    """Return what of a provider is released and in no live payout, oldest first."""
    query: Select[Earning] = select(Earning).where(Earning.organization_id == organization_id, *_UNPAID)
    return db.session.scalars(query.order_by(Earning.id)).all()


def earnings_of(payout_id: str) -> Sequence[Earning]:
    """Return what a payout pays, oldest first."""
    query = select(Earning).join(PayoutItem, PayoutItem.earning_id == Earning.id)
    return db.session.scalars(query.where(PayoutItem.payout_id == payout_id).order_by(Earning.id)).all()


def undocumented_of(payout_id: str) -> Sequence[Earning]:
    """Return what a payout pays that no payout before it has shown on its papers: one that came back had them."""
    shown = (
        select(PayoutItem.earning_id)
        .join(Payout, Payout.id == PayoutItem.payout_id)
        .where(PayoutItem.earning_id == Earning.id, PayoutItem.payout_id != payout_id, Payout.paid_on.is_not(None))
    )
    query = select(Earning).join(PayoutItem, PayoutItem.earning_id == Earning.id)
    return db.session.scalars(
        query.where(PayoutItem.payout_id == payout_id, ~shown.exists()).order_by(Earning.id)
    ).all()


def approvers_of(payout_id: str) -> Sequence[str]:
    """Return who stands behind a payout, first ones first."""
    query = select(PayoutApproval.approver).where(PayoutApproval.payout_id == payout_id)
    return db.session.scalars(query.order_by(PayoutApproval.approved_at, PayoutApproval.approver)).all()


def list_in_state(state: PayoutState, way: PayoutWay) -> Sequence[Payout]:
    """Return all payouts of one way in one state, oldest first."""
    query = select(Payout).where(Payout.state == state.value, Payout.way == way.value)
    return db.session.scalars(query.order_by(Payout.id)).all()


def find_by_transfer(gateway_transfer_id: str) -> Payout | None:
    """Return the payout that the gateway knows as that transfer."""
    return db.session.scalar(select(Payout).where(Payout.gateway_transfer_id == gateway_transfer_id))
