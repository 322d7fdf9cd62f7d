"""Organizations as payers at the gateway: each is made there once, for the virtual account that its transfers need."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from marketplace.billing.gateway_models import GatewayCustomer
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

KEY_LASTS = timedelta(hours=23)
"""The gateway knows a key for at least 24 hours; beyond, the same key would be a new question."""


def reserve(organization_id: str) -> GatewayCustomer:
    """Return the organization's payer, with the key to make it with where it has no id yet.

    A key that the gateway may have forgotten is replaced: a payer made twice holds no money twice.
    """
    now = clock.now()
    first = {"organization_id": organization_id, "idempotency_key": new_id("cus"), "asked_at": now}
    db.session.execute(postgresql.insert(GatewayCustomer).values(first).on_conflict_do_nothing())
    query = select(GatewayCustomer).where(GatewayCustomer.organization_id == organization_id).with_for_update()
    customer = db.session.scalars(query, execution_options={"populate_existing": True}).one()
    if customer.customer_id is None and customer.asked_at < now - KEY_LASTS:
        customer.idempotency_key, customer.asked_at = new_id("cus"), now
        db.session.flush()
    return customer


def renew_key(organization_id: str, spent: str) -> str:
    """Return another key than the one under which the gateway only fails; parallel callers get the same."""
    query = select(GatewayCustomer).where(GatewayCustomer.organization_id == organization_id).with_for_update()
    customer = db.session.scalars(query, execution_options={"populate_existing": True}).one()
    if customer.idempotency_key == spent:
        customer.idempotency_key, customer.asked_at = new_id("cus"), clock.now()
        db.session.flush()
    return customer.idempotency_key


def note(organization_id: str, customer_id: str) -> str:
    """Note what the gateway calls the organization, and return it; the first name noted stays."""
    query = select(GatewayCustomer).where(GatewayCustomer.organization_id == organization_id).with_for_update()
    customer = db.session.scalars(query, execution_options={"populate_existing": True}).one()
    customer.customer_id = customer.customer_id or customer_id
    db.session.flush()
    return customer.customer_id
