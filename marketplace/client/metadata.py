"""What a server says of its sign-in (RFC 8414)."""

from dataclasses import dataclass
from typing import Any

from marketplace.client.troubles import Unusable
from marketplace.client.wire import Wire, json_of, not_an_exchange
from marketplace.client.wording import say

WELL_KNOWN = "/.well-known/oauth-authorization-server"
ENDPOINTS = ("token_endpoint", "device_authorization_endpoint", "revocation_endpoint")


@dataclass(frozen=True, slots=True)
class Metadata:
    """The paths of the endpoints below the issuer, the scopes there are, and who the command line is there."""

    issuer: str
    token: str
    device: str
    revocation: str
    scopes: frozenset[str]
    client_id: str | None

    def known_client_id(self) -> str:
        """Return who the command line is at this server; raises Unusable where it has no place for one."""
        if self.client_id is None:
            raise Unusable(
                say(
                    f"{self.issuer} にはコマンド用のクライアントがありません。",
                    f"{self.issuer} names no client for commands.",
                ),
                say(
                    "運営者に尋ねるか、--client-id と --secret-file か --key-file でサインインしてください。",
                    "Ask its operator, or sign in as a program: --client-id with --secret-file or --key-file.",
                ),
            )
        return self.client_id


def of(wire: Wire) -> Metadata:
    """Return a server's metadata; raises Trouble for one that speaks for another server (RFC 8414 section 3.3)."""
    document = json_of(wire.send("GET", WELL_KNOWN))
    if not isinstance(document, dict) or document.get("issuer") != wire.origin:
        raise not_an_exchange(wire.origin + WELL_KNOWN)
    token, device, revocation = (_path(wire.origin, document.get(name)) for name in ENDPOINTS)
    named = document.get("musubi_cli_client_id")
    return Metadata(
        issuer=wire.origin,
        token=token,
        device=device,
        revocation=revocation,
        scopes=frozenset(map(str, document.get("scopes_supported", ()))),
        client_id=named if isinstance(named, str) else None,
    )


def _path(origin: str, endpoint: Any) -> str:
    # An endpoint elsewhere would be told secrets that are this server's alone.
    if not isinstance(endpoint, str) or not endpoint.startswith(f"{origin}/"):
        raise not_an_exchange(origin + WELL_KNOWN)
    return endpoint.removeprefix(origin)
