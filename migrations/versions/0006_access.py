"""Tables of access."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _create_grant()
    op.create_table(
        "access_grant_release",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grant.id"], name="fk_access_grant_release_grant_id"),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_access_grant_release_release_id"),
        sa.PrimaryKeyConstraint("grant_id", "release_id", name="pk_access_grant_release"),
    )
    op.create_index("ix_access_grant_release_release_id", "access_grant_release", ["release_id"])


def _create_grant() -> None:
    op.create_table(
        "access_grant",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("provider_organization_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("acceptance_id", sa.Text(), nullable=False),
        sa.Column("terms_sha256", sa.Text(), nullable=False),
        sa.Column("release_scope", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('active', 'revoked')", name="ck_access_grant_state"),
        sa.CheckConstraint("release_scope IN ('current', 'all')", name="ck_access_grant_release_scope"),
        sa.CheckConstraint("expires_at > starts_at", name="ck_access_grant_expires_at"),
        sa.CheckConstraint(
            "num_nonnulls(revoked_at, revoked_reason) = CASE state WHEN 'revoked' THEN 2 ELSE 0 END",
            name="ck_access_grant_revoked",
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_access_grant_organization_id"),
        sa.ForeignKeyConstraint(
            ["provider_organization_id"], ["organization.id"], name="fk_access_grant_provider_organization_id"
        ),
        sa.ForeignKeyConstraint(["order_id"], ["purchase_order.id"], name="fk_access_grant_order_id"),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name="fk_access_grant_offer_id"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_access_grant_dataset_id"),
        sa.ForeignKeyConstraint(["acceptance_id"], ["acceptance.id"], name="fk_access_grant_acceptance_id"),
        sa.PrimaryKeyConstraint("id", name="pk_access_grant"),
        sa.UniqueConstraint("order_id", name="uq_access_grant_order_id"),
    )
    for column in ("organization_id", "provider_organization_id", "dataset_id"):
        op.create_index(f"ix_access_grant_{column}_id", "access_grant", [column, "id"])


def downgrade() -> None:
    """Drop."""
    op.drop_table("access_grant_release")
    op.drop_table("access_grant")
