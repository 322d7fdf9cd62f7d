"""What a token is asked for: scope, resource (RFC 8707), authorization_details (RFC 9396), and for how long."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import InvalidScopeError

from marketplace.identity.oauth.access_tokens import GRANT_DETAILS
from marketplace.identity.oauth.refusals import InvalidAuthorizationDetails, InvalidTarget
from marketplace.identity.permissions import NARROWED, PERMISSIONS
from marketplace.kit import settings
from marketplace.kit.ids import is_id

HOUR_SCOPE = "token:hour"
"""Asks for a token of an hour, for clients that cannot ask for another one in the middle of a table (Delta Sharing)."""

AGENTS_PATH = "/mcp"
"""The address of agents, which names itself as a resource of its own; a token is good for the exchange as a whole."""

HOUR_SECONDS = 3600
GRANTS_MAX = 20
"""More would not fit into the header field that a token is sent in."""

_LASTING = frozenset(rule.scope for name, rule in PERMISSIONS.items() if name in NARROWED)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a client asks for, within what it may have; ``grant_ids`` None opens all that the scope does."""

    scope: str
    grant_ids: tuple[str, ...] | None
    ttl_seconds: int


def read(available: frozenset[str], scope: str | None, resources: Iterable[str], details: str | None) -> Demand:
    """Return what is asked for out of what is available.

    Without a scope it is all there is. An hour is to be had only for fetching. Raises InvalidScopeError,
    InvalidTarget or InvalidAuthorizationDetails.
    """
    base = settings.current().base_url
    if any(resource.rstrip("/") not in {base, f"{base}{AGENTS_PATH}"} for resource in resources):
        raise InvalidTarget
    asked = frozenset((scope or "").split(" ")) - {""}
    lasting = HOUR_SCOPE in asked
    granted = (asked - {HOUR_SCOPE}) or available
    if not granted or not granted <= available or (lasting and not granted <= _LASTING):
        raise InvalidScopeError
    said = " ".join(sorted(granted | ({HOUR_SCOPE} if lasting else frozenset())))
    return Demand(said, _grants(details), ttl_seconds(said))


def ttl_seconds(scope: str) -> int:
    """Return how long a token of this scope lives."""
    return HOUR_SECONDS if HOUR_SCOPE in scope.split(" ") else settings.current().token_ttl_seconds


def _grants(details: str | None) -> tuple[str, ...] | None:
    if details is None:
        return None
    try:
        wanted = json.loads(details)
    except (ValueError, RecursionError) as error:
        raise InvalidAuthorizationDetails from error
    if not isinstance(wanted, list) or not 0 < len(wanted) <= GRANTS_MAX:
        raise InvalidAuthorizationDetails
    return tuple(sorted({_grant(one) for one in wanted}))


def _grant(detail: Any) -> str:
    if not isinstance(detail, dict) or set(detail) - {"type", "identifier", "actions"}:
        raise InvalidAuthorizationDetails
    identifier = detail.get("identifier")
    if detail.get("type") != GRANT_DETAILS or detail.get("actions", ["fetch"]) != ["fetch"]:
        raise InvalidAuthorizationDetails
    if not isinstance(identifier, str) or not is_id(identifier):
        raise InvalidAuthorizationDetails
    return identifier
