"""The public keys of clients: registered, or fetched from the address that the client registered.

Fetched keys are kept for five minutes. A signature by a key that is not among them has them fetched again, but not
within half a minute of the last time: neither a stranger's nonsense nor a client's outage becomes a storm.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc.jwk import KeySet

from marketplace.identity.oauth import jwts
from marketplace.identity.oauth.clients import KnownClient
from marketplace.identity.oauth.jwts import Malformed
from marketplace.kit import outbound
from marketplace.kit.outbound import OutboundRefused

MEDIA_TYPES = frozenset({"application/json", "application/jwk-set+json"})
KEPT_SECONDS = 300.0
PAUSE_SECONDS = 30.0
ADDRESSES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address said when it was last asked; ``keys`` None when it said nothing usable."""

    keys: KeySet | None
    at: float


_fetched: OrderedDict[str, Fetched] = OrderedDict()
_lock = threading.Lock()


def of(client: KnownClient) -> KeySet | None:
    """Return the keys of a client that are at hand, None where there are none."""
    if client.jwks is not None:
        return _usable(client.jwks)
    found = _fetched.get(client.jwks_uri or "")
    return found.keys if found is not None else None


def refresh(client: KnownClient, key_id: str | None) -> None:
    """Fetch the keys of a client anew where what is at hand is too old, or has no key of this id.

    Asks the network: call it outside any transaction. A failure leaves the keys at hand as they are.
    """
    if client.jwks_uri is None or not _is_due(_fetched.get(client.jwks_uri), key_id):
        return
    try:
        keys = _usable(orjson.loads(outbound.fetch(client.jwks_uri, MEDIA_TYPES)))
    except (OutboundRefused, ValueError):
        keys = of(client)
    with _lock:
        _fetched[client.jwks_uri] = Fetched(keys, time.monotonic())
        _fetched.move_to_end(client.jwks_uri)
        while len(_fetched) > ADDRESSES_MAX:
            _fetched.popitem(last=False)


def _is_due(found: Fetched | None, key_id: str | None) -> bool:
    if found is None:
        return True
    age = time.monotonic() - found.at
    known = found.keys is not None and key_id in {key.kid for key in found.keys}
    return age > KEPT_SECONDS or (age > PAUSE_SECONDS and not known)


def _usable(jwks: Any) -> KeySet | None:
    try:
        return jwts.public_keys(jwks)
    except Malformed:
        return None
