"""Tables of joining: what registries said of an organization, and whom it lets manage its listings."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class RegistryFinding(Model):
    """What a registry, or a check of ours, said of an organization at one moment."""

    __tablename__ = "registry_finding"
    __table_args__ = (
        CheckConstraint("outcome IN ('passed', 'failed', 'unknown')", "outcome"),
        Index("ix_registry_finding_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    source: Mapped[str]
    outcome: Mapped[str]
    facts: Mapped[dict[str, Any]]
    found_at: Mapped[datetime]


class Delegation(Model):
    """An organization lets another manage its listings, until it is taken back."""

    __tablename__ = "delegation"
    __table_args__ = (
        CheckConstraint("organization_id <> delegate_organization_id", "two_organizations"),
        CheckConstraint("jsonb_typeof(scopes) = 'array' AND scopes <> '[]'::jsonb", "scopes"),
        Index("ix_delegation_organization_id_id", "organization_id", "id"),
        Index(
            "uq_delegation_in_force",
            "delegate_organization_id",
            "organization_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    delegate_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
