"""The authorization server: clients of every kind, consent, codes, families of tokens, proofs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

CHECKS = {
    "ck_api_client_authentication_method": "authentication_method IN ('client_secret_basic', 'private_key_jwt', 'none')",
    "ck_api_client_secret": "(authentication_method = 'client_secret_basic') = (secret_sha256 IS NOT NULL)",
    "ck_api_client_keys": (
        "num_nonnulls(jwks, jwks_uri) = CASE WHEN authentication_method = 'private_key_jwt' THEN 1 ELSE 0 END"
    ),
    "ck_api_client_redirect_uris": "jsonb_typeof(redirect_uris) = 'array'",
    "ck_api_client_grant_types": "jsonb_typeof(grant_types) = 'array' AND grant_types <> '[]'::jsonb",
    "ck_api_client_registration_token_sha256": "registration_token_sha256 ~ '^[0-9a-f]{64}$'",
}
COLUMNS = (
    "authentication_method", "jwks", "jwks_uri", "redirect_uris", "grant_types", "dpop_bound", "par_required",
    "registration_token_sha256",
)  # fmt: skip


def upgrade() -> None:
    """Create."""
    _create_token_family()
    _create_authorization_request()
    _create_authorization_code()
    _create_refresh_token()
    _create_device_authorization()
    _create_spent_proof()
    _create_initial_access_token()
    _widen_api_client()
    _widen_access_token()


def _create_token_family() -> None:
    op.create_table(
        "token_family",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("grant_ids", postgresql.JSONB(), nullable=True),
        sa.Column("dpop_jkt", sa.Text(), nullable=True),
        sa.Column("acr", sa.Text(), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("expires_at > created_at", name="ck_token_family_lifetime"),
        sa.ForeignKeyConstraint(["client_id"], ["api_client.id"], name="fk_token_family_client_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name="fk_token_family_member_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_token_family_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_token_family"),
    )
    op.create_index("ix_token_family_client_id", "token_family", ["client_id"])
    op.create_index("ix_token_family_expires_at", "token_family", ["expires_at"])
    op.create_index("ix_token_family_member_id", "token_family", ["member_id"])


def _create_authorization_request() -> None:
    op.create_table(
        "authorization_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("request_uri_sha256", sa.Text(), nullable=True),
        sa.Column("dpop_jkt", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("request_uri_sha256 ~ '^[0-9a-f]{64}$'", name="ck_authorization_request_request_uri_sha256"),
        sa.CheckConstraint("expires_at > created_at", name="ck_authorization_request_lifetime"),
        sa.ForeignKeyConstraint(
            ["client_id"], ["api_client.id"], name="fk_authorization_request_client_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_authorization_request"),
        sa.UniqueConstraint("request_uri_sha256", name="uq_authorization_request_request_uri_sha256"),
    )
    op.create_index("ix_authorization_request_expires_at", "authorization_request", ["expires_at"])


def _create_authorization_code() -> None:
    op.create_table(
        "authorization_code",
        sa.Column("code_sha256", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("grant_ids", postgresql.JSONB(), nullable=True),
        sa.Column("dpop_jkt", sa.Text(), nullable=True),
        sa.Column("acr", sa.Text(), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("family_id", sa.Text(), nullable=True),
        sa.CheckConstraint("code_sha256 ~ '^[0-9a-f]{64}$'", name="ck_authorization_code_code_sha256"),
        sa.CheckConstraint("expires_at > issued_at", name="ck_authorization_code_lifetime"),
        sa.ForeignKeyConstraint(
            ["client_id"], ["api_client.id"], name="fk_authorization_code_client_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["family_id"], ["token_family.id"], name="fk_authorization_code_family_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name="fk_authorization_code_member_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_authorization_code_organization_id"),
        sa.PrimaryKeyConstraint("code_sha256", name="pk_authorization_code"),
    )
    op.create_index("ix_authorization_code_expires_at", "authorization_code", ["expires_at"])


def _create_refresh_token() -> None:
    op.create_table(
        "refresh_token",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("family_id", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("token_sha256 ~ '^[0-9a-f]{64}$'", name="ck_refresh_token_token_sha256"),
        sa.ForeignKeyConstraint(
            ["family_id"], ["token_family.id"], name="fk_refresh_token_family_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_refresh_token"),
    )
    op.create_index("ix_refresh_token_family_id", "refresh_token", ["family_id"])


def _create_device_authorization() -> None:
    op.create_table(
        "device_authorization",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("device_code_sha256", sa.Text(), nullable=False),
        sa.Column("user_code_sha256", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("grant_ids", postgresql.JSONB(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("acr", sa.Text(), nullable=True),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("device_code_sha256 ~ '^[0-9a-f]{64}$'", name="ck_device_authorization_device_code_sha256"),
        sa.CheckConstraint("state IN ('waiting', 'approved', 'denied', 'used')", name="ck_device_authorization_state"),
        sa.CheckConstraint(
            "state IN ('waiting', 'denied') OR member_id IS NOT NULL", name="ck_device_authorization_member_id"
        ),
        sa.CheckConstraint("user_code_sha256 ~ '^[0-9a-f]{64}$'", name="ck_device_authorization_user_code_sha256"),
        sa.CheckConstraint("expires_at > created_at", name="ck_device_authorization_lifetime"),
        sa.CheckConstraint("interval_seconds > 0", name="ck_device_authorization_interval_seconds"),
        sa.ForeignKeyConstraint(
            ["client_id"], ["api_client.id"], name="fk_device_authorization_client_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name="fk_device_authorization_member_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_device_authorization_organization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_device_authorization"),
        sa.UniqueConstraint("device_code_sha256", name="uq_device_authorization_device_code_sha256"),
        sa.UniqueConstraint("user_code_sha256", name="uq_device_authorization_user_code_sha256"),
    )
    op.create_index("ix_device_authorization_expires_at", "device_authorization", ["expires_at"])


def _create_spent_proof() -> None:
    op.create_table(
        "spent_proof",
        sa.Column("key_sha256", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("key_sha256 ~ '^[0-9a-f]{64}$'", name="ck_spent_proof_key_sha256"),
        sa.PrimaryKeyConstraint("key_sha256", name="pk_spent_proof"),
    )
    op.create_index("ix_spent_proof_expires_at", "spent_proof", ["expires_at"])


def _create_initial_access_token() -> None:
    op.create_table(
        "initial_access_token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "jsonb_typeof(scopes) = 'array' AND scopes <> '[]'::jsonb", name="ck_initial_access_token_scopes"
        ),
        sa.CheckConstraint("token_sha256 ~ '^[0-9a-f]{64}$'", name="ck_initial_access_token_token_sha256"),
        sa.CheckConstraint("expires_at > created_at", name="ck_initial_access_token_lifetime"),
        sa.CheckConstraint("uses_left >= 0", name="ck_initial_access_token_uses_left"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_initial_access_token_organization_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_initial_access_token"),
        sa.UniqueConstraint("token_sha256", name="uq_initial_access_token_token_sha256"),
    )
    op.create_index("ix_initial_access_token_organization_id_id", "initial_access_token", ["organization_id", "id"])


def _widen_api_client() -> None:
    for column in (
        sa.Column("authentication_method", sa.Text(), nullable=False, server_default="client_secret_basic"),
        sa.Column("jwks", postgresql.JSONB(), nullable=True),
        sa.Column("jwks_uri", sa.Text(), nullable=True),
        sa.Column("redirect_uris", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
        sa.Column(
            "grant_types",
            postgresql.JSONB(),
            nullable=False,
            server_default=sa.text("'[\"client_credentials\"]'::jsonb"),
        ),
        sa.Column("dpop_bound", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("par_required", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("registration_token_sha256", sa.Text(), nullable=True),
    ):
        op.add_column("api_client", column)
        if column.server_default is not None:  # for the clients there are; later ones say it themselves
            op.alter_column("api_client", column.name, server_default=None)
    op.alter_column("api_client", "secret_sha256", nullable=True)
    for name, condition in CHECKS.items():
        op.create_check_constraint(name, "api_client", condition)


def _narrow_api_client() -> None:
    # Clients that prove themselves otherwise than by a secret have no place in the older schema.
    op.execute("DELETE FROM access_token WHERE client_id IN (SELECT id FROM api_client WHERE secret_sha256 IS NULL)")
    op.execute("DELETE FROM api_client WHERE secret_sha256 IS NULL")
    for name in CHECKS:
        op.drop_constraint(name, "api_client")
    op.alter_column("api_client", "secret_sha256", nullable=False)
    for name in COLUMNS:
        op.drop_column("api_client", name)


def _widen_access_token() -> None:
    op.add_column("access_token", sa.Column("family_id", sa.Text(), nullable=True))
    op.create_index("ix_access_token_family_id", "access_token", ["family_id"])
    op.create_foreign_key(
        "fk_access_token_family_id", "access_token", "token_family", ["family_id"], ["id"], ondelete="CASCADE"
    )


def downgrade() -> None:
    """Drop."""
    op.drop_constraint("fk_access_token_family_id", "access_token")
    op.drop_index("ix_access_token_family_id", "access_token")
    op.drop_column("access_token", "family_id")
    _narrow_api_client()
    op.drop_table("initial_access_token")
    op.drop_table("spent_proof")
    op.drop_table("device_authorization")
    op.drop_table("refresh_token")
    op.drop_table("authorization_code")
    op.drop_table("authorization_request")
    op.drop_table("token_family")
