"""Interfaces of providers that buyers ask through the exchange, and how often each grant asks in a minute."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "upstream",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("paths", postgresql.JSONB(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("header_names", postgresql.JSONB(), nullable=False),
        sa.Column("headers_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("requests_per_minute", sa.Integer(), nullable=False),
        sa.Column("openapi", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("base_url LIKE 'https://%'", name="ck_upstream_base_url"),
        sa.CheckConstraint("requests_per_minute > 0", name="ck_upstream_requests_per_minute"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_upstream_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_upstream_organization_id"),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_upstream"),
    )
    op.create_table(
        "request_window",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grant.id"], name="fk_request_window_grant_id"),
        sa.PrimaryKeyConstraint("grant_id", name="pk_request_window"),
    )


def downgrade() -> None:
    """Drop; nobody is asked through the exchange any more."""
    op.drop_table("request_window")
    op.drop_table("upstream")
