"""The table of refunds."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Refund(Model):
    """Part or all of one invoice given back, in yen with tax; its key is stored before the gateway is first asked.

    ``sale_ref`` is the order or invoice under which the sale was booked, ``payment_id`` the payment whose
    money goes back through the gateway. ``request`` names what caused it, which may take several refunds,
    one for each way that the money came; ``number`` counts them. Money that paid nothing is of no invoice:
    ``sale_ref`` is then what it was meant to pay.
    """

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint("amount_yen > 0", name="amount"),
        CheckConstraint("way IN ('gateway', 'bank', 'credit', 'outside')", name="way"),
        CheckConstraint(
            "reason IN ('requested', 'cancellation', 'service_level', 'gateway', 'adjustment', 'unapplied')",
            name="reason",
        ),
        CheckConstraint("(reason = 'unapplied') = (invoice_id IS NULL)", name="invoice"),
        CheckConstraint("state IN ('created', 'sent', 'succeeded', 'failed')", name="state"),
        CheckConstraint("(way = 'gateway') = (payment_id IS NOT NULL)", name="payment"),
        CheckConstraint("gateway_refund_id IS NULL OR way = 'gateway'", name="gateway_refund"),
        CheckConstraint("state NOT IN ('succeeded', 'failed') OR settled_at IS NOT NULL", name="settled"),
        CheckConstraint("number >= 0", name="number"),
        Index("uq_refund_request_number", "request", "number", unique=True),
        Index("ix_refund_invoice_id", "invoice_id"),
        Index("ix_refund_id_under_way", "id", postgresql_where=text("state IN ('created', 'sent')")),
        Index("ix_refund_payment_id", "payment_id"),
        Index("ix_refund_organization_id_id", "organization_id", "id"),
        Index("ix_refund_provider_organization_id_id", "provider_organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    number: Mapped[int] = mapped_column(Integer)
    sale_ref: Mapped[str]
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"))
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payment.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    provider_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    way: Mapped[str]
    reason: Mapped[str]
    note: Mapped[str]
    ends_access: Mapped[bool]
    state: Mapped[str]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    gateway_refund_id: Mapped[str | None] = mapped_column(unique=True)
    failure: Mapped[str | None]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
