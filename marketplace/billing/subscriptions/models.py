"""Tables of subscriptions: what is subscribed to, and its terms, each of which is billed once."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Subscription(Model):
    """One organization's subscription to one offer, whose price is pinned by the offer's version.

    ``starts_on`` is the anchor from which all terms are counted; ``term_number`` to ``term_to`` are the latest
    term that is paid. Days are Japanese, both ends included. Whoever cancelled stands in ``cancelled_by``.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'past_due', 'ended')", name="state"),
        CheckConstraint("term_number >= 1 AND starts_on <= term_from AND term_from <= term_to", name="term"),
        CheckConstraint("num_nulls(cancelled_at, cancelled_by) IN (0, 2)", name="cancelled"),
        CheckConstraint("num_nonnulls(ended_at, end_cause) = CASE state WHEN 'ended' THEN 2 ELSE 0 END", name="ended"),
        CheckConstraint("end_cause IN ('cancelled', 'unpaid', 'licence_ended', 'grant_revoked')", name="end_cause"),
        Index("ix_subscription_organization_id_id", "organization_id", "id"),
        Index("ix_subscription_provider_organization_id_id", "provider_organization_id", "id"),
        Index("ix_subscription_term_to_running", "term_to", postgresql_where=text("state <> 'ended'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    client_id: Mapped[str | None]
    provider_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    acceptance_id: Mapped[str] = mapped_column(ForeignKey("acceptance.id"))
    terms_sha256: Mapped[str]
    state: Mapped[str]
    starts_on: Mapped[date] = mapped_column(Date)
    term_number: Mapped[int] = mapped_column(Integer)
    term_from: Mapped[date] = mapped_column(Date)
    term_to: Mapped[date] = mapped_column(Date)
    created_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    end_cause: Mapped[str | None]


class SubscriptionTerm(Model):
    """One term with the order that bills it; its key lets a term be billed once.

    ``order_id`` is replaced only while the term is unpaid, where an order has lapsed. ``paid_at`` is when the
    order was fulfilled, ``opened_at`` when the quota of the term was opened.
    """

    __tablename__ = "subscription_term"
    __table_args__ = (
        CheckConstraint("number >= 1 AND term_from <= term_to", name="term"),
        CheckConstraint("opened_at IS NULL OR paid_at IS NOT NULL", name="opened"),
        Index(
            "ix_subscription_term_term_from_paid",
            "term_from",
            postgresql_where=text("paid_at IS NOT NULL AND opened_at IS NULL"),
        ),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    term_from: Mapped[date] = mapped_column(Date)
    term_to: Mapped[date] = mapped_column(Date)
    order_id: Mapped[str] = mapped_column(ForeignKey("purchase_order.id"), unique=True)
    placed_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]
