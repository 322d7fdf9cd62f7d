"""Usage events lie by month, may be corrected, and are rolled up by hour; their keys stay in one table for good."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

PARTIES = ("grant_id", "organization_id", "provider_organization_id")
REFERRED = {
    "delivery_id": "delivery.id",
    "grant_id": "quota.grant_id",
    "organization_id": "organization.id",
    "provider_organization_id": "organization.id",
    "dataset_id": "dataset.id",
}
CARRIED = (
    "id, delivery_id, grant_id, organization_id, provider_organization_id, dataset_id, sha256, occurred_at, bytes_new,"
    " bytes_acked, rows_new, requests"
)
STRETCH = "0 <= quantity_from AND 0 <= quantity_to"
STRETCH_BEFORE = "0 <= quantity_from AND quantity_from <= quantity_to"
XID = "((pg_current_xact_id())::text)::bigint"
# Unique keys of a partitioned table must name what it is partitioned by, so they cannot hold for good. These do.
KEEP_KEY = """
CREATE FUNCTION usage_event_keep_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_key (event_id, delivery_id, reference, occurred_at)
    VALUES (NEW.id, NEW.delivery_id, coalesce(NEW.reference, ''), NEW.occurred_at);
    RETURN NEW;
END $$
"""
# Attaching locks the table less than creating in place. What came before its month was there lies in the rest: it moves.
OPEN_MONTH = """
CREATE FUNCTION open_usage_month(month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    part text := 'usage_event_' || to_char(month, 'YYYY_MM');
    begins timestamptz := CAST(month AS timestamp) AT TIME ZONE 'Asia/Tokyo';
    ends timestamptz := CAST(month + interval '1 month' AS timestamp) AT TIME ZONE 'Asia/Tokyo';
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE usage_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    IF EXISTS (SELECT FROM usage_event_rest WHERE occurred_at >= begins AND occurred_at < ends) THEN
        ALTER TABLE usage_event_rest DISABLE TRIGGER usage_event_append_only;
        EXECUTE format('WITH moved AS (DELETE FROM usage_event_rest WHERE occurred_at >= %L AND occurred_at < %L'
                       ' RETURNING *) INSERT INTO %I SELECT * FROM moved', begins, ends, part);
        ALTER TABLE usage_event_rest ENABLE TRIGGER usage_event_append_only;
    END IF;
    EXECUTE format('ALTER TABLE usage_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, begins, ends);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                   part || '_never_emptied', part);
    RETURN true;
END $$
"""
OPEN_MONTHS = """
SELECT open_usage_month(CAST(month AS date))
  FROM generate_series(
         date_trunc('month', timezone('Asia/Tokyo', least(now(), (SELECT min(occurred_at) FROM usage_event_before)))),
         date_trunc('month', timezone('Asia/Tokyo', now())) + interval '3 months', interval '1 month') AS month
"""
# The version before knows one event for each delivery: corrections go into those they correct. A correction that no
# settlement has claimed is not billed any more. Months that were put aside come back.
FOLD = f"""
INSERT INTO usage_event_plain ({CARRIED})
SELECT e.id, e.delivery_id, e.grant_id, e.organization_id, e.provider_organization_id, e.dataset_id, e.sha256,
       e.occurred_at, e.bytes_new + coalesce(c.bytes, 0), greatest(e.bytes_acked, e.bytes_new + coalesce(c.bytes, 0)),
       e.rows_new + coalesce(c.rows, 0), e.requests + coalesce(c.requests, 0)
  FROM usage_event e
  LEFT JOIN (SELECT corrects_event_id AS id, sum(bytes_new) AS bytes, sum(rows_new) AS rows, sum(requests) AS requests
               FROM usage_event WHERE corrects_event_id IS NOT NULL GROUP BY 1) AS c ON c.id = e.id
 WHERE e.corrects_event_id IS NULL
"""
FETCH_BACK = """
DO $$
DECLARE part text;
BEGIN
    FOR part IN SELECT relname FROM pg_class
                 WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND NOT relispartition
                   AND relname ~ '^usage_event_[0-9]{4}_[0-9]{2}$'
    LOOP
        EXECUTE format('ALTER TABLE usage_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
            to_timestamp(right(part, 7), 'YYYY_MM')::timestamp AT TIME ZONE 'Asia/Tokyo',
            (to_timestamp(right(part, 7), 'YYYY_MM')::timestamp + interval '1 month') AT TIME ZONE 'Asia/Tokyo');
    END LOOP;
END $$
"""
# In the version before quantities only grow: each line shows the least that any line after it reaches.
GROW = """
WITH floors AS (
  SELECT id, min(quantity_to) OVER (PARTITION BY grant_id, period ORDER BY revision DESC) AS reached
    FROM rated_line),
grown AS (
  SELECT l.id, floors.reached,
         coalesce(lag(floors.reached) OVER (PARTITION BY l.grant_id, l.period ORDER BY l.revision), 0) AS before
    FROM rated_line l JOIN floors ON floors.id = l.id)
UPDATE rated_line AS line SET quantity_from = grown.before, quantity_to = grown.reached
  FROM grown WHERE grown.id = line.id AND (grown.before, grown.reached) <> (line.quantity_from, line.quantity_to)
"""


def upgrade() -> None:
    """Carry the events over into months, and note the keys of all."""
    _put_aside()
    _create_key()
    _create_event()
    op.execute(KEEP_KEY)
    op.execute(OPEN_MONTH)
    op.execute("CREATE TABLE usage_event_rest PARTITION OF usage_event DEFAULT")
    _guard("usage_event")
    _guard("usage_key")
    op.execute(
        "CREATE TRIGGER usage_event_rest_never_emptied BEFORE TRUNCATE ON usage_event_rest"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER usage_event_keeps_key BEFORE INSERT ON usage_event"
        " FOR EACH ROW EXECUTE FUNCTION usage_event_keep_key()"
    )
    op.execute(OPEN_MONTHS)
    op.execute(f"INSERT INTO usage_event ({CARRIED}) SELECT {CARRIED} FROM usage_event_before")
    op.drop_table("usage_event_before")
    op.create_foreign_key("fk_usage_claim_event_id", "usage_claim", "usage_key", ["event_id"], ["event_id"])
    _create_rollup()
    op.drop_constraint("ck_rated_line_stretch", "rated_line", type_="check")
    op.create_check_constraint("ck_rated_line_stretch", "rated_line", STRETCH)


def _put_aside() -> None:
    op.drop_constraint("fk_usage_claim_event_id", "usage_claim", type_="foreignkey")
    op.execute("ALTER TABLE usage_event RENAME TO usage_event_before")
    for name in ("append_only", "never_emptied"):
        op.execute(f"DROP TRIGGER usage_event_{name} ON usage_event_before")
    for column in PARTIES:
        op.drop_index(f"ix_usage_event_{column}_occurred_at", "usage_event_before")
    op.drop_constraint("uq_usage_event_delivery_id", "usage_event_before", type_="unique")
    op.drop_constraint("pk_usage_event", "usage_event_before", type_="primary")


def _create_key() -> None:
    op.create_table(
        "usage_key",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_usage_key"),
        sa.UniqueConstraint("delivery_id", "reference", name="uq_usage_key_delivery_id"),
    )


def _columns() -> tuple[sa.Column, ...]:
    return (
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", *REFERRED, "sha256")),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bytes_new", sa.BigInteger(), nullable=False),
        sa.Column("bytes_acked", sa.BigInteger(), nullable=False),
        sa.Column("rows_new", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
    )


def _keys() -> tuple[sa.ForeignKeyConstraint, ...]:
    return tuple(
        sa.ForeignKeyConstraint([column], [target], name=f"fk_usage_event_{column}")
        for column, target in REFERRED.items()
    )


def _create_event() -> None:
    op.create_table(
        "usage_event",
        *_columns(),
        sa.Column("corrects_event_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("xid", sa.BigInteger(), server_default=sa.text(XID), nullable=False),
        sa.CheckConstraint(
            "corrects_event_id IS NOT NULL OR (bytes_new >= 0 AND bytes_new <= bytes_acked)",
            name="ck_usage_event_bytes",
        ),
        sa.CheckConstraint(
            "corrects_event_id IS NOT NULL OR (rows_new >= 0 AND requests IN (0, 1))", name="ck_usage_event_counts"
        ),
        sa.CheckConstraint(
            "num_nonnulls(corrects_event_id, reference, reason, corrected_at) IN (0, 4)",
            name="ck_usage_event_correction",
        ),
        sa.CheckConstraint("corrects_event_id IS NULL OR bytes_acked = 0", name="ck_usage_event_corrected"),
        sa.CheckConstraint("reference <> '' AND reason <> ''", name="ck_usage_event_words"),
        *_keys(),
        sa.ForeignKeyConstraint(["corrects_event_id"], ["usage_key.event_id"], name="fk_usage_event_corrects_event_id"),
        sa.PrimaryKeyConstraint("id", "occurred_at", name="pk_usage_event"),
        postgresql_partition_by="RANGE (occurred_at)",
    )
    for column in PARTIES:
        op.create_index(f"ix_usage_event_{column}_occurred_at", "usage_event", [column, "occurred_at"])
    op.create_index("ix_usage_event_xid", "usage_event", ["xid"])


def _guard(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _create_rollup() -> None:
    figures = ("bytes_new", "bytes_acked", "rows_new", "requests", "deliveries")
    op.create_table(
        "usage_rollup",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*PARTIES[1:], "dataset_id")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in figures),
        sa.PrimaryKeyConstraint("grant_id", "hour", name="pk_usage_rollup"),
    )
    for column in PARTIES[1:]:
        op.create_index(f"ix_usage_rollup_{column}_hour", "usage_rollup", [column, "hour"])
    op.create_table(
        "usage_rollup_cursor",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_xid", sa.BigInteger(), nullable=False),
        sa.Column("detached_before", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_usage_rollup_cursor"),
    )
    op.execute("INSERT INTO usage_rollup_cursor (name, next_xid) VALUES ('hours', 0)")


def downgrade() -> None:
    """Put the events into one table again, each with its corrections in it."""
    _shrink_lines()
    op.drop_table("usage_rollup_cursor")
    op.drop_table("usage_rollup")
    op.drop_constraint("fk_usage_claim_event_id", "usage_claim", type_="foreignkey")
    op.create_table("usage_event_plain", *_columns(), *_checks_before(), *_keys())
    op.execute(FETCH_BACK)
    op.execute(FOLD)
    op.drop_table("usage_event")
    op.drop_table("usage_key")
    op.execute("DROP FUNCTION open_usage_month(date)")
    op.execute("DROP FUNCTION usage_event_keep_key()")
    op.execute("ALTER TABLE usage_event_plain RENAME TO usage_event")
    op.create_primary_key("pk_usage_event", "usage_event", ["id"])
    op.create_unique_constraint("uq_usage_event_delivery_id", "usage_event", ["delivery_id"])
    for column in PARTIES:
        op.create_index(f"ix_usage_event_{column}_occurred_at", "usage_event", [column, "occurred_at"])
    _guard("usage_event")
    op.execute("ALTER TABLE usage_claim DISABLE TRIGGER usage_claim_append_only")
    op.execute("DELETE FROM usage_claim c WHERE NOT EXISTS (SELECT FROM usage_event e WHERE e.id = c.event_id)")
    op.execute("ALTER TABLE usage_claim ENABLE TRIGGER usage_claim_append_only")
    op.create_foreign_key("fk_usage_claim_event_id", "usage_claim", "usage_event", ["event_id"], ["id"])


def _checks_before() -> tuple[sa.CheckConstraint, ...]:
    return (
        sa.CheckConstraint("bytes_new >= 0 AND bytes_new <= bytes_acked", name="ck_usage_event_bytes"),
        sa.CheckConstraint("rows_new >= 0 AND requests IN (0, 1)", name="ck_usage_event_counts"),
    )


def _shrink_lines() -> None:
    op.drop_constraint("ck_rated_line_stretch", "rated_line", type_="check")
    op.execute("ALTER TABLE rated_line DISABLE TRIGGER rated_line_unchanged")
    op.execute(GROW)
    op.execute("ALTER TABLE rated_line ENABLE TRIGGER rated_line_unchanged")
    op.create_check_constraint("ck_rated_line_stretch", "rated_line", STRETCH_BEFORE)
