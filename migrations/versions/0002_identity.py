"""Tables of identity."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _create_organization()
    _create_member()
    _create_api_client()
    _create_access_token()
    _create_failed_authentication()


def _create_organization() -> None:
    op.create_table(
        "organization",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_ja", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("capacities", postgresql.JSONB(), nullable=False),
        sa.Column("corporate_number", sa.Text(), nullable=True),
        sa.Column("invoice_registration_number", sa.Text(), nullable=True),
        sa.Column("local_government_code", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
        sa.CheckConstraint("state IN ('applied', 'verified', 'suspended')", name="ck_organization_state"),
        sa.CheckConstraint(
            "kind IN ('company', 'municipality', 'public_body', 'university', 'other')", name="ck_organization_kind"
        ),
        sa.CheckConstraint(
            "jsonb_typeof(capacities) = 'array'"
            ' AND capacities <@ \'["provider", "buyer", "operator", "auditor"]\'::jsonb'
            " AND capacities <> '[]'::jsonb",
            name="ck_organization_capacities",
        ),
        sa.CheckConstraint(
            "NOT capacities @> '[\"auditor\"]'::jsonb OR capacities = '[\"auditor\"]'::jsonb",
            name="ck_organization_auditor_alone",
        ),
        sa.CheckConstraint("corporate_number ~ '^[1-9][0-9]{12}$'", name="ck_organization_corporate_number"),
        sa.CheckConstraint(
            "invoice_registration_number ~ '^T[0-9]{13}$'", name="ck_organization_invoice_registration_number"
        ),
        sa.CheckConstraint("local_government_code ~ '^[0-9]{6}$'", name="ck_organization_local_government_code"),
        sa.CheckConstraint("state <> 'verified' OR verified_at IS NOT NULL", name="ck_organization_verified_at"),
        sa.CheckConstraint(
            "(state = 'suspended') = (suspended_reason IS NOT NULL)", name="ck_organization_suspended_reason"
        ),
    )
    op.create_index(
        "uq_organization_corporate_number",
        "organization",
        ["corporate_number"],
        unique=True,
        postgresql_where=sa.text("corporate_number IS NOT NULL"),
    )


def _create_member() -> None:
    op.create_table(
        "member",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_member"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_member_organization_id"),
        sa.CheckConstraint(
            "role IN ('owner', 'catalogue_editor', 'buyer', 'finance', 'developer', 'reviewer', 'auditor')",
            name="ck_member_role",
        ),
    )
    op.create_index(
        "uq_member_organization_id_email",
        "member",
        ["organization_id", sa.text("lower(email)")],
        unique=True,
        postgresql_where=sa.text("email IS NOT NULL"),
    )
    op.create_index("ix_member_organization_id_id", "member", ["organization_id", "id"])


def _create_api_client() -> None:
    op.create_table(
        "api_client",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("secret_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_client"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_api_client_organization_id"),
        sa.CheckConstraint("state IN ('active', 'suspended')", name="ck_api_client_state"),
        sa.CheckConstraint("secret_sha256 ~ '^[0-9a-f]{64}$'", name="ck_api_client_secret_sha256"),
        sa.CheckConstraint("jsonb_typeof(scopes) = 'array' AND scopes <> '[]'::jsonb", name="ck_api_client_scopes"),
    )
    op.create_index("ix_api_client_organization_id_id", "api_client", ["organization_id", "id"])


def _create_access_token() -> None:
    op.create_table(
        "access_token",
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("jti", name="pk_access_token"),
        sa.ForeignKeyConstraint(["client_id"], ["api_client.id"], name="fk_access_token_client_id"),
        sa.CheckConstraint("expires_at > issued_at", name="ck_access_token_lifetime"),
    )
    op.create_index("ix_access_token_client_id", "access_token", ["client_id"])
    op.create_index("ix_access_token_expires_at", "access_token", ["expires_at"])


def _create_failed_authentication() -> None:
    op.create_table(
        "failed_authentication",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("window_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_failed_authentication"),
        sa.CheckConstraint("failures > 0", name="ck_failed_authentication_failures"),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_failed_authentication_window_ends_at", "failed_authentication", ["window_ends_at"])


def downgrade() -> None:
    """Drop."""
    for table in ("failed_authentication", "access_token", "api_client", "member", "organization"):
        op.drop_table(table)
