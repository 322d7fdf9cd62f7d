"""The job queue, idempotency keys, and the append-only record."""

from pathlib import Path

import procrastinate
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("audit_entry", "audit_leaf", "audit_node")


def upgrade() -> None:
    """Create."""
    op.get_bind().exec_driver_sql(_queue_schema())
    op.create_table(
        "idempotency_record",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("answer", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "key", name="pk_idempotency_record"),
    )
    op.create_index("ix_idempotency_record_created_at", "idempotency_record", ["created_at"])
    _create_record()
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE FUNCTION wait_for_place() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO audit_waiting (occurred_at, entry_id) VALUES (NEW.occurred_at, NEW.id); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_entry_waits AFTER INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION wait_for_place()"
    )


def _create_record() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("counterparty_id", sa.Text(), nullable=True),
        sa.Column("dataset_id", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
    )
    for columns in (
        ("occurred_at", "id"),
        ("organization_id", "occurred_at"),
        ("counterparty_id", "occurred_at"),
        ("subject",),
        ("dataset_id", "occurred_at"),
        ("verb", "occurred_at"),
        ("amount_minor", "occurred_at"),
    ):
        op.create_index("ix_audit_entry_" + "_".join(columns), "audit_entry", list(columns))
    op.create_table(
        "audit_waiting",
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["audit_entry.id"], name="fk_audit_waiting_entry_id"),
        sa.PrimaryKeyConstraint("occurred_at", "entry_id", name="pk_audit_waiting"),
    )
    op.create_table(
        "audit_leaf",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["audit_entry.id"], name="fk_audit_leaf_entry_id"),
        sa.PrimaryKeyConstraint("position", name="pk_audit_leaf"),
        sa.UniqueConstraint("entry_id", name="uq_audit_leaf_entry_id"),
    )
    op.create_table(
        "audit_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name="pk_audit_node"),
    )


def downgrade() -> None:
    """Drop."""
    for table in ("audit_node", "audit_leaf", "audit_waiting", "audit_entry", "idempotency_record"):
        op.drop_table(table)
    op.execute("DROP FUNCTION wait_for_place()")
    op.execute("DROP FUNCTION refuse_change()")
    for name in _queue_objects("SELECT proname || '(' || pg_get_function_identity_arguments(oid) || ')' FROM pg_proc"):
        op.execute(f"DROP FUNCTION {name} CASCADE")
    for name in _queue_objects("SELECT tablename FROM pg_tables", "tablename"):
        op.execute(f"DROP TABLE {name} CASCADE")
    for name in _queue_objects("SELECT typname FROM pg_type", "typname", "AND typcategory IN ('E', 'C')"):
        op.execute(f"DROP TYPE {name} CASCADE")


def _queue_schema() -> str:
    # The queue's own schema, of the version that constraints.txt pins.
    text = (Path(procrastinate.__file__).parent / "sql" / "schema.sql").read_text()
    return text.replace("%", "%%")


def _queue_objects(select: str, column: str = "proname", condition: str = "") -> list[str]:
    rows = op.get_bind().exec_driver_sql(f"{select} WHERE {column} LIKE 'procrastinate\\_%%' {condition}")
    return [row[0] for row in rows]
