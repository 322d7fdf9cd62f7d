"""Tables of what buyers owe: the account of each buyer, and every sum applied to an invoice."""

from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class BuyerAccount(Model):
    """One buyer's credit; its row lock puts in line what is decided upon the sum of the buyer's debts."""

    __tablename__ = "buyer_account"
    __table_args__ = (CheckConstraint("credit_limit_yen >= 0", name="credit_limit"),)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    credit_limit_yen: Mapped[int | None] = mapped_column(BigInteger)


class InvoicePayment(Model):
    """One sum applied to an invoice, from one source, once: a bank line, a card payment, unapplied money."""

    __tablename__ = "invoice_payment"
    __table_args__ = (
        CheckConstraint("amount_yen > 0", name="amount"),
        Index("ix_invoice_payment_source_ref", "source_ref"),
    )

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), primary_key=True)
    source_ref: Mapped[str] = mapped_column(primary_key=True)
    amount_yen: Mapped[int] = mapped_column(BigInteger)
    account: Mapped[str]
    applied_on: Mapped[date] = mapped_column(Date)
    applied_at: Mapped[datetime]
