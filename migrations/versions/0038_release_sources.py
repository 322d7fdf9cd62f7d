"""Where the next releases of a dataset are fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "release_source",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("publish", sa.Boolean(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("last_result", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=True),
        sa.Column("awaiting_release_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("schedule IN ('hourly', 'daily', 'weekly', 'monthly')", name="ck_release_source_schedule"),
        sa.CheckConstraint("last_result IN ('fresh', 'unchanged', 'failed')", name="ck_release_source_last_result"),
        sa.CheckConstraint("(problem IS NOT NULL) = (failures > 0)", name="ck_release_source_problem"),
        sa.CheckConstraint("url LIKE 'https://%'", name="ck_release_source_url"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_release_source_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_release_source_organization_id"),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_release_source_release_id"),
        sa.ForeignKeyConstraint(["awaiting_release_id"], ["release.id"], name="fk_release_source_awaiting_release_id"),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_release_source"),
    )
    op.create_index("ix_release_source_next_at", "release_source", ["next_at"])


def downgrade() -> None:
    """Drop; nothing is fetched any more."""
    op.drop_table("release_source")
