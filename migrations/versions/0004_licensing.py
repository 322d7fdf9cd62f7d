"""Tables of licensing."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("terms", "offer", "acceptance")
APPEND_ONLY = ("terms", "acceptance")
HEX = "~ '^[0-9a-f]{64}$'"

# Everything about an offer is fixed when it is made; only its state moves, once, out of open.
OFFER_MOVES = """
CREATE FUNCTION offer_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'open' AND NEW.state IN ('superseded', 'withdrawn')
       AND to_jsonb(NEW) - 'state' = to_jsonb(OLD) - 'state' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'offer % is fixed: it only moves from open to superseded or withdrawn', OLD.id
        USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    """Create."""
    _create_terms()
    _create_offer()
    _create_acceptance()
    op.execute(OFFER_MOVES)
    op.execute("CREATE TRIGGER offer_moves BEFORE UPDATE ON offer FOR EACH ROW EXECUTE FUNCTION offer_moves()")
    for table in TABLES:
        deeds = "UPDATE OR DELETE" if table in APPEND_ONLY else "DELETE"
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE {deeds} ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _create_terms() -> None:
    op.create_table(
        "terms",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("title_ja", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_terms"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_terms_organization_id"),
        sa.UniqueConstraint("organization_id", "sha256", name="uq_terms_organization_id_sha256"),
        sa.UniqueConstraint("id", "sha256", name="uq_terms_id_sha256"),
        sa.CheckConstraint(f"sha256 {HEX}", name="ck_terms_sha256"),
        sa.CheckConstraint("title_ja <> '' AND title_en <> ''", name="ck_terms_title"),
        sa.CheckConstraint("jsonb_typeof(document) = 'object'", name="ck_terms_document"),
    )
    op.create_index("ix_terms_organization_id_id", "terms", ["organization_id", "id"])
    op.create_index("ix_terms_sha256", "terms", ["sha256"])


def _create_offer() -> None:
    op.create_table(
        "offer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("terms_id", sa.Text(), nullable=False),
        sa.Column("terms_sha256", sa.Text(), nullable=False),
        sa.Column("price_kind", sa.Text(), nullable=False),
        sa.Column("amount_yen", sa.BigInteger(), nullable=False),
        sa.Column("included_mib", sa.BigInteger(), nullable=False),
        sa.Column("duration_days", sa.Integer(), nullable=True),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=True),
        sa.Column("quota_downloads", sa.BigInteger(), nullable=True),
        sa.Column("release_scope", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("supersedes", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_offer"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_offer_dataset_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_offer_organization_id"),
        sa.ForeignKeyConstraint(
            ["terms_id", "terms_sha256"],
            ["terms.id", "terms.sha256"],
            name="fk_offer_terms_id",
        ),
        sa.ForeignKeyConstraint(["supersedes"], ["offer.id"], name="fk_offer_supersedes"),
        *_offer_checks(),
    )
    op.create_index(
        "uq_offer_supersedes",
        "offer",
        ["supersedes"],
        unique=True,
        postgresql_where=sa.text("supersedes IS NOT NULL"),
    )
    op.create_index("ix_offer_dataset_id_id", "offer", ["dataset_id", "id"])
    op.create_index("ix_offer_organization_id_id", "offer", ["organization_id", "id"])
    op.create_index("ix_offer_terms_sha256", "offer", ["terms_sha256"])


def _offer_checks() -> list[sa.CheckConstraint]:
    conditions = {
        "state": "state IN ('open', 'superseded', 'withdrawn')",
        "price_kind": "price_kind IN ('free', 'one_off', 'per_mib')",
        "release_scope": "release_scope IN ('current', 'all')",
        "amount_yen": "amount_yen BETWEEN 0 AND 999999999999 AND (price_kind = 'free') = (amount_yen = 0)",
        "included_mib": "included_mib >= 0 AND (price_kind = 'per_mib' OR included_mib = 0)",
        "duration_days": "duration_days > 0",
        "quota_bytes": "quota_bytes > 0",
        "quota_downloads": "quota_downloads > 0",
        "version": "version >= 1 AND (version = 1) = (supersedes IS NULL)",
    }
    return [sa.CheckConstraint(sql, name=f"ck_offer_{name}") for name, sql in conditions.items()]


def _create_acceptance() -> None:
    op.create_table(
        "acceptance",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("terms_sha256", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_acceptance"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_acceptance_organization_id"),
        sa.UniqueConstraint("organization_id", "terms_sha256", name="uq_acceptance_organization_id_terms_sha256"),
        sa.CheckConstraint(f"terms_sha256 {HEX}", name="ck_acceptance_terms_sha256"),
    )
    op.create_index("ix_acceptance_organization_id_id", "acceptance", ["organization_id", "id"])


def downgrade() -> None:
    """Drop."""
    for table in ("acceptance", "offer", "terms"):
        op.drop_table(table)
    op.execute("DROP FUNCTION offer_moves()")
