"""Refunds, disputes and suspended grants."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let grants rest and come back."""
    _suspensions()


def downgrade() -> None:
    """Take suspensions away: a suspended grant opens again."""
    op.drop_constraint("ck_access_grant_revoked_for", "access_grant")
    op.drop_column("access_grant", "revoked_for")
    op.execute("UPDATE access_grant SET state = 'active' WHERE state = 'suspended'")
    op.drop_constraint("ck_access_grant_state", "access_grant")
    op.create_check_constraint("ck_access_grant_state", "access_grant", "state IN ('active', 'revoked')")
    op.drop_table("access_grant_suspension")


def _suspensions() -> None:
    op.drop_constraint("ck_access_grant_state", "access_grant")
    op.create_check_constraint("ck_access_grant_state", "access_grant", "state IN ('active', 'suspended', 'revoked')")
    op.add_column("access_grant", sa.Column("revoked_for", sa.Text))
    op.create_check_constraint(
        "ck_access_grant_revoked_for", "access_grant", "revoked_for IS NULL OR state = 'revoked'"
    )
    op.create_table(
        "access_grant_suspension",
        sa.Column("grant_id", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cause IN ('dispute', 'overdue')", name="ck_access_grant_suspension_cause"),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grant.id"], name="fk_access_grant_suspension_grant_id"),
        sa.PrimaryKeyConstraint("grant_id", "cause", "ref", name="pk_access_grant_suspension"),
    )
    op.create_index(
        "ix_access_grant_suspension_grant_id_open",
        "access_grant_suspension",
        ["grant_id"],
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
