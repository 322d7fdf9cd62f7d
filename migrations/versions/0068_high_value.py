"""Data of high value: what their providers say of the categories of regulation (EU) 2023/138."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    categories = sa.Column("high_value_categories", JSONB(), nullable=False, server_default=sa.text("'[]'"))
    op.add_column("dataset", categories)
    op.create_check_constraint(
        "ck_dataset_high_value_categories", "dataset", "jsonb_typeof(high_value_categories) = 'array'"
    )


def downgrade() -> None:
    """Drop; what was said of high value is lost."""
    op.drop_column("dataset", "high_value_categories")
