"""The table of what providers earned; a trigger of migration 0015 lets only the two dates be filled in."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Earning(Model):
    """What one provider got (sale, restoration) or gave back (reversal: negative) for one dataset.

    ``available_on`` is the day from which it may be paid out, unknown until the buyer has paid;
    ``released_on`` the day on which the ledger moved it from pending to available. Of a sale paid
    outside nothing is payable, since the provider has the money.
    """

    __tablename__ = "earning"
    __table_args__ = (
        CheckConstraint("kind IN ('sale', 'reversal', 'restoration')", name="kind"),
        CheckConstraint("via IN ('gateway', 'receivable', 'outside')", name="via"),
        CheckConstraint("role IN ('agent', 'principal')", name="role"),
        CheckConstraint(
            "payable_yen = CASE via WHEN 'outside' THEN 0"
            " ELSE net_yen + tax_yen - commission_yen - commission_tax_yen END",
            name="payable",
        ),
        CheckConstraint(
            "CASE kind WHEN 'reversal' THEN GREATEST(net_yen, tax_yen, commission_yen, commission_tax_yen) <= 0"
            " ELSE LEAST(net_yen, tax_yen, commission_yen, commission_tax_yen) >= 0 END",
            name="sign",
        ),
        CheckConstraint("released_on IS NULL OR available_on IS NOT NULL", name="released"),
        CheckConstraint("(undoes IS NOT NULL) = (kind = 'restoration')", name="undoes"),
        Index("uq_earning_idem_organization_id_dataset_id", "idem", "organization_id", "dataset_id", unique=True),
        Index("ix_earning_ref", "ref"),
        Index("ix_earning_undoes", "undoes"),
        Index("ix_earning_organization_id_occurred_on", "organization_id", "occurred_on"),
        Index("ix_earning_available_on_pending", "available_on", postgresql_where=text("released_on IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    ref: Mapped[str]
    idem: Mapped[str]
    undoes: Mapped[str | None]
    txn_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("ledger_txn.id"))
    via: Mapped[str]
    role: Mapped[str]
    money_account: Mapped[str]
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    buyer_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    net_yen: Mapped[int] = mapped_column(BigInteger)
    tax_yen: Mapped[int] = mapped_column(BigInteger)
    commission_yen: Mapped[int] = mapped_column(BigInteger)
    commission_tax_yen: Mapped[int] = mapped_column(BigInteger)
    payable_yen: Mapped[int] = mapped_column(BigInteger)
    occurred_on: Mapped[date] = mapped_column(Date)
    available_on: Mapped[date | None] = mapped_column(Date)
    released_on: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime]
