"""Refunds, disputes and suspended grants."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let grants rest and come back, and keep refunds."""
    _suspensions()
    _refunds()


def downgrade() -> None:
    """Take suspensions away: a suspended grant opens again."""
    op.drop_table("refund")
    op.drop_index("ix_access_grant_revoked_for", "access_grant")
    op.drop_constraint("ck_access_grant_revoked_for", "access_grant")
    op.drop_column("access_grant", "revoked_for")
    op.execute("UPDATE access_grant SET state = 'active' WHERE state = 'suspended'")
    op.drop_constraint("ck_access_grant_state", "access_grant")
    op.create_check_constraint("ck_access_grant_state", "access_grant", "state IN ('active', 'revoked')")
    op.drop_table("access_grant_suspension")


def _suspensions() -> None:
    op.drop_constraint("ck_access_grant_state", "access_grant")
    op.create_check_constraint("ck_access_grant_state", "access_grant", "state IN ('active', 'suspended', 'revoked')")
    op.add_column("access_grant", sa.Column("revoked_for", sa.Text))
    op.create_check_constraint(
        "ck_access_grant_revoked_for", "access_grant", "revoked_for IS NULL OR state = 'revoked'"
    )
    op.create_index(
        "ix_access_grant_revoked_for",
        "access_grant",
        ["revoked_for"],
        postgresql_where=sa.text("revoked_for IS NOT NULL"),
    )
    op.create_table(
        "access_grant_suspension",
        sa.Column("grant_id", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cause IN ('dispute', 'overdue')", name="ck_access_grant_suspension_cause"),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grant.id"], name="fk_access_grant_suspension_grant_id"),
        sa.PrimaryKeyConstraint("grant_id", "cause", "ref", name="pk_access_grant_suspension"),
    )
    op.create_index(
        "ix_access_grant_suspension_grant_id_open",
        "access_grant_suspension",
        ["grant_id"],
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def _refunds() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("idem", sa.Text, nullable=False),
        sa.Column("sale_ref", sa.Text, nullable=False),
        sa.Column("invoice_id", sa.Text, nullable=False),
        sa.Column("payment_id", sa.Text, nullable=True),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("provider_organization_id", sa.Text, nullable=False),
        sa.Column("amount_yen", sa.BigInteger, nullable=False),
        sa.Column("way", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("ends_access", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("gateway_refund_id", sa.Text, nullable=True),
        sa.Column("failure", sa.Text, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_yen > 0", name="ck_refund_amount"),
        sa.CheckConstraint("way IN ('gateway', 'bank', 'credit', 'outside')", name="ck_refund_way"),
        sa.CheckConstraint(
            "reason IN ('requested', 'cancellation', 'service_level', 'gateway')", name="ck_refund_reason"
        ),
        sa.CheckConstraint("state IN ('created', 'sent', 'succeeded', 'failed')", name="ck_refund_state"),
        sa.CheckConstraint("(way = 'gateway') = (payment_id IS NOT NULL)", name="ck_refund_payment"),
        sa.CheckConstraint("gateway_refund_id IS NULL OR way = 'gateway'", name="ck_refund_gateway_refund"),
        sa.CheckConstraint("state NOT IN ('succeeded', 'failed') OR settled_at IS NOT NULL", name="ck_refund_settled"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_refund_invoice_id"),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name="fk_refund_payment_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_refund_organization_id"),
        sa.ForeignKeyConstraint(
            ["provider_organization_id"], ["organization.id"], name="fk_refund_provider_organization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_refund"),
        sa.UniqueConstraint("idem", name="uq_refund_idem"),
        sa.UniqueConstraint("idempotency_key", name="uq_refund_idempotency_key"),
        sa.UniqueConstraint("gateway_refund_id", name="uq_refund_gateway_refund_id"),
    )
    op.create_index("ix_refund_invoice_id", "refund", ["invoice_id"])
    op.create_index("ix_refund_payment_id", "refund", ["payment_id"])
    op.create_index("ix_refund_organization_id_id", "refund", ["organization_id", "id"])
    op.create_index("ix_refund_provider_organization_id_id", "refund", ["provider_organization_id", "id"])
