"""Purposes: a delivery keeps the purpose that was declared for it."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add."""
    op.add_column("delivery", sa.Column("purpose", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take away."""
    op.drop_column("delivery", "purpose")
