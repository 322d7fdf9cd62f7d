"""Access tokens: JWTs of RFC 9068, each with a row by ``jti`` so that revocation bites at once."""

import hashlib
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from marketplace.identity import held
from marketplace.identity.actors import Actor
from marketplace.identity.errors import InvalidToken
from marketplace.identity.models import AccessToken, ApiClient, Member, Organization, Person, TokenFamily
from marketplace.identity.oauth import keys
from marketplace.identity.states import (
    Assurance,
    AuthenticationMethod,
    Capacity,
    ClientState,
    MemberRole,
    OrganizationState,
    PersonState,
    Trust,
)
from marketplace.kit import clock, jobs, settings
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
LENGTH_MAX = 6144
VERIFIED_MAX = 10_000


GRANT_DETAILS = "musubi_grant"
"""The one type of ``authorization_details`` (RFC 9396 section 2): a token narrowed to one grant."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """For whom a token is: a client, and the member that lets it act, if any.

    ``family_id``, ``acr`` and ``authenticated_at`` are there with ``member_id``. ``grant_ids`` narrows the token to
    these grants, ``dpop_jkt`` binds it to a key (RFC 9449 section 6), ``ttl_seconds`` None means the usual time.
    """

    client_id: str
    organization_id: str
    scope: str
    member_id: str | None = None
    family_id: str | None = None
    acr: str | None = None
    authenticated_at: datetime | None = None
    grant_ids: tuple[str, ...] | None = None
    dpop_jkt: str | None = None
    ttl_seconds: int | None = None


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
    member_id: str | None = None
    acr: str | None = None
    authenticated_at: int | None = None
    grant_ids: tuple[str, ...] | None = None
    dpop_jkt: str | None = None


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
_families, _members, _persons = TokenFamily.__table__.c, Member.__table__.c, Person.__table__.c
# One row as long as nothing that the token hangs on has ended: token, family, client, organization, member, person.
_STANDING = (
    select(
        _organizations.id.label("organization_id"),
        _organizations.state,
        _organizations.capacities,
        _organizations.trust,
        _clients.authentication_method,
        _members.id.label("member_id"),
        _members.role,
        _tokens.family_id,
    )
    .select_from(AccessToken.__table__)
    .join(ApiClient.__table__, _clients.id == _tokens.client_id)
    .outerjoin(TokenFamily.__table__, _families.id == _tokens.family_id)
    .outerjoin(Member.__table__, _members.id == _families.member_id)
    .outerjoin(Person.__table__, _persons.id == _members.person_id)
    .join(
        Organization.__table__,
        _organizations.id == func.coalesce(_families.organization_id, _clients.organization_id),
    )
    .where(
        _tokens.jti == bindparam("jti"),
        _tokens.client_id == bindparam("client_id"),
        _tokens.revoked_at.is_(None),
        _clients.state == ClientState.ACTIVE.value,
        _organizations.state != OrganizationState.SUSPENDED.value,
        or_(
            _tokens.family_id.is_(None),
            and_(_families.revoked_at.is_(None), _persons.state == PersonState.ACTIVE.value),
        ),
    )
)


def issue(bearer: Bearer) -> str:
    """Sign a token and write its row (RFC 9068 section 2.2)."""
    issued_at = clock.now().replace(microsecond=0)
    expires_at = issued_at + timedelta(seconds=bearer.ttl_seconds or settings.current().token_ttl_seconds)
    jti = new_id("tok")
    row = {
        "jti": jti,
        "client_id": bearer.client_id,
        "family_id": bearer.family_id,
        "issued_at": issued_at,
        "expires_at": expires_at,
    }
    db.session.execute(insert(AccessToken).values(**row))
    issuer = settings.current().base_url
    claims = {
        "iss": issuer,
        "aud": issuer,
        "sub": bearer.member_id or bearer.client_id,
        "client_id": bearer.client_id,
        "org": bearer.organization_id,
        "scope": bearer.scope,
        "jti": jti,
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    log.info("token %s is issued to %s for %s", jti, bearer.client_id, bearer.member_id or bearer.organization_id)
    return sign(claims | _said_of(bearer))


def _said_of(bearer: Bearer) -> dict[str, Any]:
    """Return the claims that only some tokens have: of a person, narrowed, or bound to a key."""
    said: dict[str, Any] = {}
    if bearer.member_id is not None and bearer.authenticated_at is not None:
        said |= {"acr": bearer.acr, "auth_time": int(bearer.authenticated_at.timestamp())}
    if bearer.grant_ids is not None:
        said["authorization_details"] = details_of(bearer.grant_ids)
    if bearer.dpop_jkt is not None:
        said["cnf"] = {"jkt": bearer.dpop_jkt}
    return said


def details_of(grant_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return the ``authorization_details`` of a token that opens these grants alone."""
    return [{"type": GRANT_DETAILS, "identifier": grant_id, "actions": ["fetch"]} for grant_id in grant_ids]


def sign(claims: dict[str, Any]) -> str:
    """Return the claims as a compact JWT signed with the present key."""
    signing = keys.current().signing
    return jws.serialize_compact(dict(signing.header), json.dumps(claims).encode(), signing.key, [keys.ALGORITHM])


def authenticate(token: str, proven_jkt: str | None = None) -> Actor:
    """Return who holds the token, with the capacities its organization has at this moment.

    ``proven_jkt`` names the key that the caller has proved to hold (RFC 9449 section 4.3): a bound token is good
    with its own key alone, and one that is not bound with none. Raises InvalidToken for whatever is not a token of
    ours, has run out or was revoked, and when the client, the organization or the member was shut out.
    """
    claims = verify(token)
    if claims.dpop_jkt != proven_jkt:
        raise InvalidToken
    return holder_of(claims)


def holder_of(claims: Claims) -> Actor:
    """Return whom the claims of a verified token stand for at this moment, in one Core query; raises InvalidToken."""
    standing = db.session.connection().execute(_STANDING, {"jti": claims.jti, "client_id": claims.client_id}).first()
    if standing is None or (standing.member_id, standing.organization_id) != (claims.member_id, claims.organization_id):
        raise InvalidToken
    trusted = standing.state == OrganizationState.VERIFIED.value
    return Actor(
        organization_id=claims.organization_id,
        client_id=claims.client_id,
        member_id=claims.member_id,
        scopes=frozenset(claims.scope.split()),
        capacities=frozenset(map(Capacity, standing.capacities)) if trusted else frozenset(),
        role=MemberRole(standing.role) if standing.role is not None else None,
        assurance=Assurance(claims.acr) if claims.acr is not None else None,
        authenticated_at=datetime.fromtimestamp(claims.authenticated_at, UTC) if claims.authenticated_at else None,
        grant_ids=frozenset(claims.grant_ids) if claims.grant_ids is not None else None,
        trust=Trust(standing.trust),
        keyed=standing.authentication_method == AuthenticationMethod.PRIVATE_KEY_JWT.value,
        token_id=claims.jti,
        family_id=standing.family_id,
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
        over = AccessToken.expires_at <= clock.now()
        kept = held.of_token(AccessToken.client_id, AccessToken.family_id)
        db.session.execute(delete(AccessToken).where(over, ~kept))


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
    if audience != issuer or "nbf" in payload:  # we never issue tokens for later
        raise InvalidToken
    acr, authenticated_at = payload.get("acr"), payload.get("auth_time")
    return Claims(
        jti,
        client_id,
        organization_id,
        scope,
        issuer,
        int(payload["iat"]),
        int(payload["exp"]),
        member_id=_member(subject, client_id, acr, authenticated_at),
        acr=acr,
        authenticated_at=authenticated_at,
        grant_ids=_grants(payload.get("authorization_details")),
        dpop_jkt=_bound_key(payload.get("cnf")),
    )


def _member(subject: str, client_id: str, acr: object, authenticated_at: object) -> str | None:
    """Return the member of a token, None for a program's own: that one says nothing of a sign-in."""
    of_member = subject != client_id
    if (isinstance(acr, str), type(authenticated_at) is int) != (of_member, of_member):
        raise InvalidToken
    return subject if of_member else None


def _grants(details: Any) -> tuple[str, ...] | None:
    if details is None:
        return None
    try:
        return tuple(detail["identifier"] for detail in details if detail["type"] == GRANT_DETAILS)
    except (TypeError, KeyError) as error:
        raise InvalidToken from error


def _bound_key(confirmation: Any) -> str | None:
    if confirmation is None:
        return None
    if not isinstance(confirmation, dict) or not isinstance(confirmation.get("jkt"), str):
        raise InvalidToken
    return str(confirmation["jkt"])
