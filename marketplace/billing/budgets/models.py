"""Tables of budgets: what is set, what it has come to by period and by grant, and which alerts were sent."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Integer, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Budget(Model):
    """How many yen before tax the usage and the orders of an organization, or of some of its grants, may come to.

    ``grant_ids`` None means all grants, also those to come. The row is also the lock of what it has come to.
    """

    __tablename__ = "budget"
    __table_args__ = (
        CheckConstraint("limit_yen BETWEEN 1 AND 999999999999", name="limit_yen"),
        CheckConstraint("period IN ('month', 'none')", name="period"),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("cardinality(grant_ids) > 0", name="grant_ids"),
        Index("ix_budget_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    limit_yen: Mapped[int] = mapped_column(BigInteger)
    period: Mapped[str]
    grant_ids: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]


class BudgetCount(Model):
    """What a budget has come to in one of its periods, a month such as 2026-11 or ``none``: used, and held."""

    __tablename__ = "budget_count"
    __table_args__ = (
        CheckConstraint("yen_used >= 0 AND yen_held >= 0", name="yen"),
        CheckConstraint("period ~ '^(none|[0-9]{4}-[0-9]{2})$'", name="period"),
    )

    budget_id: Mapped[str] = mapped_column(ForeignKey("budget.id", ondelete="CASCADE"), primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    yen_used: Mapped[int] = mapped_column(BigInteger)
    yen_held: Mapped[int] = mapped_column(BigInteger)


class BudgetShare(Model):
    """What the usage of one grant has added to a budget in one month; these and its orders sum up to its count.

    ``units_before`` are the units ever used that the grant's price does not count in that month, ``yen_before`` is
    what it came to before that month where the price counts over the whole life of the grant.
    """

    __tablename__ = "budget_share"
    __table_args__ = (
        CheckConstraint("yen_used >= 0 AND yen_held >= 0", name="yen"),
        CheckConstraint("units_before >= 0 AND yen_before >= 0", name="before"),
    )

    budget_id: Mapped[str] = mapped_column(ForeignKey("budget.id", ondelete="CASCADE"), primary_key=True)
    grant_id: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[str] = mapped_column(primary_key=True)
    units_before: Mapped[int] = mapped_column(BigInteger)
    yen_before: Mapped[Decimal] = mapped_column(Numeric)
    yen_used: Mapped[int] = mapped_column(BigInteger)
    yen_held: Mapped[int] = mapped_column(BigInteger)


class BudgetOrder(Model):
    """What one order adds to a budget, in the period in which it was placed; nothing once it has lapsed."""

    __tablename__ = "budget_order"
    __table_args__ = (
        CheckConstraint("yen >= 0", name="yen"),
        CheckConstraint("period ~ '^(none|[0-9]{4}-[0-9]{2})$'", name="period"),
        Index("ix_budget_order_order_id", "order_id"),
    )

    budget_id: Mapped[str] = mapped_column(ForeignKey("budget.id", ondelete="CASCADE"), primary_key=True)
    order_id: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str]
    yen: Mapped[int] = mapped_column(BigInteger)


class BudgetAlert(Model):
    """That a budget reached a share of its limit in a period, and that its organization was told; once."""

    __tablename__ = "budget_alert"
    __table_args__ = (CheckConstraint("percent IN (50, 80, 100)", name="percent"),)

    budget_id: Mapped[str] = mapped_column(ForeignKey("budget.id", ondelete="CASCADE"), primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    percent: Mapped[int] = mapped_column(Integer, primary_key=True)
    alerted_at: Mapped[datetime]
