"""Agents: what a person lets them fetch in a day, and what they were given."""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "agent_budget",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("bytes_per_day", sa.BigInteger(), nullable=False),
        sa.Column("yen_per_day", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("bytes_per_day BETWEEN 0 AND 1000000000000000", name=op.f("ck_agent_budget_bytes_per_day")),
        sa.CheckConstraint("yen_per_day BETWEEN 0 AND 999999999999", name=op.f("ck_agent_budget_yen_per_day")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_agent_budget_version")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_agent_budget_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_agent_budget"),
    )
    op.create_table(
        "agent_day",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("bytes_given", sa.BigInteger(), nullable=False),
        sa.Column("yen_given", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("bytes_given >= 0 AND yen_given >= 0", name=op.f("ck_agent_day_given")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_agent_day_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "day", name="pk_agent_day"),
    )


def downgrade() -> None:
    """Drop."""
    op.drop_table("agent_day")
    op.drop_table("agent_budget")
