"""Lent rights: months of usage are made and put aside by the owner's right, on behalf of whoever serves."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

PUT_ASIDE = """
CREATE FUNCTION put_usage_month_aside(month date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE usage_event DETACH PARTITION %I', 'usage_event_' || to_char(month, 'YYYY_MM'));
END $$
"""
LENT = ("open_usage_month(date)", "put_usage_month_aside(date)")


def upgrade() -> None:
    """Create."""
    op.execute(PUT_ASIDE)
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for function in LENT:
        # Names are looked up in our schema before the caller's temporary tables, whatever the caller's path says.
        op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = {schema}, pg_temp")
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")


def downgrade() -> None:
    """Drop."""
    op.execute("DROP FUNCTION put_usage_month_aside(date)")
    op.execute("ALTER FUNCTION open_usage_month(date) SECURITY INVOKER RESET search_path")
    op.execute("GRANT EXECUTE ON FUNCTION open_usage_month(date) TO PUBLIC")
