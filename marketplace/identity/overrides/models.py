"""The table of proposed overrides."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Override(Model):
    """A deed that one person proposed; ``about`` is the thing it is done to, ``arguments`` is what the deed takes.

    The persons are kept beside their memberships: one may be a member of several operators. Their clients are only
    the programs that they used.
    """

    __tablename__ = "override"
    __table_args__ = (
        CheckConstraint("deed IN ('refund', 'correction', 'reinstatement')", name="deed"),
        CheckConstraint("state IN ('proposed', 'carried_out', 'withdrawn', 'expired')", name="state"),
        CheckConstraint("(state = 'proposed') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(state = 'carried_out') = (approver_person_id IS NOT NULL)", name="approved"),
        CheckConstraint("approver_person_id <> person_id", name="persons"),
        Index("ix_override_state_id", "state", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    deed: Mapped[str]
    about: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    reason: Mapped[str]
    state: Mapped[str]
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    person_id: Mapped[str]
    member_id: Mapped[str]
    client_id: Mapped[str | None]
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    approver_person_id: Mapped[str | None]
    approver_member_id: Mapped[str | None]
    approver_client_id: Mapped[str | None]
