"""Delegations: an organization lets another manage its listings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "delegation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("delegator_id", sa.Text(), nullable=False),
        sa.Column("delegate_id", sa.Text(), nullable=False),
        sa.Column("permissions", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("delegator_id <> delegate_id", name="ck_delegation_two_sides"),
        sa.CheckConstraint(
            "jsonb_typeof(permissions) = 'array' AND permissions <> '[]'::jsonb", name="ck_delegation_permissions"
        ),
        sa.CheckConstraint("ended_at >= created_at", name="ck_delegation_ended_at"),
        sa.ForeignKeyConstraint(["delegator_id"], ["organization.id"], name="fk_delegation_delegator_id"),
        sa.ForeignKeyConstraint(["delegate_id"], ["organization.id"], name="fk_delegation_delegate_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delegation"),
    )
    op.create_index("ix_delegation_delegate_id", "delegation", ["delegate_id"])
    op.create_index("ix_delegation_delegator_id", "delegation", ["delegator_id"])
    op.create_index(
        "uq_delegation_delegator_id_delegate_id",
        "delegation",
        ["delegator_id", "delegate_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    """Drop."""
    op.drop_table("delegation")
