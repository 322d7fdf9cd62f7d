"""The table of tickets: addresses under which one file of a grant can be fetched for a short while."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Ticket(Model):
    """One ticket, its secret as a hash: for one content of one release, in the name of whoever asked for it.

    That is a client, perhaps with a member, or a member alone, with a browser.
    The first byte must be asked for by ``begin_by``; from ``first_used_at`` on it can be resumed for some minutes.
    ``assurance`` is that of the member at the time of issue, if a person asked. ``agent_yen`` is there where an agent
    asked within its budget: what was set aside of it and has not been used yet.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint("secret_sha256 ~ '^[0-9a-f]{64}$'", name="secret_sha256"),
        CheckConstraint("begin_by > issued_at", name="begin_by"),
        CheckConstraint("num_nonnulls(client_id, member_id) >= 1", name="asked_by"),
        CheckConstraint("agent_yen >= 0", name="agent_yen"),
        Index("ix_ticket_issued_at", "issued_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    secret_sha256: Mapped[str] = mapped_column(unique=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"))
    file_name: Mapped[str]
    sha256: Mapped[str]
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    client_id: Mapped[str | None] = mapped_column(ForeignKey("api_client.id", ondelete="CASCADE"))
    member_id: Mapped[str | None] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    assurance: Mapped[str | None]
    purpose: Mapped[str | None]
    issued_at: Mapped[datetime]
    begin_by: Mapped[datetime]
    first_used_at: Mapped[datetime | None]
    agent_yen: Mapped[int | None] = mapped_column(BigInteger)
