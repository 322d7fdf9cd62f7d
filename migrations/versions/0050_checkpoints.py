"""What was signed of the record: checkpoints, what witnesses signed of them, and the keys."""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

TABLES = ("audit_checkpoint", "audit_cosignature", "audit_log_key")
PLACED = ("audit_leaf", "audit_node")


def upgrade() -> None:
    """Create."""
    op.create_check_constraint("ck_audit_entry_fits_a_tile", "audit_entry", "octet_length(canonical) <= 65535")
    for table in PLACED:
        op.create_check_constraint(f"ck_{table}_counted_from_zero", table, "position >= 0")
    op.create_table(
        "audit_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_audit_checkpoint"),
    )
    op.create_table(
        "audit_cosignature",
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("witnessed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["size"], ["audit_checkpoint.size"], name="fk_audit_cosignature_size"),
        sa.PrimaryKeyConstraint("size", "witness", name="pk_audit_cosignature"),
    )
    op.create_table(
        "audit_log_key",
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("vkey", name="pk_audit_log_key"),
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Drop."""
    op.drop_constraint("ck_audit_entry_fits_a_tile", "audit_entry")
    for table in PLACED:
        op.drop_constraint(f"ck_{table}_counted_from_zero", table)
    for table in ("audit_cosignature", "audit_checkpoint", "audit_log_key"):
        op.drop_table(table)
