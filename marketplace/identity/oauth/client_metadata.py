"""Client metadata as RFC 7591 section 2 has it: read strictly, and told in the same words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from marketplace.identity.client_traits import ClientTraits
from marketplace.identity.models import ApiClient
from marketplace.identity.oauth import registering, registration
from marketplace.identity.oauth.registering import Registered
from marketplace.identity.states import AuthenticationMethod, GrantType
from marketplace.kit import settings
from marketplace.kit.errors import Invalid

NO_STORE = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]
CHALLENGE = ("WWW-Authenticate", 'Bearer error="invalid_token"')
NAME = "client that registered itself"


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


# What is not here is ignored, as section 2 has it.
_KINDS: dict[str, Callable[[Any], bool]] = {
    "client_name": lambda value: isinstance(value, str),
    "scope": lambda value: isinstance(value, str),
    "token_endpoint_auth_method": lambda value: isinstance(value, str) and value in set(AuthenticationMethod),
    "jwks": lambda value: isinstance(value, dict),
    "jwks_uri": lambda value: isinstance(value, str),
    "redirect_uris": _is_texts,
    "grant_types": lambda value: _is_texts(value) and set(value) <= set(GrantType),
    "response_types": lambda value: value in ([], ["code"]),
    "dpop_bound_access_tokens": lambda value: isinstance(value, bool),
    "require_pushed_authorization_requests": lambda value: isinstance(value, bool),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registration endpoint answers; ``body`` None means none."""

    status: int
    body: dict[str, Any] | None
    headers: list[tuple[str, str]]


class Unfit(Exception):
    """Metadata that no client is registered with (RFC 7591 section 3.2.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


def register(token: str, body: bytes) -> Answer:
    """Register a client by an initial access token; what is refused costs no use of it."""
    try:
        given = _read(body)
        traits = _traits(given)
    except Unfit as unfit:
        # Whoever has no token is told nothing else.
        return _refusal(unfit) if registering.is_good(token) else _unauthorized()
    actor = registering.spend_token(token)
    if actor is None:
        return _unauthorized()
    try:
        scopes = _scopes(given, actor.scopes)
        return _told(registering.register(actor, given.get("client_name", NAME), scopes, traits), 201)
    except Invalid as invalid:
        registering.give_back(token)
        return _refusal(_unfit(invalid))


def read(client_id: str, token: str) -> Answer:
    """Tell a client how it is registered; its secret is not known any more."""
    client = registering.find_client(client_id, token)
    return Answer(200, _document(client), NO_STORE) if client is not None else _unauthorized()


def change(client_id: str, token: str, body: bytes) -> Answer:
    """Replace all that a client registered."""
    client = registering.find_client(client_id, token)
    if client is None:
        return _unauthorized()
    try:
        given = _read(body, client.id)
        traits = _traits(given)
        scopes = _scopes(given, frozenset(client.scopes))
        return _told(registering.change(client, given.get("client_name", client.name), scopes, traits), 200)
    except Unfit as unfit:
        return _refusal(unfit)
    except Invalid as invalid:
        return _refusal(_unfit(invalid))


def remove(client_id: str, token: str) -> Answer:
    """Shut a client out for good."""
    client = registering.find_client(client_id, token)
    if client is None:
        return _unauthorized()
    registering.remove(client)
    return Answer(204, None, NO_STORE)


def _read(body: bytes, client_id: str | None = None) -> dict[str, Any]:
    try:
        given = orjson.loads(body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise Unfit("invalid_client_metadata", "the body must be a JSON object")
    if client_id is not None and given.get("client_id") != client_id:
        raise Unfit("invalid_client_metadata", "client_id must be the client's own")
    for name, is_fit in _KINDS.items():
        if given.get(name) is not None and not is_fit(given[name]):
            slug = "invalid_redirect_uri" if name == "redirect_uris" else "invalid_client_metadata"
            raise Unfit(slug, f"{name} is not what it should be")
    return {name: value for name, value in given.items() if value is not None}


def _traits(given: dict[str, Any]) -> ClientTraits:
    names = {
        "token_endpoint_auth_method": "authentication_method",
        "dpop_bound_access_tokens": "dpop_bound",
        "require_pushed_authorization_requests": "par_required",
    }
    draft = {names.get(name, name): value for name, value in given.items() if name in _KINDS}
    try:
        return registration.traits_of(draft)
    except Invalid as invalid:
        raise _unfit(invalid) from invalid


def _scopes(given: dict[str, Any], available: frozenset[str]) -> frozenset[str]:
    return frozenset(given["scope"].split()) if "scope" in given else available


def _unfit(invalid: Invalid) -> Unfit:
    pointer, detail = (invalid.errors[0]["pointer"], invalid.errors[0]["detail"]) if invalid.errors else ("", "")
    error = "invalid_redirect_uri" if pointer.startswith("/redirect_uris") else "invalid_client_metadata"
    return Unfit(error, f"{pointer.strip('/')} {detail}".strip())


def _told(made: Registered, status: int) -> Answer:
    secret: dict[str, Any] = {"client_secret": made.secret, "client_secret_expires_at": 0} if made.secret else {}
    managed = {"registration_access_token": made.registration_token}
    return Answer(status, _document(made.client) | secret | managed, NO_STORE)


def _document(client: ApiClient) -> dict[str, Any]:
    said = {
        "client_id": client.id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_name": client.name,
        "scope": " ".join(client.scopes),
        "token_endpoint_auth_method": client.authentication_method,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "redirect_uris": client.redirect_uris,
        "grant_types": client.grant_types,
        "response_types": ["code"] if GrantType.AUTHORIZATION_CODE.value in client.grant_types else [],
        "dpop_bound_access_tokens": client.dpop_bound,
        "require_pushed_authorization_requests": client.par_required,
        "registration_client_uri": f"{settings.current().base_url}/oauth/register/{client.id}",
    }
    return {name: value for name, value in said.items() if value is not None}


def _refusal(unfit: Unfit) -> Answer:
    return Answer(400, {"error": unfit.error, "error_description": unfit.description}, NO_STORE)


def _unauthorized() -> Answer:
    return Answer(401, {"error": "invalid_token"}, [*NO_STORE, CHALLENGE])
