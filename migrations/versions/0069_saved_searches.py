"""Saved searches of the catalogue, what came that they find, and how far one has looked."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _watch()
    _hit()
    op.create_table(
        "catalog_watch_mark",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("listed_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_catalog_watch_mark_one"),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_watch_mark"),
    )


def downgrade() -> None:
    """Drop: saved searches are lost."""
    for table in ("catalog_watch_mark", "catalog_watch_hit", "catalog_watch"):
        op.drop_table(table)


def _watch() -> None:
    name = "catalog_watch"
    op.create_table(
        name,
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("filters", JSONB(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("jsonb_typeof(filters) = 'object'", name=f"ck_{name}_filters"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=f"fk_{name}_organization_id"),
    )
    live = sa.text("ended_at IS NULL")
    op.create_index(
        f"uq_{name}_fingerprint", name, ["organization_id", "fingerprint"], unique=True, postgresql_where=live
    )
    op.create_index(f"ix_{name}_organization_id_id", name, ["organization_id", "id"])
    op.create_index(f"ix_{name}_id_live", name, ["id"], postgresql_where=live)


def _hit() -> None:
    name = "catalog_watch_hit"
    op.create_table(
        name,
        sa.Column("watch_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("watch_id", "dataset_id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["watch_id"], ["catalog_watch.id"], name=f"fk_{name}_watch_id"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=f"fk_{name}_dataset_id"),
    )
    op.create_index(f"ix_{name}_watch_id_found_at", name, ["watch_id", "found_at", "dataset_id"])
    op.create_index(f"ix_{name}_untold", name, ["watch_id"], postgresql_where=sa.text("told_at IS NULL"))
