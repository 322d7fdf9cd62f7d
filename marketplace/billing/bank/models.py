"""Tables of bank transfers: virtual accounts and the lines of bank statements."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class VirtualAccount(Model):
    """One number of the pool (branch and account, digits); it belongs to one buyer for good once given out."""

    __tablename__ = "virtual_account"
    __table_args__ = (
        CheckConstraint("number ~ '^[0-9]{10}$'", name="number"),
        CheckConstraint("(organization_id IS NULL) = (assigned_at IS NULL)", name="assigned"),
        Index("uq_virtual_account_organization_id", "organization_id", unique=True),
    )

    number: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organization.id"))
    assigned_at: Mapped[datetime | None]


class BankLine(Model):
    """One incoming transfer of a bank statement, kept once whatever files it comes in."""

    __tablename__ = "bank_line"
    __table_args__ = (
        CheckConstraint("amount_yen > 0", name="amount"),
        CheckConstraint("state IN ('matched', 'unapplied', 'suspense', 'returned')", name="state"),
        CheckConstraint("applied_yen >= 0 AND unapplied_yen >= 0 AND returned_yen >= 0", name="parts"),
        CheckConstraint(
            "(state IN ('matched', 'unapplied')) = (organization_id IS NOT NULL AND"
            " applied_yen + unapplied_yen + returned_yen = amount_yen) OR state = 'returned'",
            name="whole",
        ),
        CheckConstraint("state <> 'matched' OR applied_yen > 0", name="matched"),
        Index("ix_bank_line_state_id", "state", "id"),
        Index("ix_bank_line_organization_id", "organization_id", postgresql_where=text("organization_id IS NOT NULL")),
        Index("ix_bank_line_payer_id", "payer", "id", postgresql_where=text("organization_id IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(unique=True)
    booked_on: Mapped[date] = mapped_column(Date)
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    payer: Mapped[str]
    account: Mapped[str | None]
    reference: Mapped[str]
    raw: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str]
    rule: Mapped[str]
    hint_organization_id: Mapped[str | None]
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organization.id"))
    applied_yen: Mapped[int] = mapped_column(BigInteger, default=0)
    unapplied_yen: Mapped[int] = mapped_column(BigInteger, default=0)
    returned_yen: Mapped[int] = mapped_column(BigInteger, default=0)
    imported_at: Mapped[datetime]
