"""Budgets: how many yen a buyer lets its metered usage come to."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _budget()
    _count()
    _share()
    _alert()


def _budget() -> None:
    op.create_table(
        "budget",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("limit_yen", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("grant_ids", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("limit_yen BETWEEN 1 AND 999999999999", name="ck_budget_limit_yen"),
        sa.CheckConstraint("period IN ('month', 'none')", name="ck_budget_period"),
        sa.CheckConstraint("name <> ''", name="ck_budget_name"),
        sa.CheckConstraint("cardinality(grant_ids) > 0", name="ck_budget_grant_ids"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_budget_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_budget"),
    )
    op.create_index("ix_budget_organization_id_id", "budget", ["organization_id", "id"])


def _count() -> None:
    op.create_table(
        "budget_count",
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("yen_used", sa.BigInteger(), nullable=False),
        sa.Column("yen_held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("yen_used >= 0 AND yen_held >= 0", name="ck_budget_count_yen"),
        sa.CheckConstraint("period ~ '^(none|[0-9]{4}-[0-9]{2})$'", name="ck_budget_count_period"),
        _of_budget("budget_count"),
        sa.PrimaryKeyConstraint("budget_id", "period", name="pk_budget_count"),
    )


def _share() -> None:
    op.create_table(
        "budget_share",
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("units_before", sa.BigInteger(), nullable=False),
        sa.Column("yen_before", sa.Numeric(), nullable=False),
        sa.Column("yen_used", sa.BigInteger(), nullable=False),
        sa.Column("yen_held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("yen_used >= 0 AND yen_held >= 0", name="ck_budget_share_yen"),
        sa.CheckConstraint("units_before >= 0 AND yen_before >= 0", name="ck_budget_share_before"),
        _of_budget("budget_share"),
        sa.PrimaryKeyConstraint("budget_id", "grant_id", "month", name="pk_budget_share"),
    )


def _alert() -> None:
    op.create_table(
        "budget_alert",
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("alerted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("percent IN (50, 80, 100)", name="ck_budget_alert_percent"),
        _of_budget("budget_alert"),
        sa.PrimaryKeyConstraint("budget_id", "period", "percent", name="pk_budget_alert"),
    )


def _of_budget(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["budget_id"], ["budget.id"], name=f"fk_{table}_budget_id", ondelete="CASCADE")


def downgrade() -> None:
    """Drop; what was counted begins anew with the next upgrade."""
    for table in ("budget_alert", "budget_share", "budget_count", "budget"):
        op.drop_table(table)
