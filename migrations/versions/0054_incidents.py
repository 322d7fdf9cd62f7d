"""Incidents and what they touch; legal holds, which documents heed; salts of commitments to personal data."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

KEEP_DOCUMENT = """
CREATE OR REPLACE FUNCTION document_check_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held boolean := false;
BEGIN
    {look}IF TG_OP = 'DELETE' AND OLD.retain_until < (now() AT TIME ZONE 'Asia/Tokyo')::date AND NOT held THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'document % was issued: it is kept until % and does not change', OLD.number, OLD.retain_until
        USING ERRCODE = 'restrict_violation';
END $$
"""
# With the schema, since a temporary table of the same name, which anybody can make, would be asked instead.
# What a document is about leads to orders and datasets by way of invoices, grants and offers.
LOOK_FOR_HOLDS = """EXECUTE format(
        'WITH about AS (SELECT jsonb_array_elements_text($4) AS id),'
        ' trade AS (SELECT id FROM about'
        ' UNION SELECT i.order_id FROM %1$I.invoice i JOIN about a ON a.id = i.id'
        ' UNION SELECT g.order_id FROM %1$I.access_grant g JOIN about a ON a.id = g.id),'
        ' concerned AS (SELECT id FROM trade'
        ' UNION SELECT o.dataset_id FROM %1$I.purchase_order o JOIN trade t ON t.id = o.id'
        ' UNION SELECT f.dataset_id FROM %1$I.offer f JOIN about a ON a.id = f.id)'
        ' SELECT EXISTS (SELECT FROM %1$I.legal_hold h WHERE h.lifted_at IS NULL'
        ' AND (h.subject IN ($1, $2, $3) OR h.subject IN (SELECT id FROM concerned)))', TG_TABLE_SCHEMA)
        INTO held USING OLD.id, OLD.issuer_organization_id, OLD.recipient_organization_id, OLD.about;
    """

PARTS = ("notice", "delivery", "grant", "duty")
OVER = {
    "incident": "OLD.state = 'closed'",
    "legal_hold": "OLD.lifted_at IS NOT NULL OR (NEW.id, NEW.subject, NEW.reason, NEW.placed_by, NEW.placed_at)"
    " IS DISTINCT FROM (OLD.id, OLD.subject, OLD.reason, OLD.placed_by, OLD.placed_at)",
}


def upgrade() -> None:
    """Create."""
    _causes("'dispute', 'overdue', 'incident'")
    _incident()
    _duty()
    _grant()
    _delivery()
    _notice()
    _hold()
    _salt()
    _keep()
    op.execute(KEEP_DOCUMENT.format(look=LOOK_FOR_HOLDS))


def _causes(listed: str) -> None:
    op.drop_constraint("ck_access_grant_suspension_cause", "access_grant_suspension")
    op.create_check_constraint(
        op.f("ck_access_grant_suspension_cause"), "access_grant_suspension", f"cause IN ({listed})"
    )


def _incident() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("drill", "personal_data", "deliberate")),
        sa.Column("summary_ja", sa.Text(), nullable=False),
        sa.Column("summary_en", sa.Text(), nullable=False),
        _instant("began_at"),
        _instant("ended_at", nullable=True),
        _instant("noticed_at"),
        *(sa.Column(f"{name}s", JSONB(), nullable=False) for name in ("dataset_id", "release_id", "sha256")),
        *(sa.Column(f"{name}s", JSONB(), nullable=False) for name in ("organization_id", "client_id", "suspend")),
        sa.Column("opened_by", sa.Text(), nullable=False),
        _instant("opened_at"),
        _instant("assessed_at", nullable=True),
        sa.Column("affected", JSONB(), nullable=True),
        sa.Column("affected_sha256", sa.Text(), nullable=True),
        sa.Column("read_to", sa.BigInteger(), nullable=True),
        _instant("lifted_at", nullable=True),
        _instant("closed_at", nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("report_sha256", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('leak', 'loss', 'damage', 'misuse')", name="ck_incident_kind"),
        sa.CheckConstraint("state IN ('open', 'closed')", name="ck_incident_state"),
        sa.CheckConstraint("began_at <= noticed_at AND ended_at >= began_at", name="ck_incident_span"),
        sa.CheckConstraint(
            "num_nonnulls(closed_at, report, report_sha256) = CASE state WHEN 'closed' THEN 3 ELSE 0 END",
            name="ck_incident_closed",
        ),
        sa.ForeignKeyConstraint(["opened_by"], ["organization.id"], name="fk_incident_opened_by"),
        sa.PrimaryKeyConstraint("id", name="pk_incident"),
    )
    op.create_index("ix_incident_id_open", "incident", ["id"], postgresql_where=sa.text("state = 'open'"))


def _duty() -> None:
    op.create_table(
        "incident_duty",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        _instant("due_at"),
        _instant("done_at", nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("evidence_sha256", sa.Text(), nullable=True),
        _instant("overdue_at", nullable=True),
        sa.CheckConstraint("stage IN ('preliminary', 'full')", name="ck_incident_duty_stage"),
        sa.CheckConstraint("num_nonnulls(done_at, reference, evidence_sha256) IN (0, 3)", name="ck_incident_duty_done"),
        sa.CheckConstraint("evidence_sha256 ~ '^[0-9a-f]{64}$'", name="ck_incident_duty_evidence_sha256"),
        _to("incident_duty", "incident"),
        sa.PrimaryKeyConstraint("incident_id", "stage", name="pk_incident_duty"),
    )
    where = sa.text("done_at IS NULL")
    op.create_index("ix_incident_duty_due_at_open", "incident_duty", ["due_at"], postgresql_where=where)


def _grant() -> None:
    op.create_table(
        "incident_grant",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("incident_id", "grant_id", "organization_id")),
        sa.Column("provider_organization_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("deliveries", sa.BigInteger(), nullable=False),
        sa.Column("bytes_received", sa.BigInteger(), nullable=False),
        sa.Column("contents", JSONB(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.CheckConstraint("deliveries >= 0 AND bytes_received >= 0", name="ck_incident_grant_counts"),
        _to("incident_grant", "incident"),
        sa.PrimaryKeyConstraint("incident_id", "grant_id", name="pk_incident_grant"),
    )


def _delivery() -> None:
    op.create_table(
        "incident_delivery",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("incident_id", "delivery_id", "grant_id")),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("dataset_id", "release_id")),
        sa.Column("file_id", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("start_byte", sa.BigInteger(), nullable=False),
        sa.Column("bytes_received", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _instant("opened_at"),
        _instant("closed_at", nullable=True),
        sa.Column("receipt", sa.Boolean(), nullable=False),
        sa.CheckConstraint("start_byte >= 0 AND bytes_received >= 0", name="ck_incident_delivery_bytes"),
        _to("incident_delivery", "incident"),
        sa.PrimaryKeyConstraint("incident_id", "delivery_id", name="pk_incident_delivery"),
    )


def _notice() -> None:
    op.create_table(
        "incident_notice",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "incident_id", "addressee", "recipient")),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("mail_id", sa.Text(), nullable=True),
        _instant("queued_at"),
        _instant("due_at"),
        _instant("sent_at", nullable=True),
        _instant("acknowledged_at", nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        _instant("overdue_at", nullable=True),
        sa.CheckConstraint("addressee IN ('organization', 'authority')", name="ck_incident_notice_addressee"),
        sa.CheckConstraint(
            "(addressee = 'authority') = (organization_id IS NULL)", name="ck_incident_notice_organization_id"
        ),
        sa.CheckConstraint(
            "num_nonnulls(acknowledged_at, acknowledged_by) IN (0, 2)", name="ck_incident_notice_acknowledged"
        ),
        _to("incident_notice", "incident"),
        _to("incident_notice", "organization"),
        sa.PrimaryKeyConstraint("id", name="pk_incident_notice"),
        sa.UniqueConstraint("incident_id", "recipient", name="uq_incident_notice_incident_id"),
    )
    op.create_index("ix_incident_notice_organization_id_id", "incident_notice", ["organization_id", "id"])
    where = sa.text("acknowledged_at IS NULL")
    op.create_index("ix_incident_notice_due_at_open", "incident_notice", ["due_at"], postgresql_where=where)


def _hold() -> None:
    op.create_table(
        "legal_hold",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "subject", "reason", "placed_by")),
        _instant("placed_at"),
        _instant("lifted_at", nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("subject ~ '^(org|ord|doc|ds)_[0-9a-f]{32}$'", name="ck_legal_hold_subject"),
        sa.CheckConstraint("reason <> ''", name="ck_legal_hold_reason"),
        sa.CheckConstraint("num_nonnulls(lifted_at, lifted_by, lifted_reason) IN (0, 3)", name="ck_legal_hold_lifted"),
        sa.PrimaryKeyConstraint("id", name="pk_legal_hold"),
    )
    where = sa.text("lifted_at IS NULL")
    op.create_index("ix_legal_hold_subject_standing", "legal_hold", ["subject"], postgresql_where=where)


def _salt() -> None:
    op.create_table(
        "audit_salt",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        _instant("created_at"),
        sa.CheckConstraint("octet_length(salt) = 32", name="ck_audit_salt_salt"),
        sa.PrimaryKeyConstraint("subject", name="pk_audit_salt"),
    )


def _keep() -> None:
    """Let nobody take away what was told of an incident or held, nor change it once it is over."""
    for table in ("incident", *(f"incident_{part}" for part in PARTS), "legal_hold"):
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    for table, is_over in OVER.items():
        op.execute(
            f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table}"
            f" FOR EACH ROW WHEN ({is_over}) EXECUTE FUNCTION refuse_change()"
        )


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _to(table: str, other: str, column: str | None = None) -> sa.ForeignKeyConstraint:
    name = column or f"{other}_id"
    return sa.ForeignKeyConstraint([name], [f"{other}.id"], name=f"fk_{table}_{name}")


def downgrade() -> None:
    """Drop; grants that rested because of an incident are open again where nothing else has them rest."""
    op.execute("""
        UPDATE access_grant g SET state = 'active' WHERE g.state = 'suspended' AND NOT EXISTS (
          SELECT FROM access_grant_suspension s
           WHERE s.grant_id = g.id AND s.lifted_at IS NULL AND s.cause <> 'incident')
    """)
    op.execute("DELETE FROM access_grant_suspension WHERE cause = 'incident'")
    for table in PARTS:
        op.drop_table(f"incident_{table}")
    op.drop_table("incident")
    op.execute(KEEP_DOCUMENT.format(look=""))
    op.drop_table("legal_hold")
    op.drop_table("audit_salt")
    _causes("'dispute', 'overdue'")
