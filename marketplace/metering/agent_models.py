"""Tables of agents: what a person lets the programs of an organization fetch in a day, and what they have fetched."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class AgentBudget(Model):
    """How many bytes and yen the agents of an organization may fetch in a day in Japan; set by one of its people."""

    __tablename__ = "agent_budget"
    __table_args__ = (
        CheckConstraint("bytes_per_day BETWEEN 0 AND 1000000000000000", name="bytes_per_day"),
        CheckConstraint("yen_per_day BETWEEN 0 AND 999999999999", name="yen_per_day"),
        CheckConstraint("version >= 1", name="version"),
    )

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    bytes_per_day: Mapped[int] = mapped_column(BigInteger)
    yen_per_day: Mapped[int] = mapped_column(BigInteger)
    member_id: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    set_at: Mapped[datetime]


class AgentDay(Model):
    """What agents of an organization were given on one day: bytes that were sent, and yen that they may have cost."""

    __tablename__ = "agent_day"
    __table_args__ = (CheckConstraint("bytes_given >= 0 AND yen_given >= 0", name="given"),)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    bytes_given: Mapped[int] = mapped_column(BigInteger)
    yen_given: Mapped[int] = mapped_column(BigInteger)
