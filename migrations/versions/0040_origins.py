"""Files that stay with their provider, and deliveries that its own server reports."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

SEALED = "id, release_id, name, name_key, media_type, sha256, size_bytes, received_at"
SEAL = """
CREATE OR REPLACE FUNCTION seal_file() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held text;
BEGIN
    IF TG_OP = 'UPDATE' AND ({new}) IS NOT DISTINCT FROM ({old}) THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT state INTO held FROM release WHERE id = OLD.release_id FOR SHARE;
        IF held <> 'draft' THEN
            RAISE EXCEPTION 'release % is %: its files are sealed', OLD.release_id, held USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    SELECT state INTO held FROM release WHERE id = NEW.release_id FOR SHARE;
    IF held <> 'draft' THEN
        RAISE EXCEPTION 'release % is %: its files are sealed', NEW.release_id, held USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$
"""


def upgrade() -> None:
    """Add; whatever there is so far lies with the exchange."""
    op.add_column("file", sa.Column("origin_url", sa.Text(), nullable=True))
    op.create_check_constraint("ck_file_origin_url", "file", "origin_url LIKE 'https://%'")
    op.create_check_constraint("ck_file_origin_opaque", "file", "origin_url IS NULL OR profile_state = 'opaque'")
    op.execute(_seal(f"{SEALED}, origin_url"))
    _meters("'server', 'edge-log', 'origin'")
    op.add_column("edge_request", sa.Column("report_sha256", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take away; open deliveries of origins are closed as those of a log, and their files have no bytes any more."""
    op.drop_column("edge_request", "report_sha256")
    op.execute("UPDATE delivery SET meter = 'edge-log' WHERE meter = 'origin'")
    _meters("'server', 'edge-log'")
    op.execute(_seal(SEALED))
    op.drop_constraint("ck_file_origin_opaque", "file", type_="check")
    op.drop_constraint("ck_file_origin_url", "file", type_="check")
    op.drop_column("file", "origin_url")


def _seal(columns: str) -> str:
    new, old = (", ".join(f"{row}.{name}" for name in columns.split(", ")) for row in ("NEW", "OLD"))
    return SEAL.format(new=new, old=old)


def _meters(names: str) -> None:
    op.drop_constraint("ck_delivery_meter", "delivery", type_="check")
    op.create_check_constraint("ck_delivery_meter", "delivery", f"meter IN ({names})")
