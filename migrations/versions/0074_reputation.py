"""Reputation: ratings by those who bought, and what was told of providers month by month."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "rating",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("provider_organization_id", sa.Text(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("text_ja", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("shows_name", sa.Boolean(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("withdrawn_at", moment, nullable=True),
        sa.Column("hidden_at", moment, nullable=True),
        sa.Column("hidden_reason", sa.Text(), nullable=True),
        sa.Column("reply_ja", sa.Text(), nullable=False),
        sa.Column("reply_en", sa.Text(), nullable=False),
        sa.Column("replied_at", moment, nullable=True),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name="ck_rating_stars"),
        sa.CheckConstraint("num_nulls(hidden_at, hidden_reason) IN (0, 2)", name="ck_rating_hidden"),
        sa.CheckConstraint("(replied_at IS NULL) = (reply_ja = '' AND reply_en = '')", name="ck_rating_reply"),
        sa.CheckConstraint("organization_id <> provider_organization_id", name="ck_rating_two_sides"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_rating_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_rating_organization_id"),
        sa.ForeignKeyConstraint(
            ["provider_organization_id"], ["organization.id"], name="fk_rating_provider_organization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rating"),
        sa.UniqueConstraint("dataset_id", "organization_id", name="uq_rating_dataset_id_organization_id"),
    )
    op.create_index("ix_rating_dataset_id_id", "rating", ["dataset_id", "id"])
    op.create_index("ix_rating_organization_id", "rating", ["organization_id"])
    op.create_index("ix_rating_provider_organization_id", "rating", ["provider_organization_id"])
    op.create_table(
        "provider_standing",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("published_at", moment, nullable=False),
        sa.CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="ck_provider_standing_month"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_provider_standing_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "month", name="pk_provider_standing"),
    )


def downgrade() -> None:
    """Drop; what buyers said is lost, what the books say is counted anew."""
    op.drop_table("provider_standing")
    op.drop_table("rating")
