"""Applications with a checked e-mail address, what registers say of them, trust, and what datasets ask of buyers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

STATES = "state IN ('unchecked', 'applied', 'verified', 'suspended')"
STATES_BEFORE = "state IN ('applied', 'verified', 'suspended')"
TRUSTS = "trust IN ('applied', 'verified', 'qualified')"
UNIQUE = "uq_organization_corporate_number"
NUMBERED = "corporate_number IS NOT NULL"


def upgrade() -> None:
    """Create."""
    _widen_organization()
    _create_application()
    _create_application_review()
    _create_registry_finding()
    _widen_dataset()


def _widen_organization() -> None:
    # Whoever took part before is verified; an applicant of before is still one.
    op.add_column("organization", sa.Column("trust", sa.Text(), nullable=False, server_default="verified"))
    op.alter_column("organization", "trust", server_default=None)
    op.execute("UPDATE organization SET trust = 'applied' WHERE verified_at IS NULL")
    op.drop_constraint("ck_organization_state", "organization")
    op.create_check_constraint("ck_organization_state", "organization", STATES)
    op.create_check_constraint("ck_organization_trust", "organization", TRUSTS)
    op.create_check_constraint("ck_organization_trusted", "organization", "state <> 'verified' OR trust <> 'applied'")
    _index_numbers(f"{NUMBERED} AND state <> 'unchecked'")


def _index_numbers(condition: str) -> None:
    op.drop_index(UNIQUE, "organization")
    op.create_index(UNIQUE, "organization", ["corporate_number"], unique=True, postgresql_where=sa.text(condition))


def _create_application() -> None:
    op.create_table(
        "application",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("contact_name", sa.Text(), nullable=True),
        sa.Column("contact_email", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("risk", sa.Text(), nullable=True),
        sa.Column("grounds", postgresql.JSONB(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("risk IN ('low', 'middle', 'high')", name="ck_application_risk"),
        sa.CheckConstraint("risk IS NULL OR checked_at IS NOT NULL", name="ck_application_assessed"),
        sa.CheckConstraint("decided_at IS NULL OR risk IS NOT NULL", name="ck_application_decided"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_application_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_application"),
    )
    op.create_index(
        "ix_application_created_at_unchecked",
        "application",
        ["created_at"],
        postgresql_where=sa.text("checked_at IS NULL"),
    )


def _create_application_review() -> None:
    op.create_table(
        "application_review",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("reviewer_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["application.organization_id"], name="fk_application_review_organization_id"
        ),
        sa.PrimaryKeyConstraint("organization_id", "reviewer_id", name="pk_application_review"),
    )


def _create_registry_finding() -> None:
    op.create_table(
        "registry_finding",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("looked_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "register IN ('corporate_numbers', 'invoice_registrations')", name="ck_registry_finding_register"
        ),
        sa.CheckConstraint(
            "outcome IN ('matches', 'differs', 'unknown', 'unreachable', 'off')", name="ck_registry_finding_outcome"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["application.organization_id"], name="fk_registry_finding_organization_id"
        ),
        sa.PrimaryKeyConstraint("organization_id", "register", name="pk_registry_finding"),
    )


def _widen_dataset() -> None:
    op.add_column("dataset", sa.Column("trust_required", sa.Text(), nullable=True))
    op.add_column("dataset", sa.Column("assurance_required", sa.Text(), nullable=True))
    op.create_check_constraint("ck_dataset_trust_required", "dataset", "trust_required IN ('verified', 'qualified')")
    op.create_check_constraint(
        "ck_dataset_assurance_required", "dataset", "assurance_required IN ('aal1', 'aal2', 'aal3')"
    )


def downgrade() -> None:
    """Drop; applications whose e-mail address was never checked go, since the older schema would take them for checked."""
    op.drop_constraint("ck_dataset_assurance_required", "dataset")
    op.drop_constraint("ck_dataset_trust_required", "dataset")
    op.drop_column("dataset", "assurance_required")
    op.drop_column("dataset", "trust_required")
    op.drop_table("registry_finding")
    op.drop_table("application_review")
    op.drop_table("application")
    _forget_unchecked()
    _index_numbers(NUMBERED)
    op.drop_constraint("ck_organization_trusted", "organization")
    op.drop_constraint("ck_organization_trust", "organization")
    op.drop_constraint("ck_organization_state", "organization")
    op.create_check_constraint("ck_organization_state", "organization", STATES_BEFORE)
    op.drop_column("organization", "trust")


def _forget_unchecked() -> None:
    unchecked = "(SELECT id FROM organization WHERE state = 'unchecked')"
    op.execute(f"DELETE FROM email_challenge WHERE organization_id IN {unchecked}")
    op.execute(
        f"DELETE FROM access_token WHERE client_id IN (SELECT id FROM api_client WHERE organization_id IN {unchecked})"
    )
    op.execute(f"DELETE FROM api_client WHERE organization_id IN {unchecked}")
    op.execute("DELETE FROM organization WHERE state = 'unchecked'")
