"""Payouts to providers and their approval."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# What was paid out stays paid out: an upgrade after it would find nothing but earnings to pay once more.
REFUSE_LOSS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM payout) THEN
        RAISE EXCEPTION 'there are payouts that version 0018 cannot hold: they would be paid again';
    END IF;
END $$
"""


def upgrade() -> None:
    """Keep where providers are paid, each payout, what it pays and who approved it."""
    _accounts()
    _files()
    _payouts()
    _items()
    _approvals()


def downgrade() -> None:
    """Forget where providers are paid; refuses where any was."""
    op.execute(REFUSE_LOSS)
    for table in ("payout_approval", "payout_item", "payout", "payout_file", "payout_account"):
        op.drop_table(table)


def _accounts() -> None:
    op.create_table(
        "payout_account",
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("bank_code", sa.Text, nullable=False),
        sa.Column("branch_code", sa.Text, nullable=False),
        sa.Column("account_type", sa.Text, nullable=False),
        sa.Column("account_number", sa.Text, nullable=False),
        sa.Column("holder_kana", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("is_business", sa.Boolean, nullable=False),
        sa.Column("connect_account_id", sa.Text, nullable=True),
        sa.Column("receipt_agency_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("bank_code ~ '^[0-9]{4}$' AND branch_code ~ '^[0-9]{3}$'", name="ck_payout_account_codes"),
        sa.CheckConstraint("account_type IN ('1', '2', '4')", name="ck_payout_account_account_type"),
        sa.CheckConstraint("account_number ~ '^[0-9]{7}$'", name="ck_payout_account_account_number"),
        sa.CheckConstraint("country = 'JP'", name="ck_payout_account_country"),
        sa.CheckConstraint("is_business", name="ck_payout_account_is_business"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_payout_account_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_payout_account"),
    )


def _files() -> None:
    op.create_table(
        "payout_file",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("transfer_on", sa.Date, nullable=False),
        sa.Column("requester", sa.dialects.postgresql.JSONB, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payout_file"),
    )


def _payouts() -> None:
    op.create_table(
        "payout",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("amount_yen", sa.BigInteger, nullable=False),
        sa.Column("offset_yen", sa.BigInteger, nullable=False),
        sa.Column("way", sa.Text, nullable=False),
        sa.Column("account", sa.dialects.postgresql.JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("gateway_transfer_id", sa.Text, nullable=True),
        sa.Column("file_id", sa.Text, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_on", sa.Date, nullable=True),
        sa.Column("failure", sa.Text, nullable=True),
        sa.CheckConstraint("amount_yen > 0", name="ck_payout_amount"),
        sa.CheckConstraint(
            "state IN ('created', 'approved', 'sent', 'paid', 'failed', 'cancelled')", name="ck_payout_state"
        ),
        sa.CheckConstraint("way IN ('bank', 'connect', 'claim')", name="ck_payout_way"),
        sa.CheckConstraint("way <> 'claim' OR state IN ('sent', 'paid')", name="ck_payout_claim"),
        sa.CheckConstraint("file_id IS NULL OR (way = 'bank' AND sent_at IS NOT NULL)", name="ck_payout_file"),
        sa.CheckConstraint("gateway_transfer_id IS NULL OR way = 'connect'", name="ck_payout_transfer"),
        sa.CheckConstraint("paid_on IS NULL OR state IN ('paid', 'failed')", name="ck_payout_paid_on"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_payout_organization_id"),
        sa.ForeignKeyConstraint(["file_id"], ["payout_file.id"], name="fk_payout_file_id"),
        sa.PrimaryKeyConstraint("id", name="pk_payout"),
        sa.UniqueConstraint("idempotency_key", name="uq_payout_idempotency_key"),
        sa.UniqueConstraint("gateway_transfer_id", name="uq_payout_gateway_transfer_id"),
    )
    op.create_index("ix_payout_organization_id_id", "payout", ["organization_id", "id"])
    op.create_index("ix_payout_state_id", "payout", ["state", "id"])
    op.create_index("ix_payout_file_id", "payout", ["file_id"])


def _items() -> None:
    op.create_table(
        "payout_item",
        sa.Column("payout_id", sa.Text, nullable=False),
        sa.Column("earning_id", sa.Text, nullable=False),
        sa.Column("freed", sa.Boolean, nullable=False),
        sa.Column("shown", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["payout_id"], ["payout.id"], name="fk_payout_item_payout_id"),
        sa.ForeignKeyConstraint(["earning_id"], ["earning.id"], name="fk_payout_item_earning_id"),
        sa.PrimaryKeyConstraint("payout_id", "earning_id", name="pk_payout_item"),
    )
    op.create_index(
        "uq_payout_item_earning_id_live",
        "payout_item",
        ["earning_id"],
        unique=True,
        postgresql_where=sa.text("NOT freed"),
    )


def _approvals() -> None:
    op.create_table(
        "payout_approval",
        sa.Column("payout_id", sa.Text, nullable=False),
        sa.Column("approver", sa.Text, nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["payout_id"], ["payout.id"], name="fk_payout_approval_payout_id"),
        sa.PrimaryKeyConstraint("payout_id", "approver", name="pk_payout_approval"),
    )
