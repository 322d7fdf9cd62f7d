"""Tables of cases: the case files and their notes, what the rules remember, and how far they have read."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class CaseFile(Model):
    """One finding of one rule, and what became of it.

    ``span`` is the window of the finding (a month, a night, a payout …): a rule opens one case for a subject and a
    span, however often it reads the same entries. ``evidence`` are ids of entries, ``figures`` are numbers.
    """

    __tablename__ = "case_file"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'under_review', 'closed')", name="state"),
        CheckConstraint("(state = 'open') = (assignee_id IS NULL)", name="assignee"),
        CheckConstraint("(state = 'closed') = (closed_reason IS NOT NULL)", name="closed"),
        UniqueConstraint("rule", "subject", "span"),
        Index("ix_case_file_state_id", "state", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    rule: Mapped[str]
    subject: Mapped[str]
    span: Mapped[str]
    state: Mapped[str]
    opened_at: Mapped[datetime]
    evidence: Mapped[list[str]]
    figures: Mapped[dict[str, Any]]
    assignee_id: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    closed_reason: Mapped[str | None]


class CaseNote(Model):
    """What somebody wrote in a case file; the record has its hash."""

    __tablename__ = "case_note"
    __table_args__ = (Index("ix_case_note_case_id_id", "case_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("case_file.id"))
    organization_id: Mapped[str]
    member_id: Mapped[str | None]
    client_id: Mapped[str | None]
    written_at: Mapped[datetime]
    words: Mapped[str]


class RuleMemory(Model):
    """What a rule remembers of one key between its runs; derived from the record. ``kept_until`` None is for good."""

    __tablename__ = "rule_memory"
    __table_args__ = (Index("ix_rule_memory_kept_until", "kept_until"),)

    rule: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    kept: Mapped[dict[str, Any]]
    kept_until: Mapped[datetime | None]


class RuleMark(Model):
    """The place in the tree up to which the rules have read; its row lock lets one reader work at a time."""

    __tablename__ = "rule_mark"
    __table_args__ = (CheckConstraint("name = 'watch'", name="name"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
