"""Reading refunds."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select

from marketplace.billing.disputes import queries as disputes
from marketplace.billing.models import Invoice
from marketplace.billing.refunds.errors import RefundNotFound
from marketplace.billing.refunds.models import Refund
from marketplace.billing.refunds.states import RefundState, RefundWay
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.pages import Page
from marketplace.kit.texts import is_storable

_FRESH = {"populate_existing": True}


def get_refund(actor: Actor, refund_id: str) -> Refund:
    """Return a refund to its parties and to overseers; RefundNotFound for everyone else."""
    refund = db.session.get(Refund, refund_id) if is_storable(refund_id) else None
    if refund is None or not (
        actor.oversees or actor.organization_id in {refund.organization_id, refund.provider_organization_id}
    ):
        raise RefundNotFound
    return refund


def require_refund(refund_id: str) -> Refund:
    """Return a refund whoever asks, for the stories of the exchange; raises RefundNotFound."""
    refund = db.session.get(Refund, refund_id, populate_existing=True)
    if refund is None:
        raise RefundNotFound
    return refund


def lock_refund(refund_id: str) -> Refund:
    """Return a refund and hold its row; raises RefundNotFound."""
    query = select(Refund).where(Refund.id == refund_id).with_for_update()
    refund = db.session.scalar(query, execution_options=_FRESH)
    if refund is None:
        raise RefundNotFound
    return refund


def find_refund(refund_id: str | None) -> Refund | None:
    """Return the refund of that name, if there is one."""
    return db.session.get(Refund, refund_id) if refund_id is not None and is_storable(refund_id) else None


def find_by_gateway(gateway_refund_id: str) -> Refund | None:
    """Return the refund that the gateway knows by that name, if we do."""
    return db.session.scalar(select(Refund).where(Refund.gateway_refund_id == gateway_refund_id))


def list_of_request(request: str) -> Sequence[Refund]:
    """Return the refunds that one request caused, in the order in which they were made."""
    return db.session.scalars(select(Refund).where(Refund.request == request).order_by(Refund.number)).all()


def ids_under(request: str) -> list[str]:
    """Return the refunds that a request of several parts caused, whose parts are named by it, a colon and more."""
    query = select(Refund.id).where(Refund.request.startswith(f"{request}:", autoescape=True))
    return list(db.session.scalars(query.order_by(Refund.id)))


def sum_yen(refund_ids: Sequence[str]) -> int:
    """Return the sum of some refunds."""
    query = select(func.coalesce(func.sum(Refund.amount_yen), 0)).where(Refund.id.in_(refund_ids))
    return int(db.session.execute(query).scalar_one())


def list_of_invoice(invoice_id: str) -> Sequence[Refund]:
    """Return every refund of an invoice, oldest first."""
    return db.session.scalars(select(Refund).where(Refund.invoice_id == invoice_id).order_by(Refund.id)).all()


def given_back_yen(invoice_id: str) -> int:
    """Return what of an invoice has gone back or is on its way; what failed has not."""
    query = select(func.coalesce(func.sum(Refund.amount_yen), 0)).where(
        Refund.invoice_id == invoice_id, Refund.state != RefundState.FAILED.value
    )
    return int(db.session.execute(query).scalar_one())


def given_back_of_payment_yen(payment_id: str) -> int:
    """Return what of one payment has gone back or is on its way."""
    query = select(func.coalesce(func.sum(Refund.amount_yen), 0)).where(
        Refund.payment_id == payment_id, Refund.state != RefundState.FAILED.value
    )
    return int(db.session.execute(query).scalar_one())


def has_bounced(payment_id: str) -> bool:
    """Tell whether a refund of the payment was sent and came back, so that its card takes none any more."""
    came_back = (Refund.state == RefundState.FAILED.value, Refund.gateway_refund_id.is_not(None))
    query = select(Refund.id).where(Refund.payment_id == payment_id, *came_back)
    return db.session.scalar(query.limit(1)) is not None


def left_yen(invoice: Invoice) -> int:
    """Return what of an invoice can still be given back, taken off or lost, in yen with tax."""
    return invoice.amount_gross_yen - given_back_yen(invoice.id) - disputes.lost_yen(invoice.id)


def unsent_ids() -> Sequence[str]:
    """Return the refunds through the gateway of whose end nothing is known, oldest first."""
    under_way = (RefundState.CREATED.value, RefundState.SENT.value)
    query = select(Refund.id).where(Refund.way == RefundWay.GATEWAY.value, Refund.state.in_(under_way))
    return db.session.scalars(query.order_by(Refund.id)).all()


def is_under_way(names: Sequence[str]) -> bool:
    """Tell whether one of these names, ours or the gateway's, is of a refund of whose end nothing is known yet."""
    under_way = Refund.state.in_((RefundState.CREATED.value, RefundState.SENT.value))
    query = select(Refund.id).where(under_way, or_(Refund.id.in_(names), Refund.gateway_refund_id.in_(names)))
    return db.session.scalar(query.limit(1)) is not None


def list_refunds(
    actor: Actor, cursor: str | None = None, size: int = pages.SIZE_DEFAULT, invoice_id: str | None = None
) -> Page[Refund]:
    """List refunds, newest first: a party's own, all for overseers."""
    query = select(Refund).order_by(Refund.id.desc()).limit(size + 1)
    if not actor.oversees:
        me = actor.organization_id
        query = query.where(or_(Refund.organization_id == me, Refund.provider_organization_id == me))
    if invoice_id is not None:
        query = query.where(Refund.invoice_id == invoice_id)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Refund.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda refund: [refund.id])
