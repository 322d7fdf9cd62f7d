"""Tables of the authorization server; whatever lets somebody in lies here as a hash."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.identity.models import HASH, one_of
from marketplace.identity.states import DeviceState
from marketplace.kit.db import Model


class AuthorizationRequest(Model):
    """What a client asks a person to allow, checked and kept: what comes back from a browser changes nothing of it.

    ``request_uri_sha256`` is there where the client pushed it (RFC 9126), and works once (``consumed_at``).
    """

    __tablename__ = "authorization_request"
    __table_args__ = (
        CheckConstraint("expires_at > created_at", "lifetime"),
        CheckConstraint(f"request_uri_sha256 {HASH}", "request_uri_sha256"),
        Index("ix_authorization_request_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.id", ondelete="CASCADE"))
    parameters: Mapped[dict[str, Any]]
    request_uri_sha256: Mapped[str | None] = mapped_column(unique=True)
    dpop_jkt: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]


class AuthorizationCode(Model):
    """What a person allowed, to be changed for tokens once; ``family_id`` is set by whoever comes first."""

    __tablename__ = "authorization_code"
    __table_args__ = (
        CheckConstraint(f"code_sha256 {HASH}", "code_sha256"),
        CheckConstraint("expires_at > issued_at", "lifetime"),
        Index("ix_authorization_code_expires_at", "expires_at"),
    )

    code_sha256: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.id", ondelete="CASCADE"))
    member_id: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    redirect_uri: Mapped[str]
    code_challenge: Mapped[str]
    scope: Mapped[str]
    grant_ids: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    dpop_jkt: Mapped[str | None]
    acr: Mapped[str]
    authenticated_at: Mapped[datetime]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    family_id: Mapped[str | None] = mapped_column(ForeignKey("token_family.id", ondelete="CASCADE"))


class RefreshToken(Model):
    """One link in the chain of a family; the second use of a link ends the family (RFC 9700 section 4.14.2)."""

    __tablename__ = "refresh_token"
    __table_args__ = (
        CheckConstraint(f"token_sha256 {HASH}", "token_sha256"),
        Index("ix_refresh_token_family_id", "family_id"),
    )

    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    family_id: Mapped[str] = mapped_column(ForeignKey("token_family.id", ondelete="CASCADE"))
    issued_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class DeviceAuthorization(Model):
    """A program without a browser, waiting for a person to type its code elsewhere (RFC 8628)."""

    __tablename__ = "device_authorization"
    __table_args__ = (
        CheckConstraint(one_of("state", DeviceState), "state"),
        CheckConstraint(f"device_code_sha256 {HASH}", "device_code_sha256"),
        CheckConstraint(f"user_code_sha256 {HASH}", "user_code_sha256"),
        CheckConstraint("state IN ('waiting', 'denied') OR member_id IS NOT NULL", "member_id"),
        CheckConstraint("interval_seconds > 0", "interval_seconds"),
        CheckConstraint("expires_at > created_at", "lifetime"),
        Index("ix_device_authorization_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    device_code_sha256: Mapped[str] = mapped_column(unique=True)
    user_code_sha256: Mapped[str] = mapped_column(unique=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.id", ondelete="CASCADE"))
    scope: Mapped[str]
    grant_ids: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    state: Mapped[str]
    member_id: Mapped[str | None] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organization.id"))
    acr: Mapped[str | None]
    authenticated_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    interval_seconds: Mapped[int] = mapped_column(Integer)
    polled_at: Mapped[datetime | None]


class SpentProof(Model):
    """A ``jti`` that was used: whoever comes second with it is refused (RFC 7523 section 3, RFC 9449 section 11.1)."""

    __tablename__ = "spent_proof"
    __table_args__ = (
        CheckConstraint(f"key_sha256 {HASH}", "key_sha256"),
        Index("ix_spent_proof_expires_at", "expires_at"),
    )

    key_sha256: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]


class InitialAccessToken(Model):
    """What lets a program register clients for an organization by itself (RFC 7591 section 3)."""

    __tablename__ = "initial_access_token"
    __table_args__ = (
        CheckConstraint(f"token_sha256 {HASH}", "token_sha256"),
        CheckConstraint("uses_left >= 0", "uses_left"),
        CheckConstraint("jsonb_typeof(scopes) = 'array' AND scopes <> '[]'::jsonb", "scopes"),
        CheckConstraint("expires_at > created_at", "lifetime"),
        Index("ix_initial_access_token_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    token_sha256: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    uses_left: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
