"""Tables of the ledger. Triggers of migration 0005 hold what a column cannot say."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Identity, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class LedgerAccount(Model):
    """An account, named by its code; the first word of the code decides the kind. Never changes."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        CheckConstraint(
            "kind = CASE split_part(code, ':', 1) WHEN 'Assets' THEN 'asset' WHEN 'Liabilities' THEN 'liability'"
            " WHEN 'Equity' THEN 'equity' WHEN 'Income' THEN 'income' WHEN 'Expenses' THEN 'expense' ELSE '' END",
            name="kind",
        ),
        CheckConstraint("code ~ '^[A-Z][A-Za-z]*(:[A-Za-z0-9_-]+)+$'", name="code"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    currency: Mapped[str]


class LedgerSeal(Model):
    """The statement that a transaction is complete and balanced; a trigger checks it on insert."""

    __tablename__ = "ledger_seal"
    __table_args__ = (CheckConstraint("entries >= 2", name="entries"),)

    txn_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entries: Mapped[int] = mapped_column(Integer)


class LedgerTxn(Model):
    """A transaction. Its deferred foreign key makes COMMIT impossible without a seal."""

    __tablename__ = "ledger_txn"
    __table_args__ = (
        Index("ix_ledger_txn_effective_on_id", "effective_on", "id"),
        Index("ix_ledger_txn_ref", "ref"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger,
        Identity(always=True),
        ForeignKey("ledger_seal.txn_id", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    )
    kind: Mapped[str]
    ref: Mapped[str]
    idem: Mapped[str] = mapped_column(unique=True)
    effective_on: Mapped[date] = mapped_column(Date)
    reverses: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("ledger_txn.id"), unique=True)
    posted_at: Mapped[datetime]


class LedgerEntry(Model):
    """One line of a transaction in minor units: debit positive, credit negative."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount"),
        Index("ix_ledger_entry_account_id_txn_id", "account_id", "txn_id"),
    )

    txn_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("ledger_txn.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("ledger_account.id"))
    currency: Mapped[str]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
