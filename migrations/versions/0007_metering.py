"""Tables of metering."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

APPEND_ONLY = ("usage_event", "usage_claim")


def upgrade() -> None:
    """Create."""
    _create_quota()
    _create_delivery()
    _create_coverage()
    _create_usage_event()
    _create_usage_claim()
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _create_quota() -> None:
    op.create_table(
        "quota",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("limit_bytes", sa.BigInteger(), nullable=True),
        sa.Column("used_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("limit_downloads", sa.BigInteger(), nullable=True),
        sa.Column("used_downloads", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used_bytes >= 0 AND reserved_bytes >= 0 AND used_downloads >= 0", name="ck_quota_counts"),
        sa.CheckConstraint("used_bytes + reserved_bytes <= limit_bytes", name="ck_quota_bytes"),
        sa.CheckConstraint("used_downloads <= limit_downloads", name="ck_quota_downloads"),
        sa.ForeignKeyConstraint(["grant_id"], ["access_grant.id"], name="fk_quota_grant_id"),
        sa.PrimaryKeyConstraint("grant_id", name="pk_quota"),
    )


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("provider_organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("start_byte", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("unit_taken", sa.Boolean(), nullable=False),
        sa.Column("unit_passed_on", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("progress", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=True),
        sa.Column("bytes_acked", sa.BigInteger(), nullable=True),
        *_delivery_checks(),
        *_keys("delivery", ("organization", "provider_organization", "dataset", "release", "file")),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    op.create_index("ix_delivery_seen_at_open", "delivery", ["seen_at"], postgresql_where=sa.text("state = 'open'"))
    op.create_index(
        "ix_delivery_grant_id_sha256_unit",
        "delivery",
        ["grant_id", "sha256"],
        postgresql_where=sa.text("unit_taken AND NOT unit_passed_on"),
    )
    op.create_index("ix_delivery_grant_id_id", "delivery", ["grant_id", "id"])


def _delivery_checks() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint("state IN ('open', 'complete', 'broken', 'stalled', 'swept')", name="ck_delivery_state"),
        sa.CheckConstraint("start_byte >= 0 AND length >= 0", name="ck_delivery_range"),
        sa.CheckConstraint("progress BETWEEN 0 AND length", name="ck_delivery_progress"),
        sa.CheckConstraint("bytes_acked BETWEEN 0 AND bytes_sent AND bytes_sent <= length", name="ck_delivery_bytes"),
        sa.CheckConstraint("reserved_bytes BETWEEN 0 AND length", name="ck_delivery_reserved_bytes"),
        sa.CheckConstraint(
            "num_nonnulls(closed_at, bytes_sent, bytes_acked) = CASE state WHEN 'open' THEN 0 ELSE 3 END",
            name="ck_delivery_closed",
        ),
        sa.CheckConstraint("state <> 'complete' OR bytes_acked = length", name="ck_delivery_complete"),
        sa.CheckConstraint("unit_taken OR NOT unit_passed_on", name="ck_delivery_unit"),
    ]


def _keys(table: str, others: tuple[str, ...]) -> list[sa.ForeignKeyConstraint]:
    referred = {"provider_organization": "organization"}
    return [
        sa.ForeignKeyConstraint(["grant_id"], ["quota.grant_id"], name=f"fk_{table}_grant_id"),
        *(
            sa.ForeignKeyConstraint([f"{name}_id"], [f"{referred.get(name, name)}.id"], name=f"fk_{table}_{name}_id")
            for name in others
        ),
    ]


def _create_coverage() -> None:
    op.create_table(
        "coverage",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("ranges", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("bytes_covered", sa.BigInteger(), nullable=False),
        sa.Column("bytes_added", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("bytes_added >= 0 AND bytes_covered >= bytes_added", name="ck_coverage_bytes"),
        sa.CheckConstraint("NOT lower_inf(ranges) AND NOT upper_inf(ranges)", name="ck_coverage_ranges"),
        *_keys("coverage", ()),
        sa.PrimaryKeyConstraint("grant_id", "sha256", name="pk_coverage"),
    )


def _create_usage_event() -> None:
    op.create_table(
        "usage_event",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("provider_organization_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bytes_new", sa.BigInteger(), nullable=False),
        sa.Column("bytes_acked", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("bytes_new BETWEEN 0 AND bytes_acked", name="ck_usage_event_bytes"),
        *_keys("usage_event", ("delivery", "organization", "provider_organization", "dataset")),
        sa.PrimaryKeyConstraint("id", name="pk_usage_event"),
        sa.UniqueConstraint("delivery_id", name="uq_usage_event_delivery_id"),
    )
    for column in ("grant_id", "organization_id", "provider_organization_id"):
        op.create_index(f"ix_usage_event_{column}_occurred_at", "usage_event", [column, "occurred_at"])


def _create_usage_claim() -> None:
    op.create_table(
        "usage_claim",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["usage_event.id"], name="fk_usage_claim_event_id"),
        sa.PrimaryKeyConstraint("event_id", name="pk_usage_claim"),
    )
    op.create_index("ix_usage_claim_claimed_by", "usage_claim", ["claimed_by"])


def downgrade() -> None:
    """Drop."""
    for table in ("usage_claim", "usage_event", "coverage", "delivery", "quota"):
        op.drop_table(table)
