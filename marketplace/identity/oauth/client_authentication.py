"""Who asks: client authentication by HTTP Basic or in the body (RFC 6749 section 2.3.1).

An unknown client, a wrong secret, a suspended client and a client of a suspended organization look alike.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from sqlalchemy import select

from marketplace.identity import credentials
from marketplace.identity.models import ApiClient, Organization
from marketplace.identity.oauth import throttle
from marketplace.identity.oauth.posts import StrictRequest
from marketplace.identity.permissions import scopes_for
from marketplace.identity.states import Capacity, ClientState, OrganizationState
from marketplace.kit.db import db
from marketplace.kit.ids import ID_PATTERN

CLIENT_ID_LENGTH_MAX = 200
SECRET_LENGTH_MAX = 1000
_BASIC = re.compile(r"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE | re.ASCII)

_clients, _organizations = ApiClient.__table__.c, Organization.__table__.c


class ClientRefused(InvalidClientError):  # type: ignore[misc]  # Authlib carries no types
    """The client could not be authenticated; always 401, always in the same words."""

    description = "Client authentication failed."
    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the usual headers and the challenge (RFC 7617 section 2)."""
        usual = [header for header in super().get_headers() if header[0] != "WWW-Authenticate"]
        return [*usual, ("WWW-Authenticate", 'Basic realm="oauth", charset="UTF-8"')]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client id and the secret that is to prove it."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KnownClient:
    """An authenticated client, and the scopes that it may have at this moment."""

    id: str
    organization_id: str
    scopes: frozenset[str]

    def check_grant_type(self, grant_type: str) -> bool:
        """Allow the one grant that needs no person."""
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Return the scope asked for, or all there is when none is asked; None when it is not to be had."""
        asked = frozenset((scope or "").split(" ")) - {""}
        granted = asked or self.scopes
        return " ".join(sorted(granted)) if granted and granted <= self.scopes else None


def authenticate(request: StrictRequest, methods: list[str]) -> KnownClient:
    """Return the client that the request proves to come from, by exactly one of the methods.

    Raises ClientRefused (401), InvalidRequestError (400, two methods at once) or TooManyFailures (429).
    """
    used = {method: found for method in methods if (found := READERS[method](request))}
    if len(used) > 1:
        raise InvalidRequestError("The client authenticates by more than one method.")
    if not used:
        raise ClientRefused
    method, given = used.popitem()
    named = request.form.get("client_id", given.client_id)
    if named != given.client_id:
        raise InvalidRequestError("The client_id in the body is not the one that authenticates.")
    request.auth_method = method
    return _proven(given, request.peer)


def read_basic(request: StrictRequest) -> Credentials | None:
    """Read ``client_secret_basic``; None without an Authorization header, ClientRefused for a broken one."""
    if request.authorization is None:
        return None
    match = _BASIC.fullmatch(request.authorization.strip())
    if not match:
        raise ClientRefused
    try:
        pair = base64.b64decode(match[1], validate=True).decode()
        client_id, colon, secret = pair.partition(":")
        given = Credentials(unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict"))
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ClientRefused from error
    if not colon:
        raise ClientRefused
    return given


def read_post(request: StrictRequest) -> Credentials | None:
    """Read ``client_secret_post``; None unless the body carries a secret."""
    secret = request.form.get("client_secret")
    return None if secret is None else Credentials(request.form.get("client_id", ""), secret)


READERS: dict[str, Callable[[StrictRequest], Credentials | None]] = {
    "client_secret_basic": read_basic,
    "client_secret_post": read_post,
}
METHODS = list(READERS)


def _proven(given: Credentials, peer: str) -> KnownClient:
    if len(given.client_id) > CLIENT_ID_LENGTH_MAX or len(given.secret) > SECRET_LENGTH_MAX:
        raise ClientRefused
    key = throttle.key_of(given.client_id, peer)
    throttle.refuse_exhausted(key)
    known, secret_sha256 = _find(given.client_id)
    if not credentials.matches(given.secret, secret_sha256) or known is None:
        throttle.count_failure(key)
        raise ClientRefused
    return known


def _find(client_id: str) -> tuple[KnownClient | None, str | None]:
    # What is not shaped like an id is no client; among such texts are those that PostgreSQL refuses (NUL).
    if not ID_PATTERN.fullmatch(client_id):
        return None, None
    statement = (
        select(
            _clients.organization_id,
            _clients.scopes,
            _clients.secret_sha256,
            _organizations.state,
            _organizations.capacities,
        )
        .join(Organization.__table__, _organizations.id == _clients.organization_id)
        .where(
            _clients.id == client_id,
            _clients.state == ClientState.ACTIVE.value,
            _organizations.state != OrganizationState.SUSPENDED.value,
        )
    )
    row = db.session.execute(statement).first()
    if row is None:
        return None, None
    trusted = row.state == OrganizationState.VERIFIED.value
    capacities = frozenset(map(Capacity, row.capacities)) if trusted else frozenset()
    scopes = frozenset(row.scopes) & scopes_for(capacities)
    return KnownClient(client_id, row.organization_id, scopes), row.secret_sha256
