"""Tables: Stripe's objects as documents, its events, the webhook outbox, idempotency keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model

KINDS = (
    "checkout.session",
    "payment_intent",
    "charge",
    "balance_transaction",
    "customer",
    "customer_cash_balance_transaction",
    "refund",
    "dispute",
    "transfer",
    "transfer_reversal",
    "payout",
)
WAITING = "status IN ('open', 'requires_action', 'in_transit')"


class SandboxObject(Model):
    """One Stripe object; ``document`` is what the API answers, ``details`` what it does not show.

    ``parent_id`` is what it hangs on: the session of a payment intent, the payment intent of a charge, the
    charge of a refund, the source of a balance transaction. ``expires_at``: when its time is over, if it has one.
    """

    __tablename__ = "sandbox_object"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
        Index("ix_sandbox_object_kind_sequence", "kind", "sequence"),
        Index("ix_sandbox_object_expires_at", "expires_at", postgresql_where=text(WAITING)),
        Index("ix_sandbox_object_parent_id", "parent_id"),
        Index("uq_sandbox_object_intent", "parent_id", unique=True, postgresql_where=text("kind = 'payment_intent'")),
        Index(
            "uq_sandbox_object_payment",
            "parent_id",
            unique=True,
            postgresql_where=text("kind = 'charge' AND status = 'succeeded'"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    kind: Mapped[str]
    status: Mapped[str]
    parent_id: Mapped[str | None]
    document: Mapped[dict[str, Any]]
    details: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class SandboxEvent(Model):
    """One event, with the snapshot of its object."""

    __tablename__ = "sandbox_event"
    __table_args__ = (Index("ix_sandbox_event_sequence", "sequence", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    type: Mapped[str]
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class SandboxDelivery(Model):
    """The outbox: one event that is owed to the webhook endpoint."""

    __tablename__ = "sandbox_delivery"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
        CheckConstraint("attempts >= 0", name="attempts"),
        Index("ix_sandbox_delivery_due_at", "due_at", postgresql_where=text("state = 'pending'")),
        Index("ix_sandbox_delivery_event_id", "event_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("sandbox_event.id"))
    state: Mapped[str]
    attempts: Mapped[int]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]


class SandboxIdempotency(Model):
    """A key, the request it came with, and the answer that request got."""

    __tablename__ = "sandbox_idempotency"

    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    request_id: Mapped[str]
    status: Mapped[int]
    body: Mapped[str]
    created_at: Mapped[datetime]
