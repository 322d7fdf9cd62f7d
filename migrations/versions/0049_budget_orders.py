"""Orders count in budgets: what each adds to them."""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

# What orders have added goes with them: budgets count usage alone again.
TAKE_OFF = """
UPDATE budget_count c SET yen_used = c.yen_used - sums.yen
  FROM (SELECT budget_id, period, sum(yen) AS yen FROM budget_order GROUP BY 1, 2) AS sums
 WHERE sums.budget_id = c.budget_id AND sums.period = c.period
"""


def upgrade() -> None:
    """Create; orders that were placed before are not counted."""
    op.create_table(
        "budget_order",
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("yen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("yen >= 0", name="ck_budget_order_yen"),
        sa.CheckConstraint("period ~ '^(none|[0-9]{4}-[0-9]{2})$'", name="ck_budget_order_period"),
        sa.ForeignKeyConstraint(["budget_id"], ["budget.id"], name="fk_budget_order_budget_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("budget_id", "order_id", name="pk_budget_order"),
    )
    op.create_index("ix_budget_order_order_id", "budget_order", ["order_id"])


def downgrade() -> None:
    """Drop, with what orders have added to budgets."""
    op.execute(TAKE_OFF)
    op.drop_table("budget_order")
