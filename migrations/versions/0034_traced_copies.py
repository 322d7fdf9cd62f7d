"""Traced copies: a grant's own copy of a table, by which it can be told whose copy has leaked."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "traced_copy",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("method IN ('row_order', 'canary')", name="ck_traced_copy_method"),
        sa.CheckConstraint("num_nonnulls(sha256, size_bytes, made_at) IN (0, 3)", name="ck_traced_copy_made"),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grant.id"], name="fk_traced_copy_grant_id"),
        sa.PrimaryKeyConstraint("grant_id", "source_sha256", name="pk_traced_copy"),
    )
    op.create_index(
        "ix_traced_copy_source_sha256_waiting",
        "traced_copy",
        ["source_sha256"],
        postgresql_where=sa.text("sha256 IS NULL"),
    )


def downgrade() -> None:
    """Drop."""
    op.drop_table("traced_copy")
