"""Foreign catalogues that are taken over, runs over them, and what became of each record."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _harvests()
    _runs()
    op.create_table(
        "harvest_record",
        sa.Column("harvest_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("vanished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="ck_harvest_record_sha256"),
        sa.ForeignKeyConstraint(["harvest_id"], ["harvest.id"], name="fk_harvest_record_harvest_id"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_harvest_record_dataset_id"),
        sa.PrimaryKeyConstraint("harvest_id", "record_id", name="pk_harvest_record"),
        sa.UniqueConstraint("dataset_id", name="uq_harvest_record_dataset_id"),
    )
    _lines()


def _harvests() -> None:
    op.create_table(
        "harvest",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("repairs", sa.Boolean(), nullable=False),
        sa.Column("modified_since", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('ckan', 'list', 'cadde', 'dcat', 'packages')", name="ck_harvest_kind"),
        sa.CheckConstraint("schedule IN ('daily', 'weekly', 'monthly')", name="ck_harvest_schedule"),
        sa.CheckConstraint("schedule IS NULL OR address LIKE 'https://%'", name="ck_harvest_scheduled_address"),
        sa.CheckConstraint("(next_at IS NULL) = (schedule IS NULL)", name="ck_harvest_next_at"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_harvest_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_harvest"),
        sa.UniqueConstraint("organization_id", "address", name="uq_harvest_organization_id_address"),
    )
    op.create_index("ix_harvest_next_at", "harvest", ["next_at"], postgresql_where=sa.text("next_at IS NOT NULL"))


def _runs() -> None:
    counts = ("created", "changed", "unchanged", "refused", "vanished")
    op.create_table(
        "harvest_run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("harvest_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("is_full", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("cursor", postgresql.JSONB(), nullable=False),
        sa.Column("announced", sa.Integer(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        sa.Column("comparison", postgresql.JSONB(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('running', 'done', 'failed')", name="ck_harvest_run_state"),
        sa.CheckConstraint("(ended_at IS NULL) = (state = 'running')", name="ck_harvest_run_ended_at"),
        sa.CheckConstraint("state <> 'failed' OR problem IS NOT NULL", name="ck_harvest_run_problem"),
        sa.ForeignKeyConstraint(["harvest_id"], ["harvest.id"], name="fk_harvest_run_harvest_id"),
        sa.PrimaryKeyConstraint("id", name="pk_harvest_run"),
    )
    running = sa.text("state = 'running'")
    op.create_index("uq_harvest_run_running", "harvest_run", ["harvest_id"], unique=True, postgresql_where=running)
    op.create_index("ix_harvest_run_harvest_id_id", "harvest_run", ["harvest_id", "id"])


def _lines() -> None:
    outcomes = "'created', 'changed', 'unchanged', 'refused', 'vanished'"
    op.create_table(
        "harvest_line",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=True),
        sa.CheckConstraint(f"outcome IN ({outcomes})", name="ck_harvest_line_outcome"),
        sa.CheckConstraint("(reason IS NOT NULL) = (outcome = 'refused')", name="ck_harvest_line_reason"),
        sa.ForeignKeyConstraint(["run_id"], ["harvest_run.id"], name="fk_harvest_line_run_id"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_harvest_line_dataset_id"),
        sa.PrimaryKeyConstraint("run_id", "record_id", name="pk_harvest_line"),
    )
    op.create_index("ix_harvest_line_run_id_outcome", "harvest_line", ["run_id", "outcome", "record_id"])


def downgrade() -> None:
    """Drop; the datasets that were taken over stay."""
    for table in ("harvest_line", "harvest_record", "harvest_run", "harvest"):
        op.drop_table(table)
