"""Reading disputes."""

from sqlalchemy import ColumnElement, func, or_, select

from marketplace.billing.disputes.errors import DisputeNotFound
from marketplace.billing.disputes.models import Dispute
from marketplace.billing.disputes.states import DisputeState
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.pages import Page
from marketplace.kit.texts import is_storable


def get_dispute(actor: Actor, dispute_id: str) -> Dispute:
    """Return a dispute to its parties and to overseers; DisputeNotFound for everyone else."""
    dispute = db.session.get(Dispute, dispute_id) if is_storable(dispute_id) else None
    if dispute is None or not (
        actor.oversees or actor.organization_id in {dispute.organization_id, dispute.provider_organization_id}
    ):
        raise DisputeNotFound
    return dispute


def lock_by_gateway(gateway_dispute_id: str) -> Dispute | None:
    """Return the dispute that the gateway knows by that name and hold its row, if we know it."""
    query = select(Dispute).where(Dispute.gateway_dispute_id == gateway_dispute_id).with_for_update()
    return db.session.scalar(query, execution_options={"populate_existing": True})


def is_standing(invoice_id: str) -> bool:
    """Tell whether the buyer's bank holds money of an invoice at this moment."""
    query = select(Dispute.id).where(Dispute.invoice_id == invoice_id, Dispute.state == DisputeState.OPENED.value)
    return db.session.scalar(query.limit(1)) is not None


def lost_yen(invoice_id: str) -> int:
    """Return what of an invoice was lost in disputes."""
    return _lost(Dispute.invoice_id == invoice_id)


def lost_of_payment_yen(payment_id: str) -> int:
    """Return what of one payment was lost in disputes."""
    return _lost(Dispute.payment_id == payment_id)


def list_disputes(
    actor: Actor, cursor: str | None = None, size: int = pages.SIZE_DEFAULT, *, state: DisputeState | None = None
) -> Page[Dispute]:
    """List disputes, newest first: a party's own, all for overseers."""
    query = select(Dispute).order_by(Dispute.id.desc()).limit(size + 1)
    if not actor.oversees:
        me = actor.organization_id
        query = query.where(or_(Dispute.organization_id == me, Dispute.provider_organization_id == me))
    if state is not None:
        query = query.where(Dispute.state == state.value)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Dispute.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda dispute: [dispute.id])


def _lost(which: ColumnElement[bool]) -> int:
    query = select(func.coalesce(func.sum(Dispute.lost_yen), 0)).where(which)
    return int(db.session.execute(query).scalar_one())
