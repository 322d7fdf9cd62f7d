"""Trials: what providers let buyers try of a dataset, and who has tried it."""

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "trial_policy",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("terms_id", sa.Text(), nullable=False),
        sa.Column("terms_sha256", sa.Text(), nullable=False),
        sa.Column("duration_days", sa.Integer(), nullable=False),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("duration_days BETWEEN 1 AND 366", name="ck_trial_policy_duration_days"),
        sa.CheckConstraint("quota_bytes > 0", name="ck_trial_policy_quota_bytes"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_trial_policy_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_trial_policy_organization_id"),
        sa.ForeignKeyConstraint(
            ["terms_id", "terms_sha256"], ["terms.id", "terms.sha256"], name="fk_trial_policy_terms_id"
        ),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_trial_policy"),
    )
    op.create_table(
        "trial",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_trial_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_trial_organization_id"),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name="fk_trial_order_id"),
        sa.PrimaryKeyConstraint("dataset_id", "organization_id", name="pk_trial"),
        sa.UniqueConstraint("order_id", name="uq_trial_order_id"),
    )
    op.create_index("ix_trial_organization_id", "trial", ["organization_id"])


def downgrade() -> None:
    """Drop; grants that came of trials stay, and each organization could try again."""
    op.drop_table("trial")
    op.drop_table("trial_policy")
