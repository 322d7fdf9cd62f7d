"""Rows and requests are metered; usage is rated by period; subscriptions."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# A rated line is proof: only the invoice that bills it is added later, once.
CHECK_RATED_LINE = """
CREATE FUNCTION rated_line_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.invoice_id IS NOT NULL OR NEW.invoice_id IS NULL
        OR to_jsonb(OLD) - 'invoice_id'::text IS DISTINCT FROM to_jsonb(NEW) - 'invoice_id'::text
    THEN
        RAISE EXCEPTION 'rated line % does not change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""
# Until now every price was per MiB and counted over the whole life of a grant; a line's yen were the floor of
# all that the grant came to, less what its earlier lines were.
FILL_RATED_LINES = """
UPDATE rated_line AS line
   SET period = 'grant', closed = false, unit = 'byte', revision = told.revision, line_yen = told.line_yen,
       provider_organization_id = told.provider_organization_id, organization_id = told.organization_id
  FROM (SELECT r.id, g.provider_organization_id, g.organization_id,
               row_number() OVER grown AS revision,
               floor(sum(r.amount_yen_exact) OVER grown)
                 - floor(sum(r.amount_yen_exact) OVER grown - r.amount_yen_exact) AS line_yen
          FROM rated_line r JOIN access_grant g ON g.id = r.grant_id
        WINDOW grown AS (PARTITION BY r.grant_id ORDER BY r.bytes_from)) AS told
 WHERE told.id = line.id
"""
# The version before knows bytes over the whole life of a grant, and nothing else.
SHRINK_RATED_LINES = """
WITH grown AS (
  SELECT id, sum(quantity_to - quantity_from) OVER (PARTITION BY grant_id ORDER BY period, revision) AS until
    FROM rated_line)
UPDATE rated_line AS line
   SET quantity_from = grown.until - (line.quantity_to - line.quantity_from), quantity_to = grown.until,
       amount_yen_exact = greatest(line.amount_yen_exact, 0)
  FROM grown WHERE grown.id = line.id
"""
COLUMNS = ("provider_organization_id", "organization_id", "period", "revision", "closed", "unit", "line_yen")


def upgrade() -> None:
    """Extend usage and rated lines, create subscriptions."""
    _extend_usage()
    _extend_rated_lines()
    _create_subscriptions()


def downgrade() -> None:
    """Drop; rated lines of rows, of requests and without quantity are lost, as the version before has no place for them."""
    op.drop_table("subscription_term")
    op.drop_table("subscription")
    _shrink_rated_lines()
    op.drop_constraint("ck_usage_event_counts", "usage_event", type_="check")
    op.drop_column("usage_event", "requests")
    op.drop_column("usage_event", "rows_new")


def _extend_usage() -> None:
    op.add_column("usage_event", sa.Column("rows_new", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("usage_event", sa.Column("requests", sa.Integer(), server_default="0", nullable=False))
    op.execute("ALTER TABLE usage_event DISABLE TRIGGER usage_event_append_only")
    op.execute("UPDATE usage_event SET requests = 1 WHERE bytes_acked > 0")
    op.execute("ALTER TABLE usage_event ENABLE TRIGGER usage_event_append_only")
    op.alter_column("usage_event", "rows_new", server_default=None)
    op.alter_column("usage_event", "requests", server_default=None)
    op.create_check_constraint("ck_usage_event_counts", "usage_event", "rows_new >= 0 AND requests IN (0, 1)")


def _extend_rated_lines() -> None:
    op.execute("DROP TRIGGER rated_line_append_only ON rated_line")
    op.drop_constraint("ck_rated_line_stretch", "rated_line", type_="check")
    op.drop_constraint("ck_rated_line_amount", "rated_line", type_="check")
    op.drop_index("uq_rated_line_grant_id_bytes_from", "rated_line")
    for name, kind in zip(COLUMNS, _kinds(), strict=True):
        op.add_column("rated_line", sa.Column(name, kind, nullable=True))
    op.execute(FILL_RATED_LINES)
    for name in COLUMNS:
        op.alter_column("rated_line", name, nullable=False)
    op.alter_column("rated_line", "bytes_from", new_column_name="quantity_from")
    op.alter_column("rated_line", "bytes_to", new_column_name="quantity_to")
    _constrain_rated_lines()
    op.execute(CHECK_RATED_LINE)
    op.execute(
        "CREATE TRIGGER rated_line_unchanged BEFORE UPDATE ON rated_line"
        " FOR EACH ROW EXECUTE FUNCTION rated_line_check_change()"
    )
    op.execute(
        "CREATE TRIGGER rated_line_kept BEFORE DELETE ON rated_line FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _kinds() -> tuple[sa.types.TypeEngine, ...]:
    return (sa.Text(), sa.Text(), sa.Text(), sa.Integer(), sa.Boolean(), sa.Text(), sa.BigInteger())


def _constrain_rated_lines() -> None:
    for name, condition in (
        ("stretch", "0 <= quantity_from AND quantity_from <= quantity_to"),
        ("revision", "revision >= 1"),
        ("period", "period ~ '^(grant|[0-9]{4}-[0-9]{2})$'"),
        ("unit", "unit IN ('byte', 'row', 'request')"),
        ("invoiced", "invoice_id IS NULL OR line_yen <> 0"),
    ):
        op.create_check_constraint(f"ck_rated_line_{name}", "rated_line", condition)
    for name in ("provider_organization_id", "organization_id"):
        op.create_foreign_key(f"fk_rated_line_{name}", "rated_line", "organization", [name], ["id"])
    key = ["grant_id", "period", "revision"]
    op.create_index("uq_rated_line_grant_id_period_revision", "rated_line", key, unique=True)
    op.create_index(
        "ix_rated_line_provider_organization_id_open",
        "rated_line",
        ["provider_organization_id", "organization_id"],
        postgresql_where=sa.text("invoice_id IS NULL AND line_yen <> 0"),
    )


def _shrink_rated_lines() -> None:
    for trigger in ("unchanged", "kept"):
        op.execute(f"DROP TRIGGER rated_line_{trigger} ON rated_line")
    op.execute("DROP FUNCTION rated_line_check_change()")
    op.drop_index("ix_rated_line_provider_organization_id_open", "rated_line")
    op.drop_index("uq_rated_line_grant_id_period_revision", "rated_line")
    for name in ("stretch", "revision", "period", "unit", "invoiced"):
        op.drop_constraint(f"ck_rated_line_{name}", "rated_line", type_="check")
    op.execute("DELETE FROM rated_line WHERE unit <> 'byte' OR quantity_from = quantity_to")
    op.execute(SHRINK_RATED_LINES)
    for name in COLUMNS:
        op.drop_column("rated_line", name)
    op.alter_column("rated_line", "quantity_from", new_column_name="bytes_from")
    op.alter_column("rated_line", "quantity_to", new_column_name="bytes_to")
    op.create_check_constraint("ck_rated_line_stretch", "rated_line", "0 <= bytes_from AND bytes_from < bytes_to")
    op.create_check_constraint("ck_rated_line_amount", "rated_line", "amount_yen_exact >= 0")
    op.create_index("uq_rated_line_grant_id_bytes_from", "rated_line", ["grant_id", "bytes_from"], unique=True)
    op.execute(
        "CREATE TRIGGER rated_line_append_only BEFORE UPDATE OR DELETE ON rated_line"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _create_subscriptions() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("provider_organization_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("acceptance_id", sa.Text(), nullable=False),
        sa.Column("terms_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("term_number", sa.Integer(), nullable=False),
        sa.Column("term_from", sa.Date(), nullable=False),
        sa.Column("term_to", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_cause", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('active', 'past_due', 'ended')", name="ck_subscription_state"),
        sa.CheckConstraint(
            "term_number >= 1 AND starts_on <= term_from AND term_from <= term_to", name="ck_subscription_term"
        ),
        sa.CheckConstraint("num_nulls(cancelled_at, cancelled_by) IN (0, 2)", name="ck_subscription_cancelled"),
        sa.CheckConstraint(
            "num_nonnulls(ended_at, end_cause) = CASE state WHEN 'ended' THEN 2 ELSE 0 END",
            name="ck_subscription_ended",
        ),
        sa.CheckConstraint(
            "end_cause IN ('cancelled', 'unpaid', 'licence_ended', 'grant_revoked')",
            name="ck_subscription_end_cause",
        ),
        *(
            sa.ForeignKeyConstraint([column], [target], name=f"fk_subscription_{column}")
            for column, target in (
                ("organization_id", "organization.id"),
                ("provider_organization_id", "organization.id"),
                ("offer_id", "offer.id"),
                ("dataset_id", "dataset.id"),
                ("acceptance_id", "acceptance.id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subscription"),
    )
    op.create_index("ix_subscription_organization_id_id", "subscription", ["organization_id", "id"])
    op.create_index("ix_subscription_provider_organization_id_id", "subscription", ["provider_organization_id", "id"])
    op.create_index(
        "ix_subscription_term_to_running", "subscription", ["term_to"], postgresql_where=sa.text("state <> 'ended'")
    )
    _create_terms()


def _create_terms() -> None:
    op.create_table(
        "subscription_term",
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("term_from", sa.Date(), nullable=False),
        sa.Column("term_to", sa.Date(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("number >= 1 AND term_from <= term_to", name="ck_subscription_term_term"),
        sa.CheckConstraint("opened_at IS NULL OR paid_at IS NOT NULL", name="ck_subscription_term_opened"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name="fk_subscription_term_subscription_id"),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name="fk_subscription_term_order_id"),
        sa.PrimaryKeyConstraint("subscription_id", "number", name="pk_subscription_term"),
        sa.UniqueConstraint("order_id", name="uq_subscription_term_order_id"),
    )
    op.create_index(
        "ix_subscription_term_term_from_paid",
        "subscription_term",
        ["term_from"],
        postgresql_where=sa.text("paid_at IS NOT NULL AND opened_at IS NULL"),
    )
