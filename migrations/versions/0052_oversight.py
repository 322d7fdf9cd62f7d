"""Oversight: case files of the anomaly rules, saved searches, auditors' looks, overrides by two people."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create; the rules begin with the first entry of the record."""
    _cases()
    _memory()
    _search()
    _index()
    _look()
    _override()
    _keep()


def _cases() -> None:
    op.create_table(
        "case_file",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.Column("assignee_id", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'under_review', 'closed')", name="ck_case_file_state"),
        sa.CheckConstraint("(state = 'open') = (assignee_id IS NULL)", name="ck_case_file_assignee"),
        sa.CheckConstraint("(state = 'closed') = (closed_reason IS NOT NULL)", name="ck_case_file_closed"),
        sa.PrimaryKeyConstraint("id", name="pk_case_file"),
        sa.UniqueConstraint("rule", "subject", "span", name="uq_case_file_rule_subject_span"),
    )
    op.create_index("ix_case_file_state_id", "case_file", ["state", "id"])
    op.create_table(
        "case_note",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name="fk_case_note_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_case_note"),
    )
    op.create_index("ix_case_note_case_id_id", "case_note", ["case_id", "id"])


def _memory() -> None:
    op.create_table(
        "rule_memory",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kept", postgresql.JSONB(), nullable=False),
        sa.Column("kept_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("rule", "key", name="pk_rule_memory"),
    )
    op.create_index("ix_rule_memory_kept_until", "rule_memory", ["kept_until"])
    op.create_table(
        "rule_mark",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("name = 'watch'", name="ck_rule_mark_name"),
        sa.PrimaryKeyConstraint("name", name="pk_rule_mark"),
    )
    op.execute("INSERT INTO rule_mark (name, position) VALUES ('watch', 0)")


def _search() -> None:
    op.create_table(
        "saved_search",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", postgresql.JSONB(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("name <> ''", name="ck_saved_search_name"),
        sa.PrimaryKeyConstraint("id", name="pk_saved_search"),
        sa.UniqueConstraint("organization_id", "name", name="uq_saved_search_organization_id_name"),
    )


def _index() -> None:
    bits = postgresql.BIT(32_768)
    op.create_table(
        "audit_block",
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("block", name="pk_audit_block"),
    )
    op.create_table(
        "audit_trait",
        sa.Column("trait", sa.Text(), nullable=False),
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("places", bits, nullable=False),
        sa.PrimaryKeyConstraint("trait", "block", name="pk_audit_trait"),
    )
    op.create_table(
        "audit_floor",
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("floor", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("places", bits, nullable=False),
        sa.PrimaryKeyConstraint("block", "floor", name="pk_audit_floor"),
    )


def _look() -> None:
    op.create_table(
        "audit_look",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looker", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "looker", "address", "thing", name="pk_audit_look"),
    )


def _override() -> None:
    op.create_table(
        "override",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approver_person_id", sa.Text(), nullable=True),
        sa.Column("approver_member_id", sa.Text(), nullable=True),
        sa.Column("approver_client_id", sa.Text(), nullable=True),
        sa.CheckConstraint("deed IN ('refund', 'correction', 'reinstatement')", name="ck_override_deed"),
        sa.CheckConstraint("state IN ('proposed', 'carried_out', 'withdrawn', 'expired')", name="ck_override_state"),
        sa.CheckConstraint("(state = 'proposed') = (ended_at IS NULL)", name="ck_override_ended"),
        sa.CheckConstraint("(state = 'carried_out') = (approver_person_id IS NOT NULL)", name="ck_override_approved"),
        sa.CheckConstraint("approver_person_id <> person_id", name="ck_override_persons"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_override_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_override"),
    )
    op.create_index("ix_override_state_id", "override", ["state", "id"])


def _keep() -> None:
    """Let nobody change what was written into a case, nor how a deed of two people ended."""
    guards = (
        ("case_note_append_only BEFORE UPDATE OR DELETE ON case_note", ""),
        ("override_kept BEFORE DELETE ON override", ""),
        ("override_ended BEFORE UPDATE ON override", "WHEN (OLD.state <> 'proposed') "),
    )
    for guard, when in guards:
        op.execute(f"CREATE TRIGGER {guard} FOR EACH ROW {when}EXECUTE FUNCTION refuse_change()")
    for table in ("case_note", "override"):
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    """Drop, with the cases and what was written in them; the record keeps that they were."""
    for table in (
        "override", "audit_look", "audit_floor", "audit_trait", "audit_block", "saved_search", "rule_mark",
        "rule_memory", "case_note", "case_file",
    ):  # fmt: skip
        op.drop_table(table)
