"""Tables of sandbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _create_object()
    _create_event()
    op.create_table(
        "sandbox_idempotency",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sandbox_idempotency"),
    )


def _create_object() -> None:
    op.create_table(
        "sandbox_object",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sandbox_object"),
        sa.CheckConstraint(
            "kind IN ('checkout.session', 'payment_intent', 'charge', 'balance_transaction')",
            name=op.f("ck_sandbox_object_kind"),
        ),
    )
    op.create_index("ix_sandbox_object_kind_sequence", "sandbox_object", ["kind", "sequence"])
    op.create_index(
        "ix_sandbox_object_expires_at",
        "sandbox_object",
        ["expires_at"],
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        "uq_sandbox_object_intent",
        "sandbox_object",
        ["parent_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'payment_intent'"),
    )
    op.create_index(
        "uq_sandbox_object_payment",
        "sandbox_object",
        ["parent_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'charge' AND status = 'succeeded'"),
    )


def _create_event() -> None:
    op.create_table(
        "sandbox_event",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sandbox_event"),
    )
    op.create_index("ix_sandbox_event_sequence", "sandbox_event", ["sequence"], unique=True)
    op.create_table(
        "sandbox_delivery",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sandbox_delivery"),
        sa.ForeignKeyConstraint(["event_id"], ["sandbox_event.id"], name="fk_sandbox_delivery_event_id"),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_sandbox_delivery_state")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_sandbox_delivery_attempts")),
    )
    op.create_index(
        "ix_sandbox_delivery_due_at",
        "sandbox_delivery",
        ["due_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_sandbox_delivery_event_id", "sandbox_delivery", ["event_id"])


def downgrade() -> None:
    """Drop."""
    for table in ("sandbox_idempotency", "sandbox_delivery", "sandbox_event", "sandbox_object"):
        op.drop_table(table)
