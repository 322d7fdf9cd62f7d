"""The tables of private groups."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class PrivateGroup(Model):
    """Organizations to whom its owner lists datasets; what it is called, its members read too.

    One that has ended is there for nobody; its row stays where withdrawn datasets were listed to it alone, so that
    these stay private.
    """

    __tablename__ = "private_group"
    __table_args__ = (
        CheckConstraint("name_ja <> '' OR name_en <> ''", name="name"),
        # That a dataset is listed to a group of its own organization alone, the database holds by this key.
        UniqueConstraint("id", "organization_id"),
        Index("ix_private_group_organization_id", "organization_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name_ja: Mapped[str]
    name_en: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class GroupMember(Model):
    """An organization that is in a group, or invited to it; whoever left has no row."""

    __tablename__ = "group_member"
    __table_args__ = (
        CheckConstraint("state IN ('invited', 'member')", name="state"),
        Index("ix_group_member_organization_id", "organization_id"),
    )

    group_id: Mapped[str] = mapped_column(ForeignKey("private_group.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    state: Mapped[str]
    since: Mapped[datetime]
