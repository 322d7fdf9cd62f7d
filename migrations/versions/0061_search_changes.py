"""In which transaction each listing changed last, for search indexes of other machines."""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "search_change",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("changed_in", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_search_change_dataset_id"),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_search_change"),
    )
    op.create_index("ix_search_change_changed_in_dataset_id", "search_change", ["changed_in", "dataset_id"])


def downgrade() -> None:
    """Remove."""
    op.drop_table("search_change")
