"""Signing a person in without a browser here: a code is shown, and typed elsewhere (RFC 8628)."""

import time
from collections.abc import Callable
from typing import Any

import requests

from marketplace.client import pauses, proving, tokens
from marketplace.client.keeping import Login
from marketplace.client.metadata import Metadata
from marketplace.client.servers import is_safe
from marketplace.client.troubles import Denied, NotSignedIn, Trouble, refused
from marketplace.client.wire import BUSY, PASSING, Wire, json_of, not_an_exchange, whole
from marketplace.client.wording import say

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
WANTED = frozenset({"organization:read", "orders:read", "orders:write", "grants:read", "data:read", "usage:read"})
"""What listing, buying, fetching and reading usage need, and no more."""

TO_PROVIDE = frozenset({"organization:read", "catalog:read", "catalog:write"})
"""What uploading and publishing need."""

INTERVAL_SECONDS = 5
SLOWER_SECONDS = 5
LIFETIME_SECONDS_MAX = 1800


def sign_in(
    wire: Wire,
    server: Metadata,
    client_id: str,
    tell: Callable[[dict[str, Any]], None],
    wanted: frozenset[str] = WANTED,
) -> Login:
    """Return the login that a person allows; ``tell`` is given what to show them. Raises Denied or NotSignedIn."""
    login = Login(wire.origin, client_id, access_token="", access_until=0)
    scope = " ".join(sorted(wanted & server.scopes or wanted))
    codes = json_of(wire.send("POST", server.device, lambda: proving.posted(login, {"scope": scope})))
    if not isinstance(codes, dict) or not is_safe(str(codes.get("verification_uri"))) or "device_code" not in codes:
        raise not_an_exchange(wire.origin + server.device)
    tell(codes)
    return _waited(wire, server, login, codes)


def _waited(wire: Wire, server: Metadata, login: Login, codes: dict[str, Any]) -> Login:
    """Ask until the person has answered: no sooner than the server says, later when it says so (section 3.5)."""
    interval = whole(codes.get("interval"), INTERVAL_SECONDS)
    until = time.monotonic() + min(whole(codes.get("expires_in"), LIFETIME_SECONDS_MAX), LIFETIME_SECONDS_MAX)
    form = {"grant_type": GRANT, "device_code": str(codes["device_code"])}
    while time.monotonic() < until:
        pauses.pause(interval)
        try:
            login, response = tokens.post(wire.once, wire, server, login, form)
        except PASSING:
            interval *= 2
            continue
        if response.status_code == 200:
            return tokens.with_tokens(login, json_of(response))
        interval += _slower(response)
    raise _ran_out()


def _slower(response: requests.Response) -> int:
    """Return by how many seconds to ask less often while the person thinks; raises what any other answer means."""
    problem = tokens.error_of(response)
    error = problem.get("error")
    if error == "authorization_pending":
        return 0
    if error == "slow_down" or response.status_code in BUSY:
        return SLOWER_SECONDS
    if error == "access_denied":
        raise Denied(say("許可されませんでした。", "It was not allowed."))
    raise _ran_out() if error == "expired_token" else refused(response.status_code, problem)


def _ran_out() -> Trouble:
    return NotSignedIn(
        say("コードの期限が切れました。", "The code has run out."),
        say("もう一度 marketplace login を実行してください。", "Run marketplace login again."),
    )
