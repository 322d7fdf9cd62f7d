"""Tables of people who sign in. Personal data; a person's row can be erased with all that hangs on it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.identity.login.states import ChallengePurpose
from marketplace.identity.models import HASH, one_of
from marketplace.kit.db import Model


class ExternalIdentity(Model):
    """Who somebody is at another OpenID provider: its issuer and subject, never an e-mail address."""

    __tablename__ = "external_identity"
    __table_args__ = (Index("ix_external_identity_person_id", "person_id"),)

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]


class Passkey(Model):
    """A public key that an authenticator made for this exchange (WebAuthn level 3 section 4)."""

    __tablename__ = "passkey"
    __table_args__ = (
        CheckConstraint("sign_count >= 0", "sign_count"),
        Index("ix_passkey_person_id", "person_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class OneTimeSecret(Model):
    """The secret of a person's code generator (RFC 6238), encrypted; no step of it counts twice."""

    __tablename__ = "one_time_secret"

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    secret_encrypted: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)


class RecoveryCode(Model):
    """One of the codes that stand in for a lost code generator, each once."""

    __tablename__ = "recovery_code"
    __table_args__ = (CheckConstraint(f"code_sha256 {HASH}", "code_sha256"),)

    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    code_sha256: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class LoginSession(Model):
    """Somebody signed in with one browser, wearing the hat of at most one organization."""

    __tablename__ = "login_session"
    __table_args__ = (
        CheckConstraint(f"token_sha256 {HASH}", "token_sha256"),
        CheckConstraint("expires_at > created_at", "lifetime"),
        Index("ix_login_session_person_id", "person_id"),
        Index("ix_login_session_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    token_sha256: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    member_id: Mapped[str | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    acr: Mapped[str]
    authenticated_at: Mapped[datetime]
    user_agent: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class LoginAttempt(Model):
    """A sign-in half done: what was proved so far, and the challenge that waits for its answer, once."""

    __tablename__ = "login_attempt"
    __table_args__ = (
        CheckConstraint(f"token_sha256 {HASH}", "token_sha256"),
        CheckConstraint("expires_at > created_at", "lifetime"),
        Index("ix_login_attempt_expires_at", "expires_at"),
    )

    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    stage: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    facts: Mapped[dict[str, Any]]
    next_path: Mapped[str]
    tries_left: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Invitation(Model):
    """A member asked to sign in for the organization; its token goes out by e-mail and works once."""

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint(f"token_sha256 {HASH}", "token_sha256"),
        CheckConstraint("expires_at > created_at", "lifetime"),
        Index("ix_invitation_member_id", "member_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    token_sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]


class EmailChallenge(Model):
    """A token sent to an address, to see that whoever asks reads what is sent there."""

    __tablename__ = "email_challenge"
    __table_args__ = (
        CheckConstraint(one_of("purpose", ChallengePurpose), "purpose"),
        CheckConstraint(f"token_sha256 {HASH}", "token_sha256"),
        CheckConstraint("expires_at > created_at", "lifetime"),
        CheckConstraint("num_nonnulls(person_id, organization_id) = 1", "of_one"),
        Index("ix_email_challenge_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    email: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organization.id"))
    token_sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
