"""Rights told: whoever delivers hears, with the commit, that something a right hangs on has changed."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# In the database, so that no deed can forget it: statements typed by hand tell as well.
TELL = """
CREATE FUNCTION tell_of_right() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_notify('musubi_rights', OLD.id);
  RETURN NULL;
END $$
"""
WATCHED = {
    "access_grant": ("state", "expires_at"),
    "organization": ("state", "trust", "capacities"),
    "api_client": ("state",),
    "dataset": ("trust_required",),
}


def upgrade() -> None:
    """Create."""
    op.execute(TELL)
    for table, columns in WATCHED.items():
        before, after = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
        op.execute(
            f"CREATE TRIGGER {table}_told AFTER UPDATE ON {table} FOR EACH ROW"
            f" WHEN (({before}) IS DISTINCT FROM ({after})) EXECUTE FUNCTION tell_of_right()"
        )
    op.execute(
        "CREATE TRIGGER api_client_gone_told AFTER DELETE ON api_client FOR EACH ROW EXECUTE FUNCTION tell_of_right()"
    )


def downgrade() -> None:
    """Drop."""
    op.execute("DROP TRIGGER api_client_gone_told ON api_client")
    for table in WATCHED:
        op.execute(f"DROP TRIGGER {table}_told ON {table}")
    op.execute("DROP FUNCTION tell_of_right()")
