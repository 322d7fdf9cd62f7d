"""The tables of reputation: what buyers say, and what was told of providers month by month."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Rating(Model):
    """What an organization says of a dataset that it bought, and what its provider replies.

    Who has withdrawn it may give it again; what the operator hid stays hidden until the operator shows it.
    """

    __tablename__ = "rating"
    __table_args__ = (
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),
        CheckConstraint("num_nulls(hidden_at, hidden_reason) IN (0, 2)", name="hidden"),
        CheckConstraint("(replied_at IS NULL) = (reply_ja = '' AND reply_en = '')", name="reply"),
        CheckConstraint("organization_id <> provider_organization_id", name="two_sides"),
        UniqueConstraint("dataset_id", "organization_id"),
        Index("ix_rating_dataset_id_id", "dataset_id", "id"),
        Index("ix_rating_organization_id", "organization_id"),
        Index("ix_rating_provider_organization_id", "provider_organization_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    provider_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    stars: Mapped[int] = mapped_column(Integer)
    text_ja: Mapped[str]
    text_en: Mapped[str]
    shows_name: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    hidden_at: Mapped[datetime | None]
    hidden_reason: Mapped[str | None]
    reply_ja: Mapped[str]
    reply_en: Mapped[str]
    replied_at: Mapped[datetime | None]


class ProviderStanding(Model):
    """What was told of a provider for the twelve months that ended with one; written once."""

    __tablename__ = "provider_standing"
    __table_args__ = (CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="month"),)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    month: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]
