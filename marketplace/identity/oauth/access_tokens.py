"""Access tokens: JWTs of RFC 9068, each with a row by ``jti`` so that revocation bites at once."""

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from sqlalchemy import bindparam, delete, insert, select, update

from marketplace.identity.actors import Actor
from marketplace.identity.errors import InvalidToken
from marketplace.identity.models import AccessToken, ApiClient, Organization
from marketplace.identity.oauth import keys
from marketplace.identity.states import Capacity, ClientState, OrganizationState
from marketplace.kit import clock, jobs, settings
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

LENGTH_MAX = 4096
VERIFIED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that we signed says; times are seconds since 1970."""

    jti: str
    client_id: str
    organization_id: str
    scope: str
    issuer: str
    issued_at: int
    expires_at: int


class VerifiedTokens:
    """The tokens whose signature was found good lately; the oldest is forgotten first."""

    def __init__(self, size_max: int = VERIFIED_MAX) -> None:
        self._claims: OrderedDict[bytes, Claims] = OrderedDict()
        self._size_max = size_max
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._claims)

    def find(self, fingerprint: bytes) -> Claims | None:
        """Return the claims of a token verified before, or None."""
        return self._claims.get(fingerprint)

    def keep(self, fingerprint: bytes, claims: Claims) -> None:
        """Remember a verified token."""
        with self._lock:
            self._claims[fingerprint] = claims
            while len(self._claims) > self._size_max:
                self._claims.popitem(last=False)


_verified = VerifiedTokens()
_tokens, _clients, _organizations = AccessToken.__table__.c, ApiClient.__table__.c, Organization.__table__.c
_STANDING = (
    select(_clients.organization_id, _organizations.state, _organizations.capacities)
    .select_from(AccessToken.__table__)
    .join(ApiClient.__table__, _clients.id == _tokens.client_id)
    .join(Organization.__table__, _organizations.id == _clients.organization_id)
    .where(
        _tokens.jti == bindparam("jti"),
        _tokens.client_id == bindparam("client_id"),
        _tokens.revoked_at.is_(None),
        _clients.state == ClientState.ACTIVE.value,
        _organizations.state != OrganizationState.SUSPENDED.value,
    )
)


def issue(client_id: str, organization_id: str, scope: str) -> str:
    """Sign a token for a client and write its row; the lifetime is that of the settings."""
    issued_at = clock.now().replace(microsecond=0)
    expires_at = issued_at + timedelta(seconds=settings.current().token_ttl_seconds)
    issuer = settings.current().base_url
    jti = new_id("tok")
    row = {"jti": jti, "client_id": client_id, "issued_at": issued_at, "expires_at": expires_at}
    db.session.execute(insert(AccessToken).values(**row))
    return sign(
        {
            "iss": issuer,
            "aud": issuer,
            "sub": client_id,
            "client_id": client_id,
            "org": organization_id,
            "scope": scope,
            "jti": jti,
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
    )


def sign(claims: dict[str, Any]) -> str:
    """Return the claims as a compact JWT signed with the present key."""
    signing = keys.current().signing
    return jws.serialize_compact(dict(signing.header), json.dumps(claims).encode(), signing.key, [keys.ALGORITHM])


def authenticate(bearer_token: str) -> Actor:
    """Return who holds the token, with the capacities its organization has at this moment.

    Raises InvalidToken for whatever is not a token of ours, has run out or was revoked, and when the
    client or the organization was suspended. One Core query; the signature is checked once per token.
    """
    claims = verify(bearer_token)
    standing = db.session.connection().execute(_STANDING, {"jti": claims.jti, "client_id": claims.client_id}).first()
    if standing is None or standing.organization_id != claims.organization_id:
        raise InvalidToken
    trusted = standing.state == OrganizationState.VERIFIED.value
    return Actor(
        organization_id=claims.organization_id,
        client_id=claims.client_id,
        scopes=frozenset(claims.scope.split()),
        capacities=frozenset(map(Capacity, standing.capacities)) if trusted else frozenset(),
    )


def verify(token: str) -> Claims:
    """Return the claims of a token that this exchange signed for itself and that has not run out.

    Raises InvalidToken (RFC 9068 section 4). Says nothing about revocation.
    """
    ring = keys.current()
    key = ring.find(token) if len(token) <= LENGTH_MAX else None
    if key is None:
        raise InvalidToken
    fingerprint = hashlib.sha256(f"{key.kid} {token}".encode("utf-8", "surrogatepass")).digest()
    claims = _verified.find(fingerprint)
    if claims is None:
        claims = _read(_signed_payload(token, key))
        _verified.keep(fingerprint, claims)
    if claims.issuer != settings.current().base_url or claims.expires_at <= clock.now().timestamp():
        raise InvalidToken
    return claims


def revoke(jti: str) -> bool:
    """End a token; returns whether it was alive."""
    statement = update(AccessToken).where(AccessToken.jti == jti, AccessToken.revoked_at.is_(None))
    statement = statement.values(revoked_at=clock.now()).returning(AccessToken.jti)
    return db.session.execute(statement).first() is not None


@jobs.task("identity.forget_tokens", cron="*/10 * * * *")
def forget_expired() -> None:
    """Delete the rows of tokens that have run out, on which nothing depends any more."""
    with transaction():
        db.session.execute(delete(AccessToken).where(AccessToken.expires_at <= clock.now()))


def _signed_payload(token: str, key: keys.SigningKey) -> dict[str, Any]:
    try:
        payload = json.loads(jws.deserialize_compact(token, key.key, [keys.ALGORITHM]).payload)
    except (ValueError, TypeError, RecursionError, JoseError) as error:
        raise InvalidToken from error
    if not isinstance(payload, dict):
        raise InvalidToken
    return payload


def _read(payload: dict[str, Any]) -> Claims:
    texts = [payload.get(name) for name in ("jti", "client_id", "org", "scope", "iss", "sub", "aud")]
    instants = [payload.get(name) for name in ("iat", "exp")]
    if not all(isinstance(text, str) for text in texts) or not all(type(instant) is int for instant in instants):
        raise InvalidToken
    jti, client_id, organization_id, scope, issuer, subject, audience = map(str, texts)
    if subject != client_id or audience != issuer or "nbf" in payload:  # we never issue tokens for later
        raise InvalidToken
    return Claims(jti, client_id, organization_id, scope, issuer, int(payload["iat"]), int(payload["exp"]))
