"""What is known of those who join, whom they let act for them, and what a dataset asks of its buyers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _create_registry_finding()
    _create_delegation()
    _widen_organization()
    _widen_dataset()


def _create_registry_finding() -> None:
    op.create_table(
        "registry_finding",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("outcome IN ('passed', 'failed', 'unknown')", name="ck_registry_finding_outcome"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_registry_finding_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_registry_finding"),
    )
    op.create_index("ix_registry_finding_organization_id_id", "registry_finding", ["organization_id", "id"])


def _create_delegation() -> None:
    op.create_table(
        "delegation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("delegate_organization_id", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("jsonb_typeof(scopes) = 'array' AND scopes <> '[]'::jsonb", name="ck_delegation_scopes"),
        sa.CheckConstraint("organization_id <> delegate_organization_id", name="ck_delegation_two_organizations"),
        sa.ForeignKeyConstraint(
            ["delegate_organization_id"], ["organization.id"], name="fk_delegation_delegate_organization_id"
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_delegation_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delegation"),
    )
    op.create_index("ix_delegation_organization_id_id", "delegation", ["organization_id", "id"])
    op.create_index(
        "uq_delegation_in_force",
        "delegation",
        ["delegate_organization_id", "organization_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _widen_organization() -> None:
    op.add_column("organization", sa.Column("contact_email", sa.Text(), nullable=True))
    op.add_column("organization", sa.Column("contact_checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("organization", sa.Column("risk_tier", sa.Text(), nullable=True))
    op.add_column("organization", sa.Column("trust_tier", sa.Text(), nullable=False, server_default="verified"))
    op.alter_column("organization", "trust_tier", server_default=None)
    op.create_check_constraint("ck_organization_risk_tier", "organization", "risk_tier IN ('low', 'middle', 'high')")
    op.create_check_constraint("ck_organization_trust_tier", "organization", "trust_tier IN ('verified', 'qualified')")
    op.create_check_constraint(
        "ck_organization_contact", "organization", "contact_checked_at IS NULL OR contact_email IS NOT NULL"
    )


def _widen_dataset() -> None:
    op.add_column("dataset", sa.Column("assurance_required", sa.Text(), nullable=True))
    op.add_column("dataset", sa.Column("trust_required", sa.Text(), nullable=True))
    op.create_check_constraint(
        "ck_dataset_assurance_required", "dataset", "assurance_required IN ('aal1', 'aal2', 'aal3')"
    )
    op.create_check_constraint("ck_dataset_trust_required", "dataset", "trust_required IN ('verified', 'qualified')")


def downgrade() -> None:
    """Drop."""
    for column in ("assurance_required", "trust_required"):
        op.drop_column("dataset", column)
    for check in ("contact", "trust_tier", "risk_tier"):
        op.drop_constraint(f"ck_organization_{check}", "organization")
    for column in ("trust_tier", "risk_tier", "contact_checked_at", "contact_email"):
        op.drop_column("organization", column)
    op.drop_table("delegation")
    op.drop_table("registry_finding")
