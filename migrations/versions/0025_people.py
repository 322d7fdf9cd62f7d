"""People who can sign in, and how they prove who they are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create."""
    _create_person()
    _create_external_identity()
    _create_passkey()
    _create_one_time_secret()
    _create_recovery_code()
    _create_login_session()
    _create_login_attempt()
    _create_invitation()
    _create_email_challenge()
    _let_members_be_people()


def _create_person() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("locale IN ('ja', 'en')", name="ck_person_locale"),
        sa.CheckConstraint("state IN ('active', 'disabled')", name="ck_person_state"),
        sa.CheckConstraint("(password_hash IS NULL) = (password_changed_at IS NULL)", name="ck_person_password"),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )
    op.create_index("uq_person_email", "person", [sa.text("lower(email)")], unique=True)


def _create_external_identity() -> None:
    op.create_table(
        "external_identity",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name="fk_external_identity_person_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_external_identity"),
    )
    op.create_index("ix_external_identity_person_id", "external_identity", ["person_id"])


def _create_passkey() -> None:
    op.create_table(
        "passkey",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("sign_count >= 0", name="ck_passkey_sign_count"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_passkey_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_passkey"),
        sa.UniqueConstraint("credential_id", name="uq_passkey_credential_id"),
    )
    op.create_index("ix_passkey_person_id", "passkey", ["person_id"])


def _create_one_time_secret() -> None:
    op.create_table(
        "one_time_secret",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("secret_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_one_time_secret_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("person_id", name="pk_one_time_secret"),
    )


def _create_recovery_code() -> None:
    op.create_table(
        "recovery_code",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("code_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("code_sha256 ~ '^[0-9a-f]{64}$'", name="ck_recovery_code_code_sha256"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_recovery_code_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("person_id", "code_sha256", name="pk_recovery_code"),
    )


def _create_login_session() -> None:
    op.create_table(
        "login_session",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("acr", sa.Text(), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("token_sha256 ~ '^[0-9a-f]{64}$'", name="ck_login_session_token_sha256"),
        sa.CheckConstraint("expires_at > created_at", name="ck_login_session_lifetime"),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name="fk_login_session_member_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_login_session_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_login_session"),
        sa.UniqueConstraint("token_sha256", name="uq_login_session_token_sha256"),
    )
    op.create_index("ix_login_session_expires_at", "login_session", ["expires_at"])
    op.create_index("ix_login_session_person_id", "login_session", ["person_id"])


def _create_login_attempt() -> None:
    op.create_table(
        "login_attempt",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("next_path", sa.Text(), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("token_sha256 ~ '^[0-9a-f]{64}$'", name="ck_login_attempt_token_sha256"),
        sa.CheckConstraint("expires_at > created_at", name="ck_login_attempt_lifetime"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_login_attempt_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_login_attempt"),
    )
    op.create_index("ix_login_attempt_expires_at", "login_attempt", ["expires_at"])


def _create_invitation() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("token_sha256 ~ '^[0-9a-f]{64}$'", name="ck_invitation_token_sha256"),
        sa.CheckConstraint("expires_at > created_at", name="ck_invitation_lifetime"),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name="fk_invitation_member_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("token_sha256", name="uq_invitation_token_sha256"),
    )
    op.create_index("ix_invitation_member_id", "invitation", ["member_id"])


def _create_email_challenge() -> None:
    op.create_table(
        "email_challenge",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("purpose IN ('join', 'reset', 'check')", name="ck_email_challenge_purpose"),
        sa.CheckConstraint("token_sha256 ~ '^[0-9a-f]{64}$'", name="ck_email_challenge_token_sha256"),
        sa.CheckConstraint("expires_at > created_at", name="ck_email_challenge_lifetime"),
        sa.CheckConstraint("num_nonnulls(person_id, organization_id) = 1", name="ck_email_challenge_of_one"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_email_challenge_organization_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_email_challenge_person_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_email_challenge"),
        sa.UniqueConstraint("token_sha256", name="uq_email_challenge_token_sha256"),
    )
    op.create_index("ix_email_challenge_expires_at", "email_challenge", ["expires_at"])


def _let_members_be_people() -> None:
    op.add_column("member", sa.Column("person_id", sa.Text(), nullable=True))
    op.create_unique_constraint("uq_member_person_id_organization_id", "member", ["person_id", "organization_id"])
    op.create_foreign_key("fk_member_person_id", "member", "person", ["person_id"], ["id"], ondelete="CASCADE")


def downgrade() -> None:
    """Drop."""
    op.drop_constraint("fk_member_person_id", "member")
    op.drop_constraint("uq_member_person_id_organization_id", "member")
    op.drop_column("member", "person_id")
    op.drop_table("email_challenge")
    op.drop_table("invitation")
    op.drop_table("login_attempt")
    op.drop_table("login_session")
    op.drop_table("recovery_code")
    op.drop_table("one_time_secret")
    op.drop_table("passkey")
    op.drop_table("external_identity")
    op.drop_table("person")
