"""Trails: orders are found by the terms that they stand on, payouts by the earnings that they settle."""

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_index("ix_purchase_order_terms_sha256_id", "purchase_order", ["terms_sha256", "id"])
    op.create_index("ix_payout_item_earning_id", "payout_item", ["earning_id"])


def downgrade() -> None:
    """Drop."""
    op.drop_index("ix_payout_item_earning_id", table_name="payout_item")
    op.drop_index("ix_purchase_order_terms_sha256_id", table_name="purchase_order")
