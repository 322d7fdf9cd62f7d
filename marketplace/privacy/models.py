"""The tables of the gate: what was found in files, what people answered, what providers state of a dataset."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class FileInspection(Model):
    """That a file was looked through, or why it could not be; ``problem`` is None where all of it was.

    It goes with its file, and so do the findings. ``alike`` is how many rows are alike in the quasi-identifiers.
    """

    __tablename__ = "file_inspection"
    __table_args__ = (CheckConstraint("findings_total >= 0", name="findings_total"),)

    file_id: Mapped[str] = mapped_column(ForeignKey("file.id", ondelete="CASCADE"), primary_key=True)
    sha256: Mapped[str]
    rows_read: Mapped[int] = mapped_column(BigInteger)
    findings_total: Mapped[int] = mapped_column(Integer)
    problem: Mapped[str | None]
    inspected_at: Mapped[datetime]
    alike: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    measured_at: Mapped[datetime | None]


class PrivacyFinding(Model):
    """One kind found in one column of one file, with the answer on the record; no value of the data is in it."""

    __tablename__ = "privacy_finding"
    __table_args__ = (
        CheckConstraint("level IN ('blocked', 'high', 'medium', 'note')", name="level"),
        CheckConstraint("state IN ('noted', 'open', 'answered', 'settled')", name="state"),
        CheckConstraint("answer IN ('falseAlarm', 'lawfulBasis')", name="answer"),
        CheckConstraint(
            "num_nonnulls(answer, reason, answered_at, answered_by_person, answered_by_member)"
            " = CASE WHEN state IN ('noted', 'open') THEN 0 ELSE 5 END",
            name="answered",
        ),
        CheckConstraint("level <> 'blocked' OR state = 'open'", name="blocked"),
        CheckConstraint("(level = 'note') = (state = 'noted')", name="noted"),
        CheckConstraint(
            "level <> 'high' OR state <> 'settled' OR seconded_by_person IS DISTINCT FROM answered_by_person"
            " AND seconded_by_person IS NOT NULL",
            name="seconded",
        ),
        UniqueConstraint("file_id", "kind", "place", "table_name"),
        Index("ix_privacy_finding_state_id", "state", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    file_id: Mapped[str] = mapped_column(ForeignKey("file.id", ondelete="CASCADE"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    sha256: Mapped[str]
    kind: Mapped[str]
    level: Mapped[str]
    column_name: Mapped[str]
    place: Mapped[int] = mapped_column(Integer)
    table_name: Mapped[str]
    hits: Mapped[int] = mapped_column(BigInteger)
    cells: Mapped[int] = mapped_column(BigInteger)
    row_numbers: Mapped[list[int]] = mapped_column(JSONB())
    state: Mapped[str]
    answer: Mapped[str | None]
    reason: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    answered_by_person: Mapped[str | None]
    answered_by_member: Mapped[str | None]
    seconded_at: Mapped[datetime | None]
    seconded_by_person: Mapped[str | None]
    seconded_by_member: Mapped[str | None]
    seconded_by_organization: Mapped[str | None]

    @property
    def share_mille(self) -> int:
        """How many of a thousand filled cells hold it."""
        return self.hits * 1000 // max(1, self.cells)


class BlockedContent(Model):
    """Bytes in which My Numbers were found: the same are refused at once when they come again."""

    __tablename__ = "blocked_content"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    found_at: Mapped[datetime]


class PrivacyStatement(Model):
    """What a provider states of the people in a dataset; ``items`` and the methods are shown to everybody."""

    __tablename__ = "privacy_statement"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("basis IN ('consent', 'law')", name="basis"),
    )

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    basis: Mapped[str | None]
    basis_reference: Mapped[str]
    items: Mapped[list[str]] = mapped_column(JSONB())
    method_ja: Mapped[str]
    method_en: Mapped[str]
    standards: Mapped[list[str]] = mapped_column(JSONB())
    quasi_identifiers: Mapped[list[str]] = mapped_column(JSONB())
    sensitive_columns: Mapped[list[str]] = mapped_column(JSONB())
    stated_at: Mapped[datetime]
    stated_by_member: Mapped[str | None]
