"""The privacy gate: what was found in files, the answers to it, refused contents, and statements of datasets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _inspection()
    _finding()
    _blocked()
    _statement()


def downgrade() -> None:
    """Drop."""
    for table in ("privacy_statement", "blocked_content", "privacy_finding", "file_inspection"):
        op.drop_table(table)


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _inspection() -> None:
    op.create_table(
        "file_inspection",
        _text("file_id"),
        _text("sha256"),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("findings_total", sa.Integer(), nullable=False),
        _text("problem", nullable=True),
        _instant("inspected_at"),
        sa.Column("alike", JSONB(), nullable=True),
        _instant("measured_at", nullable=True),
        sa.PrimaryKeyConstraint("file_id", name="pk_file_inspection"),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name="fk_file_inspection_file_id", ondelete="CASCADE"),
        sa.CheckConstraint("findings_total >= 0", name="ck_file_inspection_findings_total"),
    )


def _finding() -> None:
    op.create_table(
        "privacy_finding",
        *map(_text, ("id", "file_id", "dataset_id", "sha256", "kind", "level", "column_name")),
        sa.Column("place", sa.Integer(), nullable=False),
        _text("table_name"),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("cells", sa.BigInteger(), nullable=False),
        sa.Column("row_numbers", JSONB(), nullable=False),
        _text("state"),
        _text("answer", nullable=True),
        _text("reason", nullable=True),
        _instant("answered_at", nullable=True),
        _text("answered_by_person", nullable=True),
        _text("answered_by_member", nullable=True),
        _instant("seconded_at", nullable=True),
        _text("seconded_by_person", nullable=True),
        _text("seconded_by_member", nullable=True),
        _text("seconded_by_organization", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_privacy_finding"),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name="fk_privacy_finding_file_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_privacy_finding_dataset_id"),
        sa.UniqueConstraint(
            "file_id", "kind", "place", "table_name", name="uq_privacy_finding_file_id_kind_place_table_name"
        ),
        *_checks_of_findings(),
    )
    op.create_index("ix_privacy_finding_state_id", "privacy_finding", ["state", "id"])


def _checks_of_findings() -> list[sa.CheckConstraint]:
    rules = {
        "level": "level IN ('blocked', 'high', 'medium', 'note')",
        "state": "state IN ('noted', 'open', 'answered', 'settled')",
        "answer": "answer IN ('falseAlarm', 'lawfulBasis')",
        "answered": "num_nonnulls(answer, reason, answered_at, answered_by_person, answered_by_member)"
        " = CASE WHEN state IN ('noted', 'open') THEN 0 ELSE 5 END",
        "blocked": "level <> 'blocked' OR state = 'open'",
        "noted": "(level = 'note') = (state = 'noted')",
        "seconded": "level <> 'high' OR state <> 'settled' OR seconded_by_person IS DISTINCT FROM answered_by_person"
        " AND seconded_by_person IS NOT NULL",
    }
    return [sa.CheckConstraint(rule, name=f"ck_privacy_finding_{name}") for name, rule in rules.items()]


def _blocked() -> None:
    op.create_table(
        "blocked_content",
        _text("sha256"),
        _instant("found_at"),
        sa.PrimaryKeyConstraint("sha256", name="pk_blocked_content"),
    )


def _statement() -> None:
    op.create_table(
        "privacy_statement",
        _text("dataset_id"),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("basis", nullable=True),
        _text("basis_reference"),
        sa.Column("items", JSONB(), nullable=False),
        _text("method_ja"),
        _text("method_en"),
        *(sa.Column(name, JSONB(), nullable=False) for name in ("standards", "quasi_identifiers", "sensitive_columns")),
        _instant("stated_at"),
        _text("stated_by_member", nullable=True),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_privacy_statement"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_privacy_statement_dataset_id"),
        sa.CheckConstraint("version >= 1", name="ck_privacy_statement_version"),
        sa.CheckConstraint("basis IN ('consent', 'law')", name="ck_privacy_statement_basis"),
    )
