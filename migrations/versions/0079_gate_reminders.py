"""Who was told that something waits at the privacy gate."""

import sqlalchemy as sa
from alembic import op

revision = "0079"
down_revision = "0078"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "gate_reminder",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("subject", "occasion")),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", "occasion", "since", "overdue", name="pk_gate_reminder"),
        sa.CheckConstraint(
            "occasion IN ('answer', 'second', 'refused', 'review', 'conclude')", name="ck_gate_reminder_occasion"
        ),
    )


def downgrade() -> None:
    """Drop; whoever was told is told again after the next upgrade."""
    op.drop_table("gate_reminder")
