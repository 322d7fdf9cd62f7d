"""Data dictionaries: what providers say of the columns of their datasets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    dictionary = sa.Column("dictionary", JSONB(), nullable=False, server_default=sa.text("'[]'"))
    op.add_column("dataset", dictionary)
    op.create_check_constraint("ck_dataset_dictionary", "dataset", "jsonb_typeof(dictionary) = 'array'")


def downgrade() -> None:
    """Drop; what was said of columns is lost."""
    op.drop_column("dataset", "dictionary")
