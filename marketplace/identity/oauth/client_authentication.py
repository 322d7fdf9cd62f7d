"""Who asks: client authentication by a signature (RFC 7523), by a secret (RFC 6749 section 2.3.1), or by name alone.

An unknown client, a wrong secret, a suspended client and a client of a suspended organization look alike.
"""

import base64
import binascii
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError

from marketplace.identity import credentials
from marketplace.identity.oauth import assertions, clients, throttle
from marketplace.identity.oauth.assertions import Assertion
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.posts import StrictRequest
from marketplace.kit import settings

log = logging.getLogger(__name__)
CLIENT_ID_LENGTH_MAX = 200
SECRET_LENGTH_MAX = 1000
_BASIC = re.compile(r"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE | re.ASCII)


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
class Name:
    """The mere name of a client that keeps no secret."""

    client_id: str


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


def claimed_client(request: StrictRequest) -> tuple[KnownClient, str | None] | None:
    """Return the client whose signature a request brings, and the key it names; nothing of it is proved yet."""
    given = read_assertion(request)
    client = clients.find(given.client_id) if given is not None else None
    return (client, given.key_id) if given is not None and client is not None else None


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
    if not colon or len(given.secret) > SECRET_LENGTH_MAX:
        raise ClientRefused
    return given


def read_post(request: StrictRequest) -> Credentials | None:
    """Read ``client_secret_post``; None unless the body carries a secret."""
    secret = request.form.get("client_secret")
    if secret is None:
        return None
    if len(secret) > SECRET_LENGTH_MAX:
        raise ClientRefused
    return Credentials(request.form.get("client_id", ""), secret)


def read_assertion(request: StrictRequest) -> Assertion | None:
    """Read ``private_key_jwt``; None without an assertion, ClientRefused for a broken one."""
    token = request.form.get("client_assertion")
    if token is None and "client_assertion_type" not in request.form:
        return None
    given = assertions.read(token or "")
    if given is None or request.form.get("client_assertion_type") != assertions.TYPE:
        raise ClientRefused
    return given


def read_nothing(request: StrictRequest) -> Name | None:
    """Read ``none``: a client that cannot keep a secret says who it is, and its code or its key must prove the rest."""
    told = request.form
    if request.authorization is not None or {"client_secret", "client_assertion", "client_assertion_type"} & set(told):
        return None
    return Name(told["client_id"]) if "client_id" in told else None


READERS: dict[str, Callable[[StrictRequest], Credentials | Assertion | Name | None]] = {
    "private_key_jwt": read_assertion,
    "client_secret_basic": read_basic,
    "client_secret_post": read_post,
    "none": read_nothing,
}
METHODS = list(READERS)
PROOFS = [method for method in METHODS if method != "none"]


def _proven(given: Credentials | Assertion | Name, peer: str) -> KnownClient:
    if len(given.client_id) > CLIENT_ID_LENGTH_MAX:
        raise ClientRefused
    key = throttle.key_of(given.client_id, peer)
    throttle.refuse_exhausted(key)
    # A mistyped secret is known by its checksum: nobody is looked up for it.
    mistyped = isinstance(given, Credentials) and not credentials.is_well_formed(given.secret)
    client = None if mistyped else clients.find(given.client_id)
    if not _is_proved(given, client) or client is None:
        throttle.count_failure(key)
        log.info("client %s of %s did not prove itself by %s", given.client_id, peer, type(given).__name__.lower())
        raise ClientRefused
    return client


def _is_proved(given: Credentials | Assertion | Name, client: KnownClient | None) -> bool:
    if isinstance(given, Assertion):
        return assertions.proves(given, client)
    if isinstance(given, Name):
        return client is not None and client.is_public
    # Under the strict profile a secret proves nothing (FAPI 2.0 section 5.3.2.1).
    strict = settings.current().security_profile == "fapi2"
    same = credentials.matches(given.secret, client.secret_sha256 if client is not None else None)
    return same and not strict
