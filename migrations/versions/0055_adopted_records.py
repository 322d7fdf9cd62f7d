"""Records adopted from former operators: what was signed, where each entry is in the archive, hashes of the tree."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

TABLES = ("adopted_record", "adopted_entry", "adopted_node")


def upgrade() -> None:
    """Create."""
    op.create_table(
        "adopted_record",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("keys", JSONB(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="ck_adopted_record_sha256"),
        sa.CheckConstraint("size > 0", name="ck_adopted_record_size"),
        sa.CheckConstraint("octet_length(root) = 32", name="ck_adopted_record_root"),
        sa.PrimaryKeyConstraint("id", name="pk_adopted_record"),
        sa.UniqueConstraint("sha256", name="uq_adopted_record_sha256"),
    )
    op.create_table(
        "adopted_entry",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["adopted_record.id"], name="fk_adopted_entry_record_id"),
        sa.PrimaryKeyConstraint("record_id", "entry_id", name="pk_adopted_entry"),
    )
    op.create_table(
        "adopted_node",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["adopted_record.id"], name="fk_adopted_node_record_id"),
        sa.PrimaryKeyConstraint("record_id", "level", "position", name="pk_adopted_node"),
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
    """Drop; the archives stay in the data folder, and can be adopted again."""
    for table in reversed(TABLES):
        op.drop_table(table)
