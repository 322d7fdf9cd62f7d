"""Tokens of deliveries: what runs ends with the token that began it, and with the consent that the token came of."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

TELL = """
CREATE FUNCTION tell_of_token() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_notify('musubi_rights', OLD.jti);
  RETURN NULL;
END $$
"""
ENDS = "FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION"


def upgrade() -> None:
    """Create."""
    op.add_column("delivery", sa.Column("token_id", sa.Text()))
    op.add_column("delivery", sa.Column("family_id", sa.Text()))
    op.execute(TELL)
    op.execute(f"CREATE TRIGGER access_token_told AFTER UPDATE ON access_token {ENDS} tell_of_token()")
    op.execute(f"CREATE TRIGGER token_family_told AFTER UPDATE ON token_family {ENDS} tell_of_right()")
    op.execute(
        "CREATE TRIGGER token_family_gone_told AFTER DELETE ON token_family"
        " FOR EACH ROW EXECUTE FUNCTION tell_of_right()"
    )


def downgrade() -> None:
    """Drop."""
    op.execute("DROP TRIGGER token_family_gone_told ON token_family")
    op.execute("DROP TRIGGER token_family_told ON token_family")
    op.execute("DROP TRIGGER access_token_told ON access_token")
    op.execute("DROP FUNCTION tell_of_token()")
    op.drop_column("delivery", "family_id")
    op.drop_column("delivery", "token_id")
