"""Keys by which publicly listed datasets are joined; `marketplace search rebuild` finds those of what is listed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

KINDS = "'date', 'mesh', 'government_code', 'postal_code', 'corporate_number', 'coordinates'"


def upgrade() -> None:
    """Create."""
    op.create_table(
        "join_key",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("dataset_id", "kind", "grain", "area")),
        sa.Column("columns", JSONB(), nullable=False),
        sa.Column("time_from", sa.Date()),
        sa.Column("time_to", sa.Date()),
        sa.Column("recency", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name="ck_join_key_kind"),
        sa.CheckConstraint("time_from <= time_to", name="ck_join_key_span"),
        sa.PrimaryKeyConstraint("dataset_id", "kind", "grain", "area", name="pk_join_key"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_join_key_dataset_id"),
    )
    op.create_index("ix_join_key_kind_area_recency", "join_key", ["kind", "area", "recency", "dataset_id"])
    op.create_index("ix_join_key_kind_recency", "join_key", ["kind", "recency", "dataset_id"])


def downgrade() -> None:
    """Drop: keys are found anew from the listings."""
    op.drop_table("join_key")
