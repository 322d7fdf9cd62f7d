"""Reading payouts, and what providers may draw."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, Select, Text, any_, case, func, literal, or_, select
from sqlalchemy.orm import aliased

from marketplace.billing.earning_models import Earning
from marketplace.billing.models import Invoice
from marketplace.billing.payouts.errors import PayoutAccountMissing, PayoutFileNotFound, PayoutNotFound
from marketplace.billing.payouts.models import Payout, PayoutAccount, PayoutApproval, PayoutFile, PayoutItem
from marketplace.billing.payouts.rules import FILE_AMOUNT_MAX
from marketplace.billing.payouts.states import PayoutState, PayoutWay
from marketplace.billing.states import Via
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.pages import Page
from marketplace.kit.texts import is_storable

_FRESH = {"populate_existing": True}
_OFFSET = case((Earning.via == Via.OUTSIDE.value, Earning.commission_yen + Earning.commission_tax_yen), else_=0)
_RELEASED = Earning.released_on.is_not(None)
_UNSETTLED = ~select(PayoutItem.earning_id).where(PayoutItem.earning_id == Earning.id, ~PayoutItem.freed).exists()
_UNPAID = (_RELEASED, _UNSETTLED)


@dataclass(frozen=True, slots=True)
class Payable:
    """What one provider may draw, in yen; below zero it owes (refunds of what was paid out, commission).

    ``amount_yen`` is ``available_yen`` less ``offset_yen``, the commission of sales paid outside.
    ``pending_yen`` waits for the end of its hold period, or for the buyer's money.
    """

    organization_id: str
    available_yen: int
    offset_yen: int
    pending_yen: int
    earnings: int

    @property
    def amount_yen(self) -> int:
        """What the next payout would carry."""
        return self.available_yen - self.offset_yen


def get_payout(actor: Actor, payout_id: str) -> Payout:
    """Return a payout to the provider it goes to and to overseers; PayoutNotFound for everyone else."""
    payout = db.session.get(Payout, payout_id) if is_storable(payout_id) else None
    if payout is None or not (actor.oversees or actor.organization_id == payout.organization_id):
        raise PayoutNotFound
    return payout


def find_payout(payout_id: str) -> Payout | None:
    """Return a payout whoever asks, if it is there."""
    return db.session.get(Payout, payout_id, populate_existing=True) if is_storable(payout_id) else None


def require_payout(payout_id: str) -> Payout:
    """Return a payout whoever asks; raises PayoutNotFound."""
    payout = find_payout(payout_id)
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


def payables(actor: Actor) -> list[Payable]:
    """Return the payable report: providers with something to draw, owed or pending; one's own unless one oversees."""
    available = func.coalesce(func.sum(Earning.payable_yen).filter(_RELEASED), 0)
    offset = func.coalesce(func.sum(_OFFSET).filter(_RELEASED), 0)
    pending = func.coalesce(func.sum(Earning.payable_yen).filter(~_RELEASED), 0)
    count = func.count().filter(_RELEASED)
    query = (
        select(Earning.organization_id, available, offset, pending, count)
        .where(_UNSETTLED)  # nothing is settled before it is released
        .group_by(Earning.organization_id)
        .having(or_(available != 0, offset != 0, pending != 0))
        .order_by(Earning.organization_id)
    )
    if not actor.oversees:
        query = query.where(Earning.organization_id == actor.organization_id)
    return [Payable(row[0], *map(int, row[1:])) for row in db.session.execute(query)]


def lock_drawable() -> Sequence[str]:
    """Put the payouts of all providers in line that have an account, and earnings that no live payout settles.

    Returns these providers. Their rows are locked by one statement, in order, so that two callers never wait for
    each other.
    """
    unpaid = select(Earning.organization_id).where(*_UNPAID)
    query = select(PayoutAccount.organization_id).where(PayoutAccount.organization_id.in_(unpaid))
    return db.session.scalars(query.order_by(PayoutAccount.organization_id).with_for_update()).all()


def unpaid_of(organization_id: str) -> Sequence[Earning]:
    """Return what of a provider is released and in no live payout, oldest first."""
    query: Select[Earning] = select(Earning).where(Earning.organization_id == organization_id, *_UNPAID)
    return db.session.scalars(query.order_by(Earning.id)).all()


def unshown_of(payout_id: str) -> Sequence[Earning]:
    """Return what a payout settles that no papers have shown yet: one that came back had its papers already."""
    other = aliased(PayoutItem)
    shown = select(other.earning_id).where(other.earning_id == Earning.id, other.shown)
    query = select(Earning).join(PayoutItem, PayoutItem.earning_id == Earning.id)
    return db.session.scalars(
        query.where(PayoutItem.payout_id == payout_id, ~shown.exists()).order_by(Earning.id)
    ).all()


def rates_of(refs: Iterable[str]) -> dict[str, int]:
    """Return the tax rate on the invoice of each sale, in basis points; ``refs`` are orders and invoices."""
    # One array: a list of parameters ends at 65,535 of them.
    wanted = literal(list(set(refs)), ARRAY(Text))
    query = select(Invoice.order_id, Invoice.id, Invoice.rate_totals).where(
        or_(Invoice.order_id == any_(wanted), Invoice.id == any_(wanted))
    )
    rates: dict[str, int] = {}
    for order_id, invoice_id, totals in db.session.execute(query):
        rate = max((int(total["rate_basis_points"]) for total in totals), default=0)
        rates |= {invoice_id: rate, order_id or invoice_id: rate}
    return rates


def approvers_of(payout_id: str) -> Sequence[str]:
    """Return who stands behind a payout, first ones first."""
    query = select(PayoutApproval.approver).where(PayoutApproval.payout_id == payout_id)
    return db.session.scalars(query.order_by(PayoutApproval.approved_at, PayoutApproval.approver)).all()


def lock_for_file() -> Sequence[Payout]:
    """Return the approved payouts that a file of bank transfers can carry, oldest first, and hold their rows."""
    query = select(Payout).where(
        Payout.state == PayoutState.APPROVED.value,
        Payout.way == PayoutWay.BANK.value,
        Payout.amount_yen <= FILE_AMOUNT_MAX,
    )
    return db.session.scalars(query.order_by(Payout.id).with_for_update(), execution_options=_FRESH).all()


def get_file(file_id: str) -> PayoutFile:
    """Return a file of bank transfers; raises PayoutFileNotFound."""
    file = db.session.get(PayoutFile, file_id) if is_storable(file_id) else None
    if file is None:
        raise PayoutFileNotFound
    return file


def list_of_file(file_id: str) -> Sequence[Payout]:
    """Return the payouts that one file told the bank of, in its order, whatever became of them."""
    return db.session.scalars(select(Payout).where(Payout.file_id == file_id).order_by(Payout.id)).all()


def unsent_by_gateway() -> Sequence[str]:
    """Return the payouts that wait for the gateway to transfer them, or to tell whether it has."""
    states = (PayoutState.APPROVED.value, PayoutState.SENT.value)
    query = select(Payout.id).where(Payout.way == PayoutWay.CONNECT.value, Payout.state.in_(states))
    return db.session.scalars(query.order_by(Payout.id)).all()


def find_by_transfer(gateway_transfer_id: str) -> Payout | None:
    """Return the payout that the gateway knows as that transfer."""
    return db.session.scalar(select(Payout).where(Payout.gateway_transfer_id == gateway_transfer_id))
