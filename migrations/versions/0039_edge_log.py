"""Deliveries that a store carries out, counted by its log."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add; whatever was delivered so far was counted by our server."""
    op.add_column("delivery", sa.Column("meter", sa.Text(), nullable=False, server_default=sa.text("'server'")))
    op.create_check_constraint("ck_delivery_meter", "delivery", "meter IN ('server', 'edge-log')")
    op.create_table(
        "edge_request",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("bytes_sent >= 0", name="ck_edge_request_bytes"),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_edge_request_delivery_id"),
        sa.PrimaryKeyConstraint("request_id", name="pk_edge_request"),
    )
    op.create_index("ix_edge_request_delivery_id", "edge_request", ["delivery_id"])


def downgrade() -> None:
    """Take away; deliveries that were left to a log are swept like all others then."""
    op.drop_table("edge_request")
    op.drop_constraint("ck_delivery_meter", "delivery", type_="check")
    op.drop_column("delivery", "meter")
