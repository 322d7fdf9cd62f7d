"""Tickets: short-lived addresses under which one file of a grant can be fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    op.create_table(
        "ticket",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("assurance", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begin_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("secret_sha256 ~ '^[0-9a-f]{64}$'", name="ck_ticket_secret_sha256"),
        sa.CheckConstraint("begin_by > issued_at", name="ck_ticket_begin_by"),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grant.id"], name="fk_ticket_grant_id"),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_ticket_release_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_ticket_organization_id"),
        sa.ForeignKeyConstraint(["client_id"], ["api_client.id"], name="fk_ticket_client_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name="fk_ticket_member_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_ticket"),
        sa.UniqueConstraint("secret_sha256", name="uq_ticket_secret_sha256"),
    )
    op.create_index("ix_ticket_issued_at", "ticket", ["issued_at"])


def downgrade() -> None:
    """Drop; the addresses that are out open nothing any more."""
    op.drop_table("ticket")
