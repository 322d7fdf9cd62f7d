"""Orders by rail, invoices paid in parts and by bank transfer, bank lines."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

PAID_AT = "(paid_at IS NOT NULL) = (state IN ('paid', 'fulfilled'))"
STATES = "state IN ('placed', {}'paid', 'fulfilled', 'failed', 'expired')"
ORDER_CHECKS = {
    "rail": "rail IN ('card', 'konbini', 'bank_transfer', 'invoice', 'outside')",
    "rail_of_money": "(rail IS NULL) = (amount_gross_yen = 0)",
    "credited": "state <> 'credited' OR rail IS NOT DISTINCT FROM 'invoice'",
    "deductions": "amount_net_yen <= list_net_yen",
    "term": "num_nulls(term_number, term_from, term_to) IN (0, 3)",
    "term_order": "term_from <= term_to AND term_number >= 0",
    "slip": "num_nulls(slip_number, slip_paid_on, slip_ordinance) IN (0, 3)",
    "slip_of_outside": "slip_number IS NOT NULL OR rail IS DISTINCT FROM 'outside' OR paid_at IS NULL",
}
ORDER_INDEXES = {
    "uq_purchase_order_idem": (["idem"], True),
    "ix_purchase_order_subscription_id": (["subscription_id", "term_number"], False),
    "uq_purchase_order_provider_organization_id_slip_number": (["provider_organization_id", "slip_number"], True),
}
ORDER_COLUMNS = (
    ("rail", sa.Text()),
    ("list_net_yen", sa.BigInteger()),
    ("deductions", postgresql.JSONB()),
    ("idem", sa.Text()),
    ("subscription_id", sa.Text()),
    ("term_number", sa.Integer()),
    ("term_from", sa.Date()),
    ("term_to", sa.Date()),
    ("slip_number", sa.Text()),
    ("slip_paid_on", sa.Date()),
    ("slip_ordinance", sa.Text()),
)
INVOICE_CHECKS = {
    "settled": "paid_yen >= 0 AND credited_yen >= 0",
    "overpaid": "paid_yen + credited_yen <= amount_gross_yen",
    "paid_in_full": "(state = 'paid') = (paid_yen + credited_yen = amount_gross_yen)",
    "dunning": "dunning IN ('none', 'reminded', 'suspended')",
}
INVOICE_COLUMNS = (
    ("paid_yen", sa.BigInteger()),
    ("credited_yen", sa.BigInteger()),
    ("due_on", sa.Date()),
    ("dunning", sa.Text()),
)
NEVER_EMPTIED = ("invoice_payment", "bank_line")

# What was issued stays; what is paid or credited of it only grows, and a paid invoice stays paid.
CHECK_INVOICE = """
CREATE OR REPLACE FUNCTION invoice_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moves text[] := '{state,paid_at,paid_yen,credited_yen,dunning}';
BEGIN
    IF to_jsonb(OLD) - moves IS DISTINCT FROM to_jsonb(NEW) - moves
        OR (OLD.state = 'paid' AND to_jsonb(OLD) - 'dunning'::text IS DISTINCT FROM to_jsonb(NEW) - 'dunning'::text)
        OR NEW.paid_yen < OLD.paid_yen OR NEW.credited_yen < OLD.credited_yen
    THEN
        RAISE EXCEPTION 'invoice % was issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
CHECK_INVOICE_BEFORE = """
CREATE OR REPLACE FUNCTION invoice_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'open' OR NEW.state <> 'paid'
        OR to_jsonb(OLD) - '{state,paid_at}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{state,paid_at}'::text[]
    THEN
        RAISE EXCEPTION 'invoice % was issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
# What the bank said of a transfer never changes; what it was taken for may be settled later.
CHECK_BANK_LINE = """
CREATE FUNCTION bank_line_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moves text[] := '{state,rule,organization_id,applied_yen,unapplied_yen,returned_yen}';
BEGIN
    IF OLD.state = 'returned' OR to_jsonb(OLD) - moves IS DISTINCT FROM to_jsonb(NEW) - moves THEN
        RAISE EXCEPTION 'bank line % does not change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
# A bank line that is forgotten would be taken in, and booked, once more; an invoice would ask for money that came.
REFUSE_LOSS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM bank_line) OR EXISTS (SELECT FROM invoice_payment) THEN
        RAISE EXCEPTION 'there is money received that version 0015 cannot hold: it would be booked again';
    END IF;
END $$
"""


def upgrade() -> None:
    """Extend orders and invoices, create the rest."""
    _extend_orders()
    _extend_invoices()
    _create_receivables()
    _create_bank()
    _guard()


def downgrade() -> None:
    """Drop; orders on credit become paid ones, as the version before knows no others. Refuses where money came."""
    op.execute(REFUSE_LOSS)
    for table in ("bank_line", "virtual_account", "invoice_payment", "buyer_account"):
        op.drop_table(table)
    op.execute("DROP FUNCTION bank_line_check_change()")
    op.execute(CHECK_INVOICE_BEFORE)
    op.drop_index("ix_invoice_due_on_open", "invoice")
    for name in INVOICE_CHECKS:
        op.drop_constraint(f"ck_invoice_{name}", "invoice", type_="check")
    for name, _kind in INVOICE_COLUMNS:
        op.drop_column("invoice", name)
    _shrink_orders()


def _extend_orders() -> None:
    for name, kind in ORDER_COLUMNS:
        op.add_column("purchase_order", sa.Column(name, kind, nullable=True))
    op.execute(
        "UPDATE purchase_order SET list_net_yen = amount_net_yen, deductions = '[]',"
        " rail = CASE WHEN amount_gross_yen > 0 THEN 'card' END"
    )
    for name in ("list_net_yen", "deductions"):
        op.alter_column("purchase_order", name, nullable=False)
    _replace_check("state", STATES.format("'credited', "))
    _replace_check("paid_at", f"{PAID_AT} OR (state = 'fulfilled' AND rail IS NOT DISTINCT FROM 'invoice')")
    for name, condition in ORDER_CHECKS.items():
        op.create_check_constraint(f"ck_purchase_order_{name}", "purchase_order", condition)
    op.create_foreign_key(
        "fk_purchase_order_subscription_id", "purchase_order", "subscription", ["subscription_id"], ["id"]
    )
    for name, (columns, unique) in ORDER_INDEXES.items():
        op.create_index(name, "purchase_order", columns, unique=unique)


def _shrink_orders() -> None:
    for name in ORDER_INDEXES:
        op.drop_index(name, "purchase_order")
    op.drop_constraint("fk_purchase_order_subscription_id", "purchase_order", type_="foreignkey")
    for name in ORDER_CHECKS:
        op.drop_constraint(f"ck_purchase_order_{name}", "purchase_order", type_="check")
    op.execute(
        "UPDATE purchase_order SET paid_at = coalesce(paid_at, created_at),"
        " state = CASE state WHEN 'credited' THEN 'paid' ELSE state END WHERE state IN ('credited', 'fulfilled')"
    )
    _replace_check("state", STATES.format(""))
    _replace_check("paid_at", PAID_AT)
    for name, _kind in ORDER_COLUMNS:
        op.drop_column("purchase_order", name)


def _replace_check(name: str, condition: str) -> None:
    op.drop_constraint(f"ck_purchase_order_{name}", "purchase_order", type_="check")
    op.create_check_constraint(f"ck_purchase_order_{name}", "purchase_order", condition)


def _extend_invoices() -> None:
    for name, kind in INVOICE_COLUMNS:
        op.add_column("invoice", sa.Column(name, kind, nullable=True))
    # An issued invoice does not change, and is not changed here: it is told how far it was paid.
    op.execute("ALTER TABLE invoice DISABLE TRIGGER invoice_unchanged")
    op.execute(
        "UPDATE invoice SET credited_yen = 0, dunning = 'none',"
        " paid_yen = CASE state WHEN 'paid' THEN amount_gross_yen ELSE 0 END,"
        " due_on = CASE state WHEN 'open'"
        " THEN (date_trunc('month', issued_on) + interval '2 months' - interval '1 day')::date END"
    )
    op.execute("ALTER TABLE invoice ENABLE TRIGGER invoice_unchanged")
    for name in ("paid_yen", "credited_yen", "dunning"):
        op.alter_column("invoice", name, nullable=False)
    for name, condition in INVOICE_CHECKS.items():
        op.create_check_constraint(f"ck_invoice_{name}", "invoice", condition)
    op.create_index("ix_invoice_due_on_open", "invoice", ["due_on"], postgresql_where=sa.text("state = 'open'"))


def _create_receivables() -> None:
    op.create_table(
        "buyer_account",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("credit_limit_yen", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("credit_limit_yen >= 0", name="ck_buyer_account_credit_limit"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_buyer_account_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_buyer_account"),
    )
    op.create_table(
        "invoice_payment",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("source_ref", sa.Text(), nullable=False),
        sa.Column("amount_yen", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("applied_on", sa.Date(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_yen > 0", name="ck_invoice_payment_amount"),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name="fk_invoice_payment_invoice_id"),
        sa.PrimaryKeyConstraint("invoice_id", "source_ref", name="pk_invoice_payment"),
    )
    op.create_index("ix_invoice_payment_source_ref", "invoice_payment", ["source_ref"])


def _create_bank() -> None:
    op.create_table(
        "virtual_account",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number ~ '^[0-9]{10}$'", name="ck_virtual_account_number"),
        sa.CheckConstraint("(organization_id IS NULL) = (assigned_at IS NULL)", name="ck_virtual_account_assigned"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_virtual_account_organization_id"),
        sa.PrimaryKeyConstraint("number", name="pk_virtual_account"),
    )
    op.create_index("uq_virtual_account_organization_id", "virtual_account", ["organization_id"], unique=True)
    op.create_table(
        "bank_line",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount_yen", sa.BigInteger(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("raw", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("hint_organization_id", sa.Text(), nullable=True),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("applied_yen", sa.BigInteger(), nullable=False),
        sa.Column("unapplied_yen", sa.BigInteger(), nullable=False),
        sa.Column("returned_yen", sa.BigInteger(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_yen > 0", name="ck_bank_line_amount"),
        sa.CheckConstraint("state IN ('matched', 'unapplied', 'suspense', 'returned')", name="ck_bank_line_state"),
        sa.CheckConstraint("applied_yen >= 0 AND unapplied_yen >= 0 AND returned_yen >= 0", name="ck_bank_line_parts"),
        sa.CheckConstraint(
            "(state IN ('matched', 'unapplied')) = (organization_id IS NOT NULL AND"
            " applied_yen + unapplied_yen + returned_yen = amount_yen) OR state = 'returned'",
            name="ck_bank_line_whole",
        ),
        sa.CheckConstraint("state <> 'matched' OR applied_yen > 0", name="ck_bank_line_matched"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_bank_line_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_bank_line"),
        sa.UniqueConstraint("fingerprint", name="uq_bank_line_fingerprint"),
    )
    op.create_index("ix_bank_line_state_id", "bank_line", ["state", "id"])
    op.create_index(
        "ix_bank_line_organization_id",
        "bank_line",
        ["organization_id"],
        postgresql_where=sa.text("organization_id IS NOT NULL"),
    )


def _guard() -> None:
    op.execute(CHECK_INVOICE)
    op.execute(CHECK_BANK_LINE)
    op.execute(
        "CREATE TRIGGER bank_line_unchanged BEFORE UPDATE ON bank_line"
        " FOR EACH ROW EXECUTE FUNCTION bank_line_check_change()"
    )
    op.execute("CREATE TRIGGER bank_line_kept BEFORE DELETE ON bank_line FOR EACH ROW EXECUTE FUNCTION refuse_change()")
    op.execute(
        "CREATE TRIGGER invoice_payment_append_only BEFORE UPDATE OR DELETE ON invoice_payment"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    for table in NEVER_EMPTIED:
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
