"""Gateway events that no retry can help are parked."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark, and leave parked events out of the queue."""
    op.add_column("stripe_event", sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint("ck_stripe_event_one_end", "stripe_event", "num_nonnulls(processed_at, parked_at) < 2")
    op.drop_index("ix_stripe_event_due_at", "stripe_event")
    op.create_index(
        "ix_stripe_event_due_at",
        "stripe_event",
        ["due_at"],
        postgresql_where=sa.text("processed_at IS NULL AND parked_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the mark: parked events are tried again."""
    op.drop_index("ix_stripe_event_due_at", "stripe_event")
    op.drop_constraint("ck_stripe_event_one_end", "stripe_event")
    op.drop_column("stripe_event", "parked_at")
    op.create_index(
        "ix_stripe_event_due_at", "stripe_event", ["due_at"], postgresql_where=sa.text("processed_at IS NULL")
    )
