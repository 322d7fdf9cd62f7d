"""Tables of joining. Personal data lies in ``application`` until the operator has decided."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.identity.joining.states import Outcome, Registry, Risk
from marketplace.identity.models import one_of
from marketplace.kit.db import Model


class Application(Model):
    """Who asks for an organization, how far the asking has come, and what the checks made of it."""

    __tablename__ = "application"
    __table_args__ = (
        CheckConstraint(one_of("risk", Risk), "risk"),
        CheckConstraint("risk IS NULL OR checked_at IS NOT NULL", "assessed"),
        CheckConstraint("decided_at IS NULL OR risk IS NOT NULL", "decided"),
        Index("ix_application_created_at_unchecked", "created_at", postgresql_where=text("checked_at IS NULL")),
    )

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    contact_name: Mapped[str | None]
    contact_email: Mapped[str | None]
    created_at: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    risk: Mapped[str | None]
    grounds: Mapped[list[str]]
    decided_at: Mapped[datetime | None]


class ApplicationReview(Model):
    """One yes of the operator's; ``reviewer_id`` is the person, or the program, that said it."""

    __tablename__ = "application_review"

    organization_id: Mapped[str] = mapped_column(ForeignKey("application.organization_id"), primary_key=True)
    reviewer_id: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str | None]
    reviewed_at: Mapped[datetime]


class RegistryFinding(Model):
    """What a public register said last of an application's number."""

    __tablename__ = "registry_finding"
    __table_args__ = (
        CheckConstraint(one_of("register", Registry), "register"),
        CheckConstraint(one_of("outcome", Outcome), "outcome"),
    )

    organization_id: Mapped[str] = mapped_column(ForeignKey("application.organization_id"), primary_key=True)
    register: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    facts: Mapped[dict[str, Any]]
    looked_up_at: Mapped[datetime]
