"""What a client asks a person to allow: read strictly, kept, and shown to the person (RFC 6749 section 4.1.1).

A pushed request (RFC 9126) and one that comes with the browser are read by the same rules. What is wrong before
the address to go back to is known to be the client's own is shown to the person; the rest is told to the client.
"""

import re
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, UnauthorizedClientError
from sqlalchemy import delete, insert, update

from marketplace.identity import credentials, held
from marketplace.identity.oauth import clients, demands
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.models import AuthorizationRequest
from marketplace.identity.oauth.refusals import UnsupportedResponseType
from marketplace.identity.states import Assurance, GrantType
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.texts import is_storable
from marketplace.kit.transaction import transaction

PUSHED_SECONDS = 60
KEPT = timedelta(minutes=10)
"""So long a person may think about it."""

STATE_LENGTH_MAX = 4096
REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_REPEATABLE = {"resource"}
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?(/.*)?", re.ASCII)


class Unredirectable(Exception):
    """A request that cannot be answered at the client's address: its client or that address is not known."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that passed every check; ``scope`` is what is asked for, not yet what is allowed."""

    client_id: str
    redirect_uri: str
    code_challenge: str
    scope: str
    grant_ids: tuple[str, ...] | None
    state: str | None
    acr: str | None
    max_age_seconds: int | None
    prompt: str | None
    dpop_jkt: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A request with the id under which it waits for a person, since when."""

    id: str
    request: Request
    client: KnownClient
    asked_at: datetime


class Refused(Exception):
    """A request whose client is told why at its own address (RFC 6749 section 4.1.2.1)."""

    def __init__(self, error: OAuth2Error, redirect_uri: str, state: str | None) -> None:
        super().__init__(error.error)
        self.error, self.redirect_uri, self.state = error, redirect_uri, state


def receive(parameters: Iterable[tuple[str, str]]) -> Kept:
    """Take a request that came with the browser, pushed before or not, and keep it.

    Raises Unredirectable, or Refused with the client's address.
    """
    pairs = list(parameters)
    try:
        given = _single(pairs)
    except InvalidRequestError as error:
        raise Unredirectable("repeated") from error
    client = _client(given)
    if "request_uri" in given:
        return _pushed(client, given["request_uri"])
    redirect_uri = _redirect_uri(client, given)
    try:
        if client.par_required:
            raise InvalidRequestError("This client must push its requests (RFC 9126).")
        request = _read(client, redirect_uri, given, _resources(pairs))
    except OAuth2Error as error:
        raise Refused(error, redirect_uri, _state(given)) from error
    return Kept(_keep(request, KEPT), request, client, clock.now())


def push(client: KnownClient, parameters: Iterable[tuple[str, str]], proven_jkt: str | None) -> dict[str, Any]:
    """Keep a request that its authenticated client pushed, and return the address of it (RFC 9126 section 2.2).

    Raises OAuth2Error; never a redirect.
    """
    pairs = [(name, value) for name, value in parameters if value]
    given = _single(pairs)
    if "request_uri" in given or "request" in given:
        raise InvalidRequestError("A pushed request holds no other request.")
    redirect_uri = given.get("redirect_uri", "")
    if not is_registered(client, redirect_uri):
        raise InvalidRequestError("The redirect_uri is not registered.")
    if given.get("dpop_jkt", proven_jkt) != proven_jkt and proven_jkt is not None:
        raise InvalidRequestError("The dpop_jkt is not that of the proof.")
    request = _read(client, redirect_uri, given | ({"dpop_jkt": proven_jkt} if proven_jkt else {}), _resources(pairs))
    handle = secrets.token_urlsafe(32)
    _keep(request, timedelta(seconds=PUSHED_SECONDS), credentials.hash_of(handle))
    return {"request_uri": REQUEST_URI_PREFIX + handle, "expires_in": PUSHED_SECONDS}


def find(request_id: str) -> Kept | None:
    """Return a request that still waits for a person's answer, or None."""
    row = db.session.get(AuthorizationRequest, request_id, populate_existing=True)
    if row is None or row.answered_at is not None or row.expires_at <= clock.now():
        return None
    client = clients.find(row.client_id)
    asked_at = row.consumed_at or row.created_at
    return Kept(row.id, _request(row.parameters), client, asked_at) if client is not None else None


def answer(request_id: str) -> bool:
    """Mark a request as answered; returns whether it was not answered before and is still in time."""
    waiting = (
        AuthorizationRequest.id == request_id,
        AuthorizationRequest.answered_at.is_(None),
        AuthorizationRequest.expires_at > clock.now(),
    )
    mark = update(AuthorizationRequest).where(*waiting).values(answered_at=clock.now())
    return db.session.execute(mark.returning(AuthorizationRequest.id)).first() is not None


def is_registered(client: KnownClient, redirect_uri: str) -> bool:
    """Tell whether an address is one of the client's, to the letter; on the loopback any port will do (RFC 8252)."""
    if redirect_uri in client.redirect_uris:
        return True
    return (bare := _without_port(redirect_uri)) is not None and bare in map(_without_port, client.redirect_uris)


def _without_port(uri: str) -> tuple[str, str] | None:
    found = _LOOPBACK.fullmatch(uri)
    return (found[1], found[2] or "") if found else None


def _single(pairs: list[tuple[str, str]]) -> dict[str, str]:
    counts = Counter(name for name, _value in pairs if name not in _REPEATABLE)
    if any(count > 1 for count in counts.values()):
        raise InvalidRequestError("A parameter is repeated.")
    if not all(is_storable(value) for _name, value in pairs):
        raise InvalidRequestError("A parameter holds characters that no text has.")
    return {name: value for name, value in pairs if value and name not in _REPEATABLE}


def _resources(pairs: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in pairs if name == "resource" and value]


def _client(given: Mapping[str, str]) -> KnownClient:
    client = clients.find(given.get("client_id", ""))
    if client is None:
        raise Unredirectable("client_id")
    return client


def _redirect_uri(client: KnownClient, given: Mapping[str, str]) -> str:
    redirect_uri = given.get("redirect_uri", "")
    if not is_registered(client, redirect_uri):
        raise Unredirectable("redirect_uri")
    return redirect_uri


def _state(given: Mapping[str, str]) -> str | None:
    state = given.get("state")
    return state if state is None or len(state) <= STATE_LENGTH_MAX else None


def _read(client: KnownClient, redirect_uri: str, given: Mapping[str, str], resources: list[str]) -> Request:
    if "request" in given or "registration" in given:
        raise InvalidRequestError("Requests as JWTs are not taken.")
    if given.get("response_type") is None:
        raise InvalidRequestError("The parameter response_type is missing.")
    if given["response_type"] != "code":
        raise UnsupportedResponseType
    if GrantType.AUTHORIZATION_CODE.value not in client.grant_types:
        raise UnauthorizedClientError
    if given.get("response_mode", "query") != "query" or len(given.get("state", "")) > STATE_LENGTH_MAX:
        raise InvalidRequestError("The response goes into the query, and state is at most 4096 characters long.")
    demand = demands.read(client.scopes, given.get("scope"), resources, given.get("authorization_details"))
    return Request(
        client_id=client.id,
        redirect_uri=redirect_uri,
        code_challenge=_challenge(given),
        scope=demand.scope,
        grant_ids=demand.grant_ids,
        state=given.get("state"),
        acr=_acr(given.get("acr_values")),
        max_age_seconds=_max_age(given.get("max_age")),
        prompt=given.get("prompt"),
        dpop_jkt=_thumbprint(given.get("dpop_jkt")),
    )


def _challenge(given: Mapping[str, str]) -> str:
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
        raise InvalidRequestError("Send code_challenge with code_challenge_method S256 (RFC 7636).")
    return given["code_challenge"]


def _thumbprint(given: str | None) -> str | None:
    if given is not None and not _CHALLENGE.fullmatch(given):  # it looks as a challenge does: a SHA-256 in base64url
        raise InvalidRequestError("dpop_jkt is the thumbprint of a key (RFC 9449 section 10).")
    return given


def _acr(asked: str | None) -> str | None:
    """Return the least of the levels that the client would take; it names them in the order of its liking."""
    known = sorted(value for value in (asked or "").split() if value in set(Assurance))
    return known[0] if known else None


def _max_age(asked: str | None) -> int | None:
    if asked is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", asked, re.ASCII):
        raise InvalidRequestError("max_age is a number of seconds.")
    return int(asked)


def _keep(request: Request, lifetime: timedelta, request_uri_sha256: str | None = None) -> str:
    now, request_id = clock.now(), new_id("arq")
    db.session.execute(
        insert(AuthorizationRequest).values(
            id=request_id,
            client_id=request.client_id,
            parameters=asdict(request),
            request_uri_sha256=request_uri_sha256,
            dpop_jkt=request.dpop_jkt,
            created_at=now,
            expires_at=now + lifetime,
        )
    )
    return request_id


def _pushed(client: KnownClient, request_uri: str) -> Kept:
    """Open a pushed request: once, by its own client, in time; then a person has as long as for any other."""
    now = clock.now()
    handle = request_uri.removeprefix(REQUEST_URI_PREFIX)
    opened = (
        update(AuthorizationRequest)
        .where(
            AuthorizationRequest.request_uri_sha256 == credentials.hash_of(handle),
            AuthorizationRequest.client_id == client.id,
            AuthorizationRequest.consumed_at.is_(None),
            AuthorizationRequest.expires_at > now,
        )
        .values(consumed_at=now, expires_at=_until(now))
        .returning(AuthorizationRequest.id, AuthorizationRequest.parameters)
    )
    row = db.session.execute(opened).first()
    if row is None or not request_uri.startswith(REQUEST_URI_PREFIX):
        raise Unredirectable("request_uri")
    return Kept(row.id, _request(row.parameters), client, now)


def _until(now: datetime) -> datetime:
    return now + KEPT


def _request(parameters: dict[str, Any]) -> Request:
    grant_ids = parameters["grant_ids"]
    return Request(**parameters | {"grant_ids": tuple(grant_ids) if grant_ids is not None else None})


@jobs.task("identity.forget_requests", cron="*/10 * * * *")
def forget_expired() -> None:
    """Delete requests that nobody can answer any more."""
    with transaction():
        over = AuthorizationRequest.expires_at <= clock.now()
        db.session.execute(delete(AuthorizationRequest).where(over, ~held.of_client(AuthorizationRequest.client_id)))
