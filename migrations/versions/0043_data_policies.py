"""Data policies: grants that open parts of tables, the parts made for them, and the keys by which rows are known."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.add_column("access_grant", sa.Column("policy_sha256", sa.Text(), nullable=True))
    op.create_check_constraint("ck_access_grant_policy_sha256", "access_grant", "policy_sha256 ~ '^[0-9a-f]{64}$'")
    keys = sa.Column("key_columns", JSONB(), nullable=False, server_default=sa.text("'[]'"))
    op.add_column("dataset", keys)
    op.create_check_constraint("ck_dataset_key_columns", "dataset", "jsonb_typeof(key_columns) = 'array'")
    _policed_copy()


def _policed_copy() -> None:
    op.create_table(
        "policed_copy",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("recipe_sha256", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("profile", JSONB(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(sha256, size_bytes, rows, media_type, profile) IN (0, 5)", name="ck_policed_copy_made"
        ),
        sa.CheckConstraint(
            "num_nonnulls(sha256, problem) = CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END", name="ck_policed_copy_ended"
        ),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grant.id"], name="fk_policed_copy_grant_id"),
        sa.PrimaryKeyConstraint("grant_id", "source_sha256", name="pk_policed_copy"),
    )
    op.create_index("ix_policed_copy_source_sha256_recipe_sha256", "policed_copy", ["source_sha256", "recipe_sha256"])
    op.create_index("ix_policed_copy_sha256", "policed_copy", ["sha256"])


def downgrade() -> None:
    """Drop; refused while a grant opens a part alone, since it would then open the whole."""
    op.execute(
        """
        DO $$ BEGIN
          IF EXISTS (SELECT FROM access_grant WHERE policy_sha256 IS NOT NULL) THEN
            RAISE EXCEPTION 'grants open parts of tables: without their policies they would open the whole';
          END IF;
        END $$
        """
    )
    op.drop_table("policed_copy")
    op.drop_column("dataset", "key_columns")
    op.drop_column("access_grant", "policy_sha256")
