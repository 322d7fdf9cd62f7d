"""Leases: deliveries of a grant's quota that serving processes hold, and what else drops a pass is told."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

# A right that was looked at is to be looked at again when a grant opens another release, or a budget begins to count.
TELL = """
CREATE FUNCTION tell_of_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_notify('musubi_rights', NEW.{column});
  RETURN NULL;
END $$
"""
TOLD = {"access_grant_release": ("opening", "grant_id"), "budget": ("budget", "organization_id")}


def upgrade() -> None:
    """Create."""
    op.create_table(
        "quota_lease",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("deliveries_held", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "deliveries_held >= 0 AND (closed_at IS NULL OR deliveries_held = 0)", name="ck_quota_lease_held"
        ),
        sa.ForeignKeyConstraint(["grant_id"], ["quota.grant_id"], name="fk_quota_lease_grant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quota_lease"),
    )
    open_ones = sa.text("closed_at IS NULL")
    op.create_index("ix_quota_lease_expires_at_open", "quota_lease", ["expires_at"], postgresql_where=open_ones)
    op.add_column("quota", sa.Column("leased_deliveries", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    _bound(" + leased_deliveries")
    op.create_check_constraint("ck_quota_leased", "quota", "leased_deliveries >= 0")
    for table, (name, column) in TOLD.items():
        op.execute(TELL.format(name=name, column=column))
        op.execute(
            f"CREATE TRIGGER {table}_told AFTER INSERT OR UPDATE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION tell_of_{name}()"
        )


def _bound(leased: str) -> None:
    for name, used in (("downloads", "used_downloads"), ("requests", "used_requests + open_deliveries")):
        op.drop_constraint(f"ck_quota_{name}", "quota", type_="check")
        op.create_check_constraint(f"ck_quota_{name}", "quota", f"{used}{leased} <= limit_{name}")


def downgrade() -> None:
    """Drop."""
    for table, (name, _) in TOLD.items():
        op.execute(f"DROP TRIGGER {table}_told ON {table}")
        op.execute(f"DROP FUNCTION tell_of_{name}()")
    op.drop_constraint("ck_quota_leased", "quota", type_="check")
    _bound("")
    op.drop_column("quota", "leased_deliveries")
    op.drop_table("quota_lease")
