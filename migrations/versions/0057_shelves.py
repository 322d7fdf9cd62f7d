"""Shelves: public listings by when they changed, and datasets by their tags, as foreign catalogues ask."""

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_index("ix_listing_updated_at_dataset_id", "listing", ["updated_at", "dataset_id"])
    op.create_index(
        "ix_dataset_keywords",
        "dataset",
        ["keywords"],
        postgresql_using="gin",
        postgresql_ops={"keywords": "jsonb_path_ops"},
    )


def downgrade() -> None:
    """Drop."""
    op.drop_index("ix_dataset_keywords", "dataset")
    op.drop_index("ix_listing_updated_at_dataset_id", "listing")
