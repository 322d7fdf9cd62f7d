"""Payments by every rail of the gateway; its balance transactions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("balance_transaction", "gateway_cursor", "gateway_customer")

# What the gateway said never changes; only what we have booked it as does, and never back to nothing.
CHECK_MOVEMENT = """
CREATE FUNCTION balance_transaction_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) - '{state,ledger_txn_id}'::text[] IS DISTINCT FROM
        to_jsonb(NEW) - '{state,ledger_txn_id}'::text[]
        OR (OLD.state = 'matched' AND NEW IS DISTINCT FROM OLD)
        OR (OLD.state = 'suspense' AND NEW.state = 'waiting')
    THEN
        RAISE EXCEPTION 'balance transaction % does not change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    """Create; payments of before were on pages whose methods the dashboard chose, most of them cards."""
    op.add_column("payment", sa.Column("rail", sa.Text(), nullable=False, server_default="card"))
    op.alter_column("payment", "rail", server_default=None)
    op.create_check_constraint("ck_payment_rail", "payment", "rail IN ('card', 'konbini', 'bank_transfer')")
    op.create_table(
        "gateway_customer",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_gateway_customer_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_gateway_customer"),
        sa.UniqueConstraint("idempotency_key", name="uq_gateway_customer_idempotency_key"),
        sa.UniqueConstraint("customer_id", name="uq_gateway_customer_customer_id"),
    )
    op.create_table(
        "gateway_cursor",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_gateway_cursor"),
    )
    _create_movements()


def downgrade() -> None:
    """Drop: what the ledger holds of the movements stays booked."""
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION balance_transaction_check_change()")
    op.drop_constraint("ck_payment_rail", "payment")
    op.drop_column("payment", "rail")


def _create_movements() -> None:
    op.create_table(
        "balance_transaction",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("refs", postgresql.JSONB(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ledger_txn_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'matched', 'suspense')", name="ck_balance_transaction_state"),
        sa.CheckConstraint("(ledger_txn_id IS NULL) = (state = 'waiting')", name="ck_balance_transaction_booked"),
        sa.CheckConstraint("net_minor = amount_minor - fee_minor", name="ck_balance_transaction_net"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="ck_balance_transaction_currency"),
        sa.ForeignKeyConstraint(["ledger_txn_id"], ["ledger_txn.id"], name="fk_balance_transaction_ledger_txn_id"),
        sa.PrimaryKeyConstraint("id", name="pk_balance_transaction"),
        sa.UniqueConstraint("ledger_txn_id", name="uq_balance_transaction_ledger_txn_id"),
    )
    op.create_index(
        "ix_balance_transaction_state_id",
        "balance_transaction",
        ["state", "id"],
        postgresql_where=sa.text("state <> 'matched'"),
    )
    op.execute(CHECK_MOVEMENT)
    op.execute(
        "CREATE TRIGGER balance_transaction_unchanged BEFORE UPDATE ON balance_transaction"
        " FOR EACH ROW EXECUTE FUNCTION balance_transaction_check_change()"
    )
    op.execute(
        "CREATE TRIGGER balance_transaction_kept BEFORE DELETE ON balance_transaction"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
