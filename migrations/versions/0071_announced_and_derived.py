"""Teasers and who watches them, what datasets were made of, and citations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _teaser()
    _watcher()
    _origin()
    _citation()


def _teaser() -> None:
    op.create_table(
        "teaser",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title_ja", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("description_ja", sa.Text(), nullable=False),
        sa.Column("description_en", sa.Text(), nullable=False),
        sa.Column("themes", JSONB(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("columns", JSONB(), nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=False),
        sa.Column("price_from_yen", sa.BigInteger(), nullable=True),
        sa.Column("price_to_yen", sa.BigInteger(), nullable=True),
        sa.Column("dataset_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('announced', 'coming', 'listed', 'withdrawn')", name="ck_teaser_state"),
        sa.CheckConstraint("version >= 1", name="ck_teaser_version"),
        sa.CheckConstraint("title_ja <> '' OR title_en <> ''", name="ck_teaser_title"),
        sa.CheckConstraint("jsonb_typeof(themes) = 'array' AND themes <> '[]'", name="ck_teaser_themes"),
        sa.CheckConstraint("jsonb_typeof(columns) = 'array'", name="ck_teaser_columns"),
        sa.CheckConstraint("region = 'JP' OR region ~ '^[0-9]{6}$'", name="ck_teaser_region"),
        sa.CheckConstraint(
            "num_nonnulls(price_from_yen, price_to_yen) IN (0, 2) AND price_from_yen BETWEEN 0 AND price_to_yen",
            name="ck_teaser_price",
        ),
        sa.CheckConstraint("state NOT IN ('coming', 'listed') OR dataset_id IS NOT NULL", name="ck_teaser_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_teaser_organization_id"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_teaser_dataset_id"),
        sa.PrimaryKeyConstraint("id", name="pk_teaser"),
    )
    op.create_index("ix_teaser_organization_id_id", "teaser", ["organization_id", "id"])
    op.create_index("ix_teaser_state_id", "teaser", ["state", "id"])
    named = sa.text("dataset_id IS NOT NULL")
    op.create_index("uq_teaser_dataset_id", "teaser", ["dataset_id"], unique=True, postgresql_where=named)


def _watcher() -> None:
    op.create_table(
        "teaser_watcher",
        sa.Column("teaser_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["teaser_id"], ["teaser.id"], name="fk_teaser_watcher_teaser_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_teaser_watcher_organization_id"),
        sa.PrimaryKeyConstraint("teaser_id", "organization_id", name="pk_teaser_watcher"),
    )
    op.create_index("ix_teaser_watcher_organization_id", "teaser_watcher", ["organization_id"])
    op.create_index(
        "ix_teaser_watcher_teaser_id_untold",
        "teaser_watcher",
        ["teaser_id"],
        postgresql_where=sa.text("told_at IS NULL"),
    )


def _origin() -> None:
    op.create_table(
        "dataset_origin",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_dataset_id", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.CheckConstraint("num_nonnulls(source_dataset_id, url) = 1", name="ck_dataset_origin_source"),
        sa.CheckConstraint("source_dataset_id <> dataset_id", name="ck_dataset_origin_itself"),
        sa.CheckConstraint("url IS NULL OR title <> ''", name="ck_dataset_origin_title"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_dataset_origin_dataset_id"),
        sa.ForeignKeyConstraint(["source_dataset_id"], ["dataset.id"], name="fk_dataset_origin_source_dataset_id"),
        sa.PrimaryKeyConstraint("dataset_id", "place", name="pk_dataset_origin"),
        sa.UniqueConstraint("dataset_id", "source_dataset_id", name="uq_dataset_origin_dataset_id_source_dataset_id"),
    )
    op.create_index("ix_dataset_origin_source_dataset_id", "dataset_origin", ["source_dataset_id"])


def _citation() -> None:
    op.create_table(
        "citation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('publication', 'application', 'use_case', 'news')", name="ck_citation_kind"),
        sa.CheckConstraint("state IN ('waiting', 'shown', 'declined', 'removed')", name="ck_citation_state"),
        sa.CheckConstraint("(decided_at IS NULL) = (state = 'waiting')", name="ck_citation_decided_at"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_citation_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_citation_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_citation"),
        sa.UniqueConstraint("dataset_id", "url", name="uq_citation_dataset_id_url"),
    )
    op.create_index("ix_citation_dataset_id_state_id", "citation", ["dataset_id", "state", "id"])
    op.create_index("ix_citation_organization_id", "citation", ["organization_id"])


def downgrade() -> None:
    """Drop; what was announced, derived and cited is lost, datasets stay."""
    for table in ("citation", "dataset_origin", "teaser_watcher", "teaser"):
        op.drop_table(table)
