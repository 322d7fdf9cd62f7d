"""Downloads are counted where they are priced: once for what was received of a content, then free for 24 hours."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

UNITS, UNITS_BEFORE = "unit IN ('byte', 'row', 'request', 'download')", "unit IN ('byte', 'row', 'request')"
# What the older form cannot say stops the way back: what was agreed would be neither read nor billed.
REFUSE_LOSS = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM offer WHERE price ->> 'unit' = 'download') THEN
        RAISE EXCEPTION 'there are offers by the download that the version before cannot hold';
    END IF;
END $$
"""
# Months that were put aside stand outside the table: they must have its columns to come back.
PUT_ASIDE = """
DO $$
DECLARE part text;
BEGIN
    FOR part IN SELECT relname FROM pg_class
                 WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND NOT relispartition
                   AND relname ~ '^usage_event_[0-9]{{4}}_[0-9]{{2}}$'
    LOOP
        EXECUTE format('ALTER TABLE %I {change}', part);
    END LOOP;
END $$
"""
ADD = (
    "ADD COLUMN downloads_new integer NOT NULL DEFAULT 0, ADD CONSTRAINT ck_usage_event_downloads"
    " CHECK (corrects_event_id IS NOT NULL OR downloads_new IN (0, 1))"
)


def upgrade() -> None:
    """Add; no price has counted downloads before."""
    op.add_column("quota", sa.Column("download_due", sa.Text(), nullable=True))
    op.add_column("quota", sa.Column("due_downloads", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint("ck_quota_due_downloads", "quota", "due_downloads >= 0")
    op.create_check_constraint("ck_quota_download_due", "quota", "download_due IN ('first_byte', 'full_coverage')")
    _change_coverage()
    op.execute(f"ALTER TABLE usage_event {ADD}")
    op.execute(PUT_ASIDE.format(change=ADD))
    op.add_column(
        "usage_rollup", sa.Column("downloads_new", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.drop_constraint("ck_rated_line_unit", "rated_line", type_="check")
    op.create_check_constraint("ck_rated_line_unit", "rated_line", UNITS)


def _change_coverage() -> None:
    empty = sa.text("'{}'")
    op.add_column("coverage", sa.Column("pending", postgresql.INT8MULTIRANGE(), server_default=empty, nullable=False))
    op.add_column("coverage", sa.Column("free_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("coverage", sa.Column("downloads_added", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint("ck_coverage_pending", "coverage", "ranges @> pending")
    op.create_check_constraint("ck_coverage_downloads", "coverage", "downloads_added IN (0, 1)")


def downgrade() -> None:
    """Drop; refuses where an offer is priced by the download."""
    op.execute(REFUSE_LOSS)
    op.drop_constraint("ck_rated_line_unit", "rated_line", type_="check")
    op.create_check_constraint("ck_rated_line_unit", "rated_line", UNITS_BEFORE)
    op.drop_column("usage_rollup", "downloads_new")
    op.execute("ALTER TABLE usage_event DROP COLUMN downloads_new")
    op.execute(PUT_ASIDE.format(change="DROP COLUMN downloads_new"))
    for table, columns in {
        "coverage": ("downloads_added", "free_until", "pending"),
        "quota": ("due_downloads", "download_due"),
    }.items():
        for column in columns:
            op.drop_column(table, column)
