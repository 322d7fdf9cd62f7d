"""The table of the gateway's balance transactions."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Movement(Model):
    """One balance transaction of the gateway, and the one ledger transaction that it is.

    Amounts are signed minor units of ``currency``; ``refs`` are the names under which a posting of it may stand.
    What the gateway said never changes (a trigger holds it).
    """

    __tablename__ = "balance_transaction"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'matched', 'suspense')", name="state"),
        CheckConstraint("(ledger_txn_id IS NULL) = (state = 'waiting')", name="booked"),
        CheckConstraint("net_minor = amount_minor - fee_minor", name="net"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_balance_transaction_state_id", "state", "id", postgresql_where=text("state <> 'matched'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    source_id: Mapped[str | None]
    refs: Mapped[list[str]]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger)
    net_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    created_at: Mapped[datetime]
    available_at: Mapped[datetime]
    state: Mapped[str]
    ledger_txn_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("ledger_txn.id"), unique=True)
