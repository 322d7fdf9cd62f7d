"""News for private groups, and where listings were that the public sees no more."""

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create; what left the catalogue before is not known any more."""
    op.add_column("webhook_event", sa.Column("audience", sa.Text(), nullable=True))
    named = sa.text("audience IS NOT NULL")
    op.create_index("ix_webhook_event_audience", "webhook_event", ["audience"], postgresql_where=named)
    op.create_table(
        "listing_departure",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_listing_departure_dataset_id"),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_listing_departure"),
    )
    op.create_index("ix_listing_departure_left_at_dataset_id", "listing_departure", ["left_at", "dataset_id"])


def downgrade() -> None:
    """Drop; what was told to groups alone is taken back, since nothing would tell it from the rest."""
    op.drop_table("listing_departure")
    op.execute("DELETE FROM webhook_event WHERE audience IS NOT NULL")
    op.drop_index("ix_webhook_event_audience", "webhook_event")
    op.drop_column("webhook_event", "audience")
