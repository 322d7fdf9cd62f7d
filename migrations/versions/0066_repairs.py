"""What a machine finds to make better in descriptions, and what their providers decide."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    states = "'suggested', 'applied', 'accepted', 'refused', 'cleared'"
    op.create_table(
        "dataset_repair",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("held", postgresql.JSONB(), nullable=True),
        sa.Column("after", postgresql.JSONB(), nullable=True),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"state IN ({states})", name="ck_dataset_repair_state"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 100", name="ck_dataset_repair_confidence"),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (state IN ('suggested', 'applied'))", name="ck_dataset_repair_decided_at"
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_dataset_repair_dataset_id"),
        sa.PrimaryKeyConstraint("id", name="pk_dataset_repair"),
        sa.UniqueConstraint("dataset_id", "digest", name="uq_dataset_repair_dataset_id_digest"),
    )
    op.create_index("ix_dataset_repair_rule_state", "dataset_repair", ["rule", "state"])


def downgrade() -> None:
    """Drop; what was applied stays, and nothing tells any more what was before."""
    op.drop_table("dataset_repair")
