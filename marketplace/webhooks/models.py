"""Tables of webhooks: endpoints, what happened, and the messages that are owed or were delivered."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class WebhookEndpoint(Model):
    """Where an organization wants to be told of what.

    ``dataset_ids`` and ``publisher_ids`` None mean all. The secret before the last rotation signs as well until
    ``previous_until``. ``failures`` are those in a row.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'disabled')", name="state"),
        CheckConstraint("url LIKE 'https://%'", name="url"),
        CheckConstraint("jsonb_typeof(events) = 'array' AND events <> '[]'", name="events"),
        CheckConstraint("(previous_sealed IS NULL) = (previous_until IS NULL)", name="previous"),
        CheckConstraint("failures >= 0", name="failures"),
        CheckConstraint("version >= 1", name="version"),
        Index("ix_webhook_endpoint_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    url: Mapped[str]
    description: Mapped[str]
    events: Mapped[list[str]]
    dataset_ids: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    publisher_ids: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    state: Mapped[str]
    secret_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    previous_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer)
    disabled_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]


class WebhookEvent(Model):
    """Something that happened, as it is told: ``body`` are the very bytes that are signed.

    ``audience`` names the circle that alone may know of it, None where everybody may, or one organization is told.
    """

    __tablename__ = "webhook_event"
    __table_args__ = (
        Index("ix_webhook_event_created_at", "created_at"),
        Index("ix_webhook_event_audience", "audience", postgresql_where=text("audience IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]
    audience: Mapped[str | None]


class WebhookMessage(Model):
    """An event that is owed to an endpoint, and how far that is; it comes again at ``due_at`` until it is taken."""

    __tablename__ = "webhook_message"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
        CheckConstraint("attempts >= 0", name="attempts"),
        CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_at"),
        UniqueConstraint("endpoint_id", "event_id"),
        Index("ix_webhook_message_event_id", "event_id"),
        Index("ix_webhook_message_due_at", "due_at", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoint.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(ForeignKey("webhook_event.id", ondelete="CASCADE"))
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_trouble: Mapped[str | None]
