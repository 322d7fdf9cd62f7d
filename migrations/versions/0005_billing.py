"""Tables of billing: the ledger, orders, invoices, payments and the inbox of gateway events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = (
    "stripe_event",
    "payment_fact",
    "payment",
    "rated_line",
    "invoice_counter",
    "invoice_issuer",
    "invoice",
    "purchase_order",
    "ledger_entry",
    "ledger_txn",
    "ledger_seal",
    "ledger_account",
)
APPEND_ONLY = ("ledger_account", "ledger_seal", "ledger_txn", "ledger_entry", "payment_fact", "rated_line")

# A sealed transaction takes no more entries, and an entry is of its account's currency.
CHECK_ENTRY = """
CREATE FUNCTION ledger_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_seal WHERE txn_id = NEW.txn_id) THEN
        RAISE EXCEPTION 'ledger transaction % is sealed', NEW.txn_id USING ERRCODE = 'check_violation';
    END IF;
    IF (SELECT currency FROM ledger_account WHERE id = NEW.account_id) IS DISTINCT FROM NEW.currency THEN
        RAISE EXCEPTION 'ledger entry in another currency than its account' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

# A seal states how many entries there are and that each currency sums to zero; both are checked here.
CHECK_SEAL = """
CREATE FUNCTION ledger_check_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM ledger_entry WHERE txn_id = NEW.txn_id) <> NEW.entries THEN
        RAISE EXCEPTION 'ledger transaction % has another number of entries', NEW.txn_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM ledger_entry WHERE txn_id = NEW.txn_id GROUP BY currency HAVING sum(amount_minor) <> 0
    ) THEN
        RAISE EXCEPTION 'ledger transaction % does not balance', NEW.txn_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

# An issued invoice may be paid, once; nothing else about it ever changes.
CHECK_INVOICE = """
CREATE FUNCTION invoice_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'open' OR NEW.state <> 'paid'
        OR to_jsonb(OLD) - '{state,paid_at}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{state,paid_at}'::text[]
    THEN
        RAISE EXCEPTION 'invoice % was issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    """Create."""
    _create_ledger()
    _create_orders()
    _create_invoices()
    _create_numbering()
    _create_rated_lines()
    _create_payments()
    _create_inbox()
    _guard()


def downgrade() -> None:
    """Drop."""
    for table in TABLES:
        op.drop_table(table)
    for function in ("ledger_check_entry", "ledger_check_seal", "invoice_check_change"):
        op.execute(f"DROP FUNCTION {function}()")


def _create_ledger() -> None:
    op.create_table(
        "ledger_account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="ck_ledger_account_currency"),
        sa.CheckConstraint(
            "kind = CASE split_part(code, ':', 1) WHEN 'Assets' THEN 'asset' WHEN 'Liabilities' THEN 'liability' WHEN 'Equity' THEN 'equity' WHEN 'Income' THEN 'income' WHEN 'Expenses' THEN 'expense' ELSE '' END",
            name="ck_ledger_account_kind",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_account"),
        sa.UniqueConstraint("code", name="uq_ledger_account_code"),
    )
    op.create_table(
        "ledger_seal",
        sa.Column("txn_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.CheckConstraint("entries >= 2", name="ck_ledger_seal_entries"),
        sa.PrimaryKeyConstraint("txn_id", name="pk_ledger_seal"),
    )
    op.create_table(
        "ledger_txn",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("idem", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("reverses", sa.BigInteger(), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["ledger_seal.txn_id"], name="fk_ledger_txn_id", initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["reverses"], ["ledger_txn.id"], name="fk_ledger_txn_reverses"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_txn"),
        sa.UniqueConstraint("idem", name="uq_ledger_txn_idem"),
        sa.UniqueConstraint("reverses", name="uq_ledger_txn_reverses"),
    )
    op.create_index("ix_ledger_txn_effective_on_id", "ledger_txn", ["effective_on", "id"])
    op.create_index("ix_ledger_txn_ref", "ledger_txn", ["ref"])
    op.create_table(
        "ledger_entry",
        sa.Column("txn_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name="ck_ledger_entry_amount"),
        sa.ForeignKeyConstraint(["account_id"], ["ledger_account.id"], name="fk_ledger_entry_account_id"),
        sa.ForeignKeyConstraint(["txn_id"], ["ledger_txn.id"], name="fk_ledger_entry_txn_id"),
        sa.PrimaryKeyConstraint("txn_id", "seq", name="pk_ledger_entry"),
    )
    op.create_index("ix_ledger_entry_account_id_txn_id", "ledger_entry", ["account_id", "txn_id"])


def _create_orders() -> None:
    op.create_table(
        "purchase_order",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("provider_organization_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("acceptance_id", sa.Text(), nullable=False),
        sa.Column("terms_sha256", sa.Text(), nullable=False),
        sa.Column("price_kind", sa.Text(), nullable=False),
        sa.Column("amount_net_yen", sa.BigInteger(), nullable=False),
        sa.Column("amount_tax_yen", sa.BigInteger(), nullable=False),
        sa.Column("amount_gross_yen", sa.BigInteger(), nullable=False),
        sa.Column("tax_rate_basis_points", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(paid_at IS NOT NULL) = (state IN ('paid', 'fulfilled'))", name="ck_purchase_order_paid_at"
        ),
        sa.CheckConstraint("price_kind IN ('free', 'one_off', 'per_mib')", name="ck_purchase_order_price_kind"),
        sa.CheckConstraint(
            "state IN ('placed', 'paid', 'fulfilled', 'failed', 'expired')", name="ck_purchase_order_state"
        ),
        sa.CheckConstraint("amount_gross_yen = amount_net_yen + amount_tax_yen", name="ck_purchase_order_gross"),
        sa.CheckConstraint("amount_net_yen >= 0 AND amount_tax_yen >= 0", name="ck_purchase_order_amounts"),
        sa.CheckConstraint("tax_rate_basis_points BETWEEN 0 AND 9999", name="ck_purchase_order_tax_rate"),
        sa.ForeignKeyConstraint(["acceptance_id"], ["acceptance.id"], name="fk_purchase_order_acceptance_id"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_purchase_order_dataset_id"),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name="fk_purchase_order_offer_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_purchase_order_organization_id"),
        sa.ForeignKeyConstraint(
            ["provider_organization_id"], ["organization.id"], name="fk_purchase_order_provider_organization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_purchase_order"),
    )
    op.create_index("ix_purchase_order_organization_id_id", "purchase_order", ["organization_id", "id"])
    op.create_index(
        "ix_purchase_order_provider_organization_id_id", "purchase_order", ["provider_organization_id", "id"]
    )


def _create_invoices() -> None:
    op.create_table(
        "invoice",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("idem", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("issuer_organization_id", sa.Text(), nullable=False),
        sa.Column("issuer_name_ja", sa.Text(), nullable=False),
        sa.Column("issuer_name_en", sa.Text(), nullable=False),
        sa.Column("registration_number", sa.Text(), nullable=True),
        sa.Column("recipient_organization_id", sa.Text(), nullable=False),
        sa.Column("recipient_name_ja", sa.Text(), nullable=False),
        sa.Column("recipient_name_en", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("period_from", sa.Date(), nullable=True),
        sa.Column("period_to", sa.Date(), nullable=True),
        sa.Column("transaction_on", sa.Date(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("rate_totals", postgresql.JSONB(), nullable=False),
        sa.Column("amount_net_yen", sa.BigInteger(), nullable=False),
        sa.Column("amount_tax_yen", sa.BigInteger(), nullable=False),
        sa.Column("amount_gross_yen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(kind = 'sale') = (order_id IS NOT NULL)", name="ck_invoice_sale_order"),
        sa.CheckConstraint("(kind = 'usage') = (period_from IS NOT NULL)", name="ck_invoice_usage_period"),
        sa.CheckConstraint("(paid_at IS NOT NULL) = (state = 'paid')", name="ck_invoice_paid_at"),
        sa.CheckConstraint("kind IN ('sale', 'usage')", name="ck_invoice_kind"),
        sa.CheckConstraint("registration_number ~ '^T[0-9]{13}$'", name="ck_invoice_registration_number"),
        sa.CheckConstraint("state IN ('open', 'paid')", name="ck_invoice_state"),
        sa.CheckConstraint("amount_gross_yen = amount_net_yen + amount_tax_yen", name="ck_invoice_gross"),
        sa.CheckConstraint("amount_net_yen >= 0 AND amount_tax_yen >= 0", name="ck_invoice_amounts"),
        sa.CheckConstraint("num_nulls(period_from, period_to) IN (0, 2)", name="ck_invoice_period"),
        sa.CheckConstraint("period_from <= period_to", name="ck_invoice_period_order"),
        sa.CheckConstraint("registration_number IS NOT NULL OR amount_tax_yen = 0", name="ck_invoice_qualified"),
        sa.ForeignKeyConstraint(
            ["issuer_organization_id"], ["organization.id"], name="fk_invoice_issuer_organization_id"
        ),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name="fk_invoice_order_id"),
        sa.ForeignKeyConstraint(
            ["recipient_organization_id"], ["organization.id"], name="fk_invoice_recipient_organization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_invoice"),
        sa.UniqueConstraint("idem", name="uq_invoice_idem"),
        sa.UniqueConstraint("number", name="uq_invoice_number"),
    )
    op.create_index("ix_invoice_issuer_organization_id_id", "invoice", ["issuer_organization_id", "id"])
    op.create_index("ix_invoice_order_id", "invoice", ["order_id"])
    op.create_index("ix_invoice_recipient_organization_id_id", "invoice", ["recipient_organization_id", "id"])


def _create_numbering() -> None:
    op.create_table(
        "invoice_issuer",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("code", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_invoice_issuer_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_invoice_issuer"),
        sa.UniqueConstraint("code", name="uq_invoice_issuer_code"),
    )
    op.create_table(
        "invoice_counter",
        sa.Column("issuer_organization_id", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issuer_organization_id"], ["organization.id"], name="fk_invoice_counter_issuer_organization_id"
        ),
        sa.PrimaryKeyConstraint("issuer_organization_id", "year", name="pk_invoice_counter"),
    )


def _create_rated_lines() -> None:
    op.create_table(
        "rated_line",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("bytes_from", sa.BigInteger(), nullable=False),
        sa.Column("bytes_to", sa.BigInteger(), nullable=False),
        sa.Column("amount_yen_exact", sa.Numeric(), nullable=False),
        sa.CheckConstraint("0 <= bytes_from AND bytes_from < bytes_to", name="ck_rated_line_stretch"),
        sa.CheckConstraint("amount_yen_exact >= 0", name="ck_rated_line_amount"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_rated_line_invoice_id"),
        sa.PrimaryKeyConstraint("id", name="pk_rated_line"),
    )
    op.create_index("ix_rated_line_invoice_id", "rated_line", ["invoice_id"])
    op.create_index("uq_rated_line_grant_id_bytes_from", "rated_line", ["grant_id", "bytes_from"], unique=True)


def _create_payments() -> None:
    op.create_table(
        "payment",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("checkout_url", sa.Text(), nullable=True),
        sa.Column("session_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_intent_id", sa.Text(), nullable=True),
        sa.Column("charge_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("gateway = 'stripe'", name="ck_payment_gateway"),
        sa.CheckConstraint(
            "state IN ('created', 'open', 'processing', 'expired', 'failed', 'held', 'paid')", name="ck_payment_state"
        ),
        sa.CheckConstraint("amount_minor > 0", name="ck_payment_amount"),
        sa.CheckConstraint("num_nonnulls(order_id, invoice_id) = 1", name="ck_payment_one_purpose"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_payment_invoice_id"),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name="fk_payment_order_id"),
        sa.PrimaryKeyConstraint("id", name="pk_payment"),
        sa.UniqueConstraint("idempotency_key", name="uq_payment_idempotency_key"),
        sa.UniqueConstraint("session_id", name="uq_payment_session_id"),
    )
    op.create_index("ix_payment_invoice_id", "payment", ["invoice_id"])
    op.create_index("ix_payment_order_id", "payment", ["order_id"])
    op.create_index(
        "uq_payment_invoice_id_live",
        "payment",
        ["invoice_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('created', 'open', 'processing', 'held')"),
    )
    op.create_index(
        "uq_payment_order_id_live",
        "payment",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('created', 'open', 'processing', 'held')"),
    )
    op.create_table(
        "payment_fact",
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name="fk_payment_fact_payment_id"),
        sa.PrimaryKeyConstraint("payment_id", "kind", "object_id", name="pk_payment_fact"),
    )


def _create_inbox() -> None:
    op.create_table(
        "stripe_event",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_stripe_event"),
    )
    op.create_index(
        "ix_stripe_event_due_at",
        "stripe_event",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("processed_at IS NULL"),
    )
    op.create_index("ix_stripe_event_received_at", "stripe_event", ["received_at"])


def _guard() -> None:
    for function in (CHECK_ENTRY, CHECK_SEAL, CHECK_INVOICE):
        op.execute(function)
    op.execute(
        "CREATE TRIGGER ledger_entry_checked BEFORE INSERT ON ledger_entry"
        " FOR EACH ROW EXECUTE FUNCTION ledger_check_entry()"
    )
    op.execute(
        "CREATE TRIGGER ledger_seal_checked BEFORE INSERT ON ledger_seal"
        " FOR EACH ROW EXECUTE FUNCTION ledger_check_seal()"
    )
    op.execute(
        "CREATE TRIGGER invoice_unchanged BEFORE UPDATE ON invoice FOR EACH ROW EXECUTE FUNCTION invoice_check_change()"
    )
    op.execute("CREATE TRIGGER invoice_kept BEFORE DELETE ON invoice FOR EACH ROW EXECUTE FUNCTION refuse_change()")
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    for table in (*APPEND_ONLY, "invoice"):
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
