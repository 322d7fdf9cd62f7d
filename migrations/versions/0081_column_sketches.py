"""Sketches of the columns of codes in a content: how many of their values others have."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0081"
down_revision = "0080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "column_sketch",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("columns", JSONB(), nullable=False),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="ck_column_sketch_sha256"),
        sa.CheckConstraint("jsonb_typeof(columns) = 'object'", name="ck_column_sketch_columns"),
        sa.PrimaryKeyConstraint("sha256", name="pk_column_sketch"),
    )


def downgrade() -> None:
    """Drop."""
    op.drop_table("column_sketch")
