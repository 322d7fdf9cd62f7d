"""Indexes for what the rooms of money ask often; each was a scan of its whole table."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# Table, columns, and of which rows: lists of what waits hold few of many.
INDEXES = {
    "ix_payment_payment_intent_id": ("payment", ["payment_intent_id"], None),
    "ix_stripe_event_parked_at": ("stripe_event", ["parked_at"], "parked_at IS NOT NULL"),
    "ix_purchase_order_created_at_outside": ("purchase_order", ["created_at"], "rail = 'outside'"),
    "ix_invoice_id_suspended": ("invoice", ["id"], "dunning = 'suspended'"),
    "ix_document_issued_on": ("document", ["issued_on"], None),
    "ix_document_kind_id": ("document", ["kind", "id"], None),
    "ix_bank_line_payer_id": ("bank_line", ["payer", "id"], "organization_id IS NOT NULL"),
    "ix_refund_id_under_way": ("refund", ["id"], "state IN ('created', 'sent')"),
}


def upgrade() -> None:
    """Create."""
    for name, (table, columns, which) in INDEXES.items():
        op.create_index(name, table, columns, postgresql_where=sa.text(which) if which else None)


def downgrade() -> None:
    """Drop."""
    for name, (table, _columns, _which) in INDEXES.items():
        op.drop_index(name, table)
