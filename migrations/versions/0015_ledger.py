"""Posting in one call, several currencies, earnings of providers."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# An earning's two dates are filled in once; nothing else about it ever changes.
CHECK_EARNING = """
CREATE FUNCTION earning_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD) - '{available_on,released_on}'::text[] IS DISTINCT FROM
        to_jsonb(NEW) - '{available_on,released_on}'::text[]
        OR (OLD.available_on IS NOT NULL AND NEW.available_on IS DISTINCT FROM OLD.available_on)
        OR (OLD.released_on IS NOT NULL AND NEW.released_on IS DISTINCT FROM OLD.released_on)
    THEN
        RAISE EXCEPTION 'earning % does not change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""

# What was booked before earnings were kept: one row for each sale, read off its postings. A settlement's
# invoice over several datasets is told under the first of them. What was paid may be drawn at once.
EARLIER_EARNINGS = """
INSERT INTO earning (
    id, kind, ref, idem, undoes, txn_id, via, role, money_account, organization_id, buyer_organization_id, dataset_id,
    net_yen, tax_yen, commission_yen, commission_tax_yen, payable_yen, occurred_on, available_on, released_on, created_at)
SELECT 'ern_' || lpad(to_hex((extract(epoch FROM t.posted_at) * 1000)::bigint), 12, '0')
           || '7000' || '8000' || lpad(to_hex(t.id), 12, '0'),
       'sale', t.ref, t.idem, NULL, t.id, what.via, 'agent', what.money_account, what.seller, what.buyer, what.dataset,
       what.net, what.tax, fees.commission, fees.commission_tax,
       what.net + what.tax - fees.commission - fees.commission_tax,
       t.effective_on, what.paid_on, NULL, t.posted_at
FROM ledger_txn t
JOIN (
    SELECT id AS ref, 'gateway' AS via, 'Assets:Clearing:Stripe' AS money_account, provider_organization_id AS seller,
           organization_id AS buyer, dataset_id AS dataset, amount_net_yen AS net, amount_tax_yen AS tax,
           (paid_at AT TIME ZONE 'Asia/Tokyo')::date AS paid_on
    FROM purchase_order
    UNION ALL
    SELECT i.id, 'receivable', 'Assets:Receivable:' || i.recipient_organization_id, i.issuer_organization_id,
           i.recipient_organization_id, g.dataset_id, i.amount_net_yen, i.amount_tax_yen,
           (i.paid_at AT TIME ZONE 'Asia/Tokyo')::date
    FROM invoice i JOIN access_grant g ON g.id = i.lines -> 0 ->> 'grant_id'
) what ON what.ref = t.ref
JOIN (
    SELECT e.txn_id,
           coalesce(-sum(e.amount_minor) FILTER (WHERE a.code = 'Income:MarketplaceFee'), 0)::bigint AS commission,
           coalesce(-sum(e.amount_minor) FILTER (WHERE a.code = 'Liabilities:ConsumptionTax:Output'), 0)::bigint
               AS commission_tax
    FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id GROUP BY e.txn_id
) fees ON fees.txn_id = t.id
WHERE t.kind IN ('sale', 'invoice_issued')
"""
# An upgrade reads sales off the ledger, and nothing that was given back of them: providers could draw it once more.
REFUSE_LOSS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM earning WHERE kind <> 'sale') THEN
        RAISE EXCEPTION 'there are earnings given back that version 0014 cannot hold: they would be paid out';
    END IF;
END $$
"""

# A transaction is posted in one call: head, entries and seal. Accounts come into being when first named; one creator at
# a time, since two that create the same accounts in different orders would wait for each other. Whoever comes second
# with a key waits at the unique index for the first one's commit, and is told whether both say the same.
POST = """
CREATE FUNCTION ledger_post(
    its_kind text, its_ref text, its_idem text, its_day date, its_reverses bigint, at timestamptz,
    codes text[], currencies text[], amounts bigint[], OUT id bigint, OUT outcome text)
LANGUAGE plpgsql AS $$
DECLARE
    accounts bigint[];
BEGIN
    accounts := ledger_accounts(codes);
    IF array_position(accounts, NULL) IS NOT NULL THEN
        PERFORM ledger_open_accounts(codes, currencies);
        accounts := ledger_accounts(codes);
    END IF;
    INSERT INTO ledger_txn (kind, ref, idem, effective_on, reverses, posted_at)
    VALUES (its_kind, its_ref, its_idem, its_day, its_reverses, at)
    ON CONFLICT (idem) DO NOTHING RETURNING ledger_txn.id INTO id;
    IF id IS NULL THEN
        SELECT t.id, CASE WHEN (t.kind, t.ref, t.effective_on) = (its_kind, its_ref, its_day)
                AND t.reverses IS NOT DISTINCT FROM its_reverses
                AND ledger_entries_of(t.id) = ledger_entries(codes, currencies, amounts) THEN 'same' ELSE 'other' END
        INTO id, outcome FROM ledger_txn t WHERE t.idem = its_idem;
        RETURN;
    END IF;
    INSERT INTO ledger_entry (txn_id, seq, account_id, currency, amount_minor)
    SELECT ledger_post.id, e.seq, e.account, e.currency, e.amount
    FROM unnest(accounts, currencies, amounts) WITH ORDINALITY AS e (account, currency, amount, seq);
    INSERT INTO ledger_seal (txn_id, entries) VALUES (id, cardinality(codes));
    outcome := 'new';
END $$
"""
ACCOUNTS = """
CREATE FUNCTION ledger_accounts(codes text[]) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(a.id ORDER BY asked.place)
    FROM unnest(codes) WITH ORDINALITY AS asked (code, place) LEFT JOIN ledger_account a ON a.code = asked.code
$$
"""
OPEN_ACCOUNTS = """
CREATE FUNCTION ledger_open_accounts(codes text[], currencies text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1818584167);  -- "ledg"
    INSERT INTO ledger_account (code, kind, currency)
    SELECT DISTINCT asked.code, CASE split_part(asked.code, ':', 1) WHEN 'Assets' THEN 'asset'
        WHEN 'Liabilities' THEN 'liability' WHEN 'Equity' THEN 'equity' WHEN 'Income' THEN 'income'
        WHEN 'Expenses' THEN 'expense' ELSE '' END, asked.currency
    FROM unnest(codes, currencies) AS asked (code, currency)
    WHERE NOT EXISTS (SELECT 1 FROM ledger_account a WHERE a.code = asked.code)
    ORDER BY asked.code
    ON CONFLICT (code) DO NOTHING;
END $$
"""
# One text for the entries of a transaction, as asked for and as booked.
ENTRIES = """
CREATE FUNCTION ledger_entries(codes text[], currencies text[], amounts bigint[]) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(e.code || ' ' || e.currency || ' ' || e.amount || E'\\n', '' ORDER BY e.seq)
    FROM unnest(codes, currencies, amounts) WITH ORDINALITY AS e (code, currency, amount, seq)
$$
"""
ENTRIES_OF = """
CREATE FUNCTION ledger_entries_of(its_txn_id bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(a.code || ' ' || e.currency || ' ' || e.amount_minor || E'\\n', '' ORDER BY e.seq)
    FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id WHERE e.txn_id = its_txn_id
$$
"""
# What the record's entry of a posting commits to, made anew out of what the tables hold.
DIGEST = """
CREATE FUNCTION ledger_digest(its_txn_id bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(
        t.kind || E'\\n' || t.ref || E'\\n' || t.idem || E'\\n' || to_char(t.effective_on, 'YYYY-MM-DD') || E'\\n'
        || coalesce(t.reverses::text, '') || E'\\n' || coalesce(ledger_entries_of(t.id), ''), 'UTF8')), 'hex')
    FROM ledger_txn t WHERE t.id = its_txn_id
$$
"""
FUNCTIONS = {
    "ledger_accounts(text[])": ACCOUNTS,
    "ledger_open_accounts(text[], text[])": OPEN_ACCOUNTS,
    "ledger_entries(text[], text[], bigint[])": ENTRIES,
    "ledger_entries_of(bigint)": ENTRIES_OF,
    "ledger_digest(bigint)": DIGEST,
    "ledger_post(text, text, text, date, bigint, timestamptz, text[], text[], bigint[])": POST,
}


def upgrade() -> None:
    """Create."""
    for function in FUNCTIONS.values():
        op.execute(function)
    op.create_check_constraint(
        "ck_ledger_account_code", "ledger_account", "code ~ '^[A-Z][A-Za-z]*(:[A-Za-z0-9_-]+)+$'"
    )
    _create_earnings()
    op.execute(EARLIER_EARNINGS)
    op.execute(CHECK_EARNING)
    for when, function in (("UPDATE", "earning_check_change"), ("DELETE", "refuse_change")):
        op.execute(
            f"CREATE TRIGGER earning_{when.lower()} BEFORE {when} ON earning FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    op.execute(
        "CREATE TRIGGER earning_never_emptied BEFORE TRUNCATE ON earning"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Drop; refuses where a sale was given back."""
    op.execute(REFUSE_LOSS)
    for signature in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {signature}")
    op.drop_table("earning")
    op.drop_constraint("ck_ledger_account_code", "ledger_account")
    op.execute("DROP FUNCTION earning_check_change()")


def _create_earnings() -> None:
    op.create_table(
        "earning",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("idem", sa.Text(), nullable=False),
        sa.Column("undoes", sa.Text(), nullable=True),
        sa.Column("txn_id", sa.BigInteger(), nullable=True),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("money_account", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("buyer_organization_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("net_yen", sa.BigInteger(), nullable=False),
        sa.Column("tax_yen", sa.BigInteger(), nullable=False),
        sa.Column("commission_yen", sa.BigInteger(), nullable=False),
        sa.Column("commission_tax_yen", sa.BigInteger(), nullable=False),
        sa.Column("payable_yen", sa.BigInteger(), nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("available_on", sa.Date(), nullable=True),
        sa.Column("released_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('sale', 'reversal', 'restoration')", name="ck_earning_kind"),
        sa.CheckConstraint("via IN ('gateway', 'receivable', 'outside')", name="ck_earning_via"),
        sa.CheckConstraint("role IN ('agent', 'principal')", name="ck_earning_role"),
        sa.CheckConstraint(
            "payable_yen = CASE via WHEN 'outside' THEN 0"
            " ELSE net_yen + tax_yen - commission_yen - commission_tax_yen END",
            name="ck_earning_payable",
        ),
        sa.CheckConstraint(
            "CASE kind WHEN 'reversal' THEN GREATEST(net_yen, tax_yen, commission_yen, commission_tax_yen) <= 0"
            " ELSE LEAST(net_yen, tax_yen, commission_yen, commission_tax_yen) >= 0 END",
            name="ck_earning_sign",
        ),
        sa.CheckConstraint("released_on IS NULL OR available_on IS NOT NULL", name="ck_earning_released"),
        sa.CheckConstraint("(undoes IS NOT NULL) = (kind = 'restoration')", name="ck_earning_undoes"),
        sa.ForeignKeyConstraint(["txn_id"], ["ledger_txn.id"], name="fk_earning_txn_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_earning_organization_id"),
        sa.ForeignKeyConstraint(
            ["buyer_organization_id"], ["organization.id"], name="fk_earning_buyer_organization_id"
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_earning_dataset_id"),
        sa.PrimaryKeyConstraint("id", name="pk_earning"),
    )
    op.create_index(
        "uq_earning_idem_organization_id_dataset_id", "earning", ["idem", "organization_id", "dataset_id"], unique=True
    )
    op.create_index("ix_earning_ref", "earning", ["ref"])
    op.create_index("ix_earning_undoes", "earning", ["undoes"])
    op.create_index("ix_earning_organization_id_occurred_on", "earning", ["organization_id", "occurred_on"])
    op.create_index(
        "ix_earning_available_on_pending",
        "earning",
        ["available_on"],
        postgresql_where=sa.text("released_on IS NULL"),
    )
