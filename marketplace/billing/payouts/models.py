"""Tables of payouts: where a provider's money goes, each payout, what it pays, who approved it, bank files."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class PayoutAccount(Model):
    """Where a provider's money goes; its row lock puts the payouts of one provider in line.

    ``receipt_agency_at`` is when the provider let the exchange receive buyers' money for it (代理受領).
    """

    __tablename__ = "payout_account"
    __table_args__ = (
        CheckConstraint("bank_code ~ '^[0-9]{4}$' AND branch_code ~ '^[0-9]{3}$'", name="codes"),
        CheckConstraint("account_type IN ('1', '2', '4')", name="account_type"),
        CheckConstraint("account_number ~ '^[0-9]{7}$'", name="account_number"),
        CheckConstraint("country = 'JP'", name="country"),
        CheckConstraint("is_business", name="is_business"),
    )

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    bank_code: Mapped[str]
    branch_code: Mapped[str]
    account_type: Mapped[str]
    account_number: Mapped[str]
    holder_kana: Mapped[str]
    country: Mapped[str]
    is_business: Mapped[bool]
    connect_account_id: Mapped[str | None]
    receipt_agency_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class PayoutFile(Model):
    """One file of bank transfers, which is made anew out of its payouts; ``requester`` is the account it debits."""

    __tablename__ = "payout_file"

    id: Mapped[str] = mapped_column(primary_key=True)
    transfer_on: Mapped[date] = mapped_column(Date)
    requester: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]


class Payout(Model):
    """One settlement with one provider in yen; ``account`` is where it went, whatever the account is later.

    ``offset_yen`` is the commission of sales paid outside that it nets. A claim goes the other way: the
    provider owes more than it earned, and pays.
    """

    __tablename__ = "payout"
    __table_args__ = (
        CheckConstraint("amount_yen > 0", name="amount"),
        CheckConstraint("state IN ('created', 'approved', 'sent', 'paid', 'failed', 'cancelled')", name="state"),
        CheckConstraint("way IN ('bank', 'connect', 'claim')", name="way"),
        CheckConstraint("way <> 'claim' OR state IN ('sent', 'paid')", name="claim"),
        CheckConstraint("file_id IS NULL OR (way = 'bank' AND sent_at IS NOT NULL)", name="file"),
        CheckConstraint("gateway_transfer_id IS NULL OR way = 'connect'", name="transfer"),
        CheckConstraint("paid_on IS NULL OR state IN ('paid', 'failed')", name="paid_on"),
        Index("ix_payout_organization_id_id", "organization_id", "id"),
        Index("ix_payout_state_id", "state", "id"),
        Index("ix_payout_file_id", "file_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    offset_yen: Mapped[int] = mapped_column(BigInteger)
    way: Mapped[str]
    account: Mapped[dict[str, Any]]
    state: Mapped[str]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    gateway_transfer_id: Mapped[str | None] = mapped_column(unique=True)
    file_id: Mapped[str | None] = mapped_column(ForeignKey("payout_file.id"))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    paid_on: Mapped[date | None] = mapped_column(Date)
    failure: Mapped[str | None]


class PayoutItem(Model):
    """One earning that a payout settles; ``freed`` once that payout failed, so that another may.

    ``shown`` once it stands on the papers of that payout: no other's papers show it again.
    """

    __tablename__ = "payout_item"
    __table_args__ = (
        Index("uq_payout_item_earning_id_live", "earning_id", unique=True, postgresql_where=text("NOT freed")),
        Index("ix_payout_item_earning_id", "earning_id"),
    )

    payout_id: Mapped[str] = mapped_column(ForeignKey("payout.id"), primary_key=True)
    earning_id: Mapped[str] = mapped_column(ForeignKey("earning.id"), primary_key=True)
    freed: Mapped[bool]
    shown: Mapped[bool]


class PayoutApproval(Model):
    """One person's yes to a payout; whoever made it has said it with that."""

    __tablename__ = "payout_approval"

    payout_id: Mapped[str] = mapped_column(ForeignKey("payout.id"), primary_key=True)
    approver: Mapped[str] = mapped_column(primary_key=True)
    approved_at: Mapped[datetime]
