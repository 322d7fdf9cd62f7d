"""Signed addresses of files: what may be fetched, for whom and until when, under a signature of ours.

Readers of Delta tables take an address for signed by the name of the parameter, which is therefore that of Amazon's.
"""

import base64
import hmac
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from marketplace.exchange.errors import PermitUnknown
from marketplace.exchange.sharing import Permit
from marketplace.kit import clock, installation_key

PARAMETER = "X-Amz-Signature"
PURPOSE = "delta sharing addresses"
_LENGTH_MAX = 4096


def signed(permit: Permit, until: datetime) -> str:
    """Return the value of the parameter that makes an address good until then."""
    said = _encoded(json.dumps(asdict(permit) | {"until": int(until.timestamp())}).encode())
    return f"{said}.{_mac(said)}"


def read(value: str, sha256: str) -> Permit:
    """Return what a signed address for the content of that name permits; raises PermitUnknown for all others."""
    said, _, mac = value.partition(".")
    if len(value) > _LENGTH_MAX or not hmac.compare_digest(mac.encode(), _mac(said).encode()):
        raise PermitUnknown
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    until = found.pop("until")
    permit = Permit(**found)
    if permit.sha256 != sha256 or clock.now().timestamp() >= until:
        raise PermitUnknown
    return permit


def _mac(said: str) -> str:
    return _encoded(hmac.digest(installation_key.derived(PURPOSE), said.encode("utf-8", "surrogatepass"), "sha256"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
