"""The table of disputes."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Dispute(Model):
    """One payment that a buyer contests at its bank, in yen with tax.

    ``sale_ref`` is the order or invoice under which the sale was booked; it has none, and no invoice, where
    the payment paid nothing and its money is the payer's own. ``lost_yen`` is what the loss took of the sale,
    ``absorbed_yen`` what the exchange bears, since it had gone back already.
    """

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("amount_yen > 0", name="amount"),
        CheckConstraint("lost_yen >= 0 AND absorbed_yen >= 0", name="losses"),
        CheckConstraint("state = 'lost' OR lost_yen + absorbed_yen = 0", name="lost"),
        CheckConstraint("state IN ('warning', 'opened', 'won', 'lost')", name="state"),
        CheckConstraint("num_nulls(sale_ref, invoice_id, provider_organization_id) IN (0, 3)", name="sale"),
        CheckConstraint("(closed_at IS NOT NULL) = (state IN ('won', 'lost'))", name="closed"),
        Index("ix_dispute_invoice_id", "invoice_id"),
        Index("ix_dispute_payment_id", "payment_id"),
        Index("ix_dispute_organization_id_id", "organization_id", "id"),
        Index("ix_dispute_provider_organization_id_id", "provider_organization_id", "id"),
        Index("uq_dispute_gateway_dispute_id", "gateway_dispute_id", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    gateway_dispute_id: Mapped[str]
    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"))
    sale_ref: Mapped[str | None]
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    provider_organization_id: Mapped[str | None] = mapped_column(ForeignKey("organization.id"))
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    lost_yen: Mapped[int] = mapped_column(BigInteger)
    absorbed_yen: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    state: Mapped[str]
    evidence_due_at: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
