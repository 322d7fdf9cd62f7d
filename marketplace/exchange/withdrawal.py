"""Withdrawal: what becomes of access when the money for it goes back, and when it comes again."""

from collections.abc import Iterable

from marketplace.access import queries as grants
from marketplace.access import service as access
from marketplace.billing import orders
from marketplace.billing import queries as billing
from marketplace.billing.models import Invoice, Order
from marketplace.billing.subscriptions import queries as subscriptions
from marketplace.billing.subscriptions import service as subscribing
from marketplace.billing.subscriptions.states import EndCause
from marketplace.exchange import halting
from marketplace.identity.actors import Actor


def end_access(actor: Actor, invoice: Invoice, reason: str, ref: str, cause: EndCause = EndCause.GRANT_REVOKED) -> bool:
    """Revoke the grant that an order gave or carried on, and end its subscription; usage invoices end nothing.

    ``ref`` names what did it, which alone can undo it. True where there was a grant.
    """
    if invoice.order_id is None:
        return False
    return end_access_of_order(actor, invoice.order_id, reason, ref, cause)


def end_access_of_order(actor: Actor, order_id: str, reason: str, ref: str, cause: EndCause) -> bool:
    """Do what ``end_access`` does for an order that may never have been billed."""
    order = billing.require_order(order_id)
    first = order.id
    if order.subscription_id is not None:
        first = subscriptions.first_order_id(order.subscription_id)
        _end_subscription(actor, order.subscription_id, cause)
    grant = grants.find_grant_of_order(first)
    if grant is None:
        return False
    access.revoke_for(actor, grant.id, reason, ref)
    return True


def lock_orders(order: Order) -> None:
    """Hold what ending an order's access changes before its grant: the unpaid orders of its subscription, then that."""
    if order.subscription_id is None:
        return
    for term in subscriptions.list_terms(order.subscription_id):
        if term.paid_at is None:
            billing.lock_order(term.order_id)
    subscribing.lock(order.subscription_id)


def _end_subscription(actor: Actor, subscription_id: str, cause: EndCause) -> None:
    # Orders before the subscription, as whoever fulfils one: what is not paid yet need not be paid any more.
    for term in subscriptions.list_terms(subscription_id):
        if term.paid_at is None:
            orders.mark_expired(actor, term.order_id)
    subscribing.end(subscription_id, cause)


def restore_access(actor: Actor, refs: Iterable[str]) -> None:
    """Give back the grants that any of these revoked, since the money stayed after all.

    A subscription stays ended: what is paid is used to the end of its term.
    """
    for ref in refs:
        grant = grants.find_grant_revoked_for(ref)
        if grant is not None and access.reinstate(actor, grant.id, ref):
            halting.heed(grant.id)


def provider_of(invoice: Invoice) -> str:
    """Return who sold what an invoice bills; the exchange itself may be its issuer."""
    if invoice.order_id is None:
        return invoice.issuer_organization_id
    return billing.require_order(invoice.order_id).provider_organization_id
