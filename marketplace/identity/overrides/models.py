"""The table of proposed overrides."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Override(Model):
    """A deed that one person proposed; ``about`` is the thing it is done to, ``arguments`` is what the deed takes."""

    __tablename__ = "override"
    __table_args__ = (
        CheckConstraint("deed IN ('refund', 'correction', 'reinstatement')", name="deed"),
        CheckConstraint("state IN ('proposed', 'carried_out', 'withdrawn', 'expired')", name="state"),
        CheckConstraint("(state = 'proposed') = (ended_at IS NULL)", name="ended"),
        CheckConstraint(
            "(state = 'carried_out') = (approver_member_id IS NOT NULL OR approver_client_id IS NOT NULL)",
            name="approved",
        ),
        # Credentials stand for persons: where either is the same, it is one person.
        CheckConstraint("approver_member_id <> member_id", name="members"),
        CheckConstraint("approver_client_id <> client_id", name="clients"),
        Index("ix_override_state_id", "state", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    deed: Mapped[str]
    about: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    reason: Mapped[str]
    state: Mapped[str]
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    member_id: Mapped[str | None]
    client_id: Mapped[str | None]
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    approver_member_id: Mapped[str | None]
    approver_client_id: Mapped[str | None]
