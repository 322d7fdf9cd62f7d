"""Units to pass on: found at once, however often a grant has fetched a content."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

PASSABLE = "unit_taken AND NOT unit_passed_on AND (state IN ('broken', 'stalled', 'swept') OR start_byte > 0)"


def upgrade() -> None:
    """Create."""
    op.create_index(
        "ix_delivery_grant_id_sha256_id_passable",
        "delivery",
        ["grant_id", "sha256", "id"],
        postgresql_where=sa.text(PASSABLE),
    )


def downgrade() -> None:
    """Drop."""
    op.drop_index("ix_delivery_grant_id_sha256_id_passable", "delivery")
