"""Refunds, disputes, cancellations, service levels and suspended grants."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Nobody may find a promise other than the one agreed, nor give back what went back already: what the older form
# cannot say stops the way back.
REFUSE_LOSS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM offer WHERE cancellation <> 'none' OR service_level IS NOT NULL) THEN
        RAISE EXCEPTION 'there are offers that version 0017 cannot hold: they would lose what they promise';
    END IF;
    IF EXISTS (SELECT FROM refund) OR EXISTS (SELECT FROM dispute) THEN
        RAISE EXCEPTION 'there are refunds or disputes that version 0017 cannot hold: they would be given back again';
    END IF;
END $$
"""


def upgrade() -> None:
    """Let grants rest and come back, keep refunds and disputes, and let offers promise."""
    _suspensions()
    _refunds()
    _disputes()
    _promises()


def downgrade() -> None:
    """Take suspensions away: a suspended grant opens again."""
    op.execute(REFUSE_LOSS)
    op.drop_table("service_level_measurement")
    for name in ("cancellation", "service_level"):
        op.drop_constraint(f"ck_offer_{name}", "offer")
        op.drop_column("offer", name)
    op.drop_table("dispute")
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
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
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
        sa.CheckConstraint("number >= 0", name="ck_refund_number"),
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
        sa.UniqueConstraint("idempotency_key", name="uq_refund_idempotency_key"),
        sa.UniqueConstraint("gateway_refund_id", name="uq_refund_gateway_refund_id"),
    )
    op.create_index("uq_refund_request_number", "refund", ["request", "number"], unique=True)
    op.create_index("ix_refund_invoice_id", "refund", ["invoice_id"])
    op.create_index("ix_refund_payment_id", "refund", ["payment_id"])
    op.create_index("ix_refund_organization_id_id", "refund", ["organization_id", "id"])
    op.create_index("ix_refund_provider_organization_id_id", "refund", ["provider_organization_id", "id"])


def _disputes() -> None:
    op.create_table(
        "dispute",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("gateway_dispute_id", sa.Text, nullable=False),
        sa.Column("payment_id", sa.Text, nullable=False),
        sa.Column("sale_ref", sa.Text, nullable=True),
        sa.Column("invoice_id", sa.Text, nullable=True),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("provider_organization_id", sa.Text, nullable=True),
        sa.Column("amount_yen", sa.BigInteger, nullable=False),
        sa.Column("lost_yen", sa.BigInteger, nullable=False),
        sa.Column("absorbed_yen", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("evidence_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_yen > 0", name="ck_dispute_amount"),
        sa.CheckConstraint("lost_yen >= 0 AND absorbed_yen >= 0", name="ck_dispute_losses"),
        sa.CheckConstraint("state = 'lost' OR lost_yen + absorbed_yen = 0", name="ck_dispute_lost"),
        sa.CheckConstraint("state IN ('warning', 'opened', 'won', 'lost')", name="ck_dispute_state"),
        sa.CheckConstraint(
            "num_nulls(sale_ref, invoice_id, provider_organization_id) IN (0, 3)", name="ck_dispute_sale"
        ),
        sa.CheckConstraint("(closed_at IS NOT NULL) = (state IN ('won', 'lost'))", name="ck_dispute_closed"),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name="fk_dispute_payment_id"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_dispute_invoice_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_dispute_organization_id"),
        sa.ForeignKeyConstraint(
            ["provider_organization_id"], ["organization.id"], name="fk_dispute_provider_organization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_dispute"),
    )
    op.create_index("uq_dispute_gateway_dispute_id", "dispute", ["gateway_dispute_id"], unique=True)
    op.create_index("ix_dispute_invoice_id", "dispute", ["invoice_id"])
    op.create_index("ix_dispute_payment_id", "dispute", ["payment_id"])
    op.create_index("ix_dispute_organization_id_id", "dispute", ["organization_id", "id"])
    op.create_index("ix_dispute_provider_organization_id_id", "dispute", ["provider_organization_id", "id"])


def _promises() -> None:
    op.add_column("offer", sa.Column("cancellation", sa.Text, nullable=False, server_default=sa.text("'none'")))
    op.add_column("offer", sa.Column("service_level", postgresql.JSONB, nullable=True))
    op.create_check_constraint("ck_offer_cancellation", "offer", "cancellation IN ('none', 'pro_rata')")
    op.create_check_constraint("ck_offer_service_level", "offer", "jsonb_typeof(service_level) = 'array'")
    op.create_table(
        "service_level_measurement",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("dataset_id", sa.Text, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("availability_basis_points", sa.Integer, nullable=False),
        sa.Column("evidence_reference", sa.Text, nullable=False),
        sa.Column("evidence_sha256", sa.Text, nullable=False),
        sa.Column("measured_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "availability_basis_points BETWEEN 0 AND 10000", name="ck_service_level_measurement_availability"
        ),
        sa.CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="ck_service_level_measurement_month"),
        sa.CheckConstraint("evidence_sha256 ~ '^[0-9a-f]{64}$'", name="ck_service_level_measurement_evidence"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_service_level_measurement_dataset_id"),
        sa.ForeignKeyConstraint(["measured_by"], ["organization.id"], name="fk_service_level_measurement_measured_by"),
        sa.PrimaryKeyConstraint("id", name="pk_service_level_measurement"),
    )
    op.create_index(
        "uq_service_level_measurement_dataset_id_month",
        "service_level_measurement",
        ["dataset_id", "month"],
        unique=True,
    )
    op.create_index("ix_service_level_measurement_month", "service_level_measurement", ["month"])
