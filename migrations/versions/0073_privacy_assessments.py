"""Privacy impact assessments, and the objections to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None
RULES = {
    "depth": "depth IN ('short', 'full')",
    "state": "state IN ('draft', 'submitted', 'objection', 'accepted', 'rejected')",
    "submitted": "state = 'draft' OR author_person IS NOT NULL",
    "reviewed": "state NOT IN ('objection', 'accepted', 'rejected') OR reviewer_person IS NOT NULL"
    " AND reviewer_person <> author_person AND objections_until IS NOT NULL",
    "concluded": "(state IN ('accepted', 'rejected')) = (concluded_at IS NOT NULL)",
}


def upgrade() -> None:
    """Create."""
    _assessment()
    _objection()


def downgrade() -> None:
    """Drop."""
    op.drop_table("assessment_objection")
    op.drop_table("privacy_assessment")


def _instant(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _assessment() -> None:
    op.create_table(
        "privacy_assessment",
        *map(_text, ("id", "dataset_id", "depth", "privacy_class", "state")),
        sa.Column("answers", JSONB(), nullable=False),
        *map(_text, ("summary_ja", "summary_en")),
        sa.Column("statement_version", sa.Integer(), nullable=False),
        _instant("opened_at", nullable=False),
        _instant("submitted_at"),
        *(_text(f"author_{name}", nullable=True) for name in ("person", "member")),
        _instant("reviewed_at"),
        *(_text(f"reviewer_{name}", nullable=True) for name in ("person", "member", "organization")),
        _text("review_note"),
        _instant("objections_until"),
        _instant("concluded_at"),
        sa.PrimaryKeyConstraint("id", name="pk_privacy_assessment"),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name="fk_privacy_assessment_dataset_id"),
        *(sa.CheckConstraint(rule, name=f"ck_privacy_assessment_{name}") for name, rule in RULES.items()),
    )
    op.create_index(
        "uq_privacy_assessment_living",
        "privacy_assessment",
        ["dataset_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('draft', 'submitted', 'objection')"),
    )
    op.create_index("ix_privacy_assessment_state_id", "privacy_assessment", ["state", "id"])


def _objection() -> None:
    op.create_table(
        "assessment_objection",
        *map(_text, ("id", "assessment_id", "organization_id", "words")),
        _instant("raised_at", nullable=False),
        _text("response"),
        _instant("responded_at"),
        _text("responded_by_member", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_assessment_objection"),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["privacy_assessment.id"], name="fk_assessment_objection_assessment_id"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_assessment_objection_organization_id"
        ),
        sa.UniqueConstraint(
            "assessment_id", "organization_id", name="uq_assessment_objection_assessment_id_organization_id"
        ),
        sa.CheckConstraint("(response = '') = (responded_at IS NULL)", name="ck_assessment_objection_response"),
    )
