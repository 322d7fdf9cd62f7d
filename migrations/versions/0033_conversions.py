"""Conversions: the Parquet that was made of tabular contents."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "conversion",
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("columns", postgresql.JSONB(), nullable=True),
        sa.Column("problem", postgresql.JSONB(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name="ck_conversion_state"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="ck_conversion_sha256"),
        sa.CheckConstraint("size_bytes >= 0 AND rows >= 0", name="ck_conversion_counts"),
        sa.CheckConstraint(
            "num_nonnulls(sha256, size_bytes, rows, columns) = CASE state WHEN 'done' THEN 4 ELSE 0 END",
            name="ck_conversion_done",
        ),
        sa.CheckConstraint("(problem IS NOT NULL) = (state = 'failed')", name="ck_conversion_failed"),
        sa.CheckConstraint("(finished_at IS NULL) = (state = 'pending')", name="ck_conversion_finished_at"),
        sa.PrimaryKeyConstraint("source_sha256", name="pk_conversion"),
    )
    op.create_index(
        "ix_conversion_asked_at_pending", "conversion", ["asked_at"], postgresql_where=sa.text("state = 'pending'")
    )


def downgrade() -> None:
    """Drop."""
    op.drop_table("conversion")
