"""By what announced datasets are found; those of before get it within the hour."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0082"
down_revision = "0081"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add."""
    op.add_column("teaser", sa.Column("tokens", ARRAY(sa.Text()), nullable=False, server_default="{}"))
    op.alter_column("teaser", "tokens", server_default=None)
    op.create_index("ix_teaser_tokens", "teaser", ["tokens"], postgresql_using="gin")


def downgrade() -> None:
    """Drop."""
    op.drop_index("ix_teaser_tokens", "teaser")
    op.drop_column("teaser", "tokens")
