"""Who really asks, where proxies stand before the exchange: of all that they say, their client's address alone.

Scheme, host and path are never theirs to say: they are those of the base URL (OWASP ASVS V4.1.3). Without the setting
nothing of it is read, since anybody can send such header fields.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from flask import Flask

from marketplace.kit.settings import UNIX_SOCKET, Settings

PEER = "marketplace.peer"
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*"?([^";]*)"?\s*(?:;|$)', re.IGNORECASE)
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def attach(app: Flask, chosen: Settings) -> None:
    """Put the client's address where the application looks for it, ``REMOTE_ADDR``, before anything else looks."""
    if not chosen.trusted_proxies:
        return
    inner: Wsgi = app.wsgi_app
    field = "HTTP_" + chosen.proxy_header.upper().replace("-", "_")

    def passed_on(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        environ[PEER], environ["REMOTE_ADDR"] = peer, client_of(peer, environ.get(field, ""), chosen)
        return inner(environ, start_response)

    app.wsgi_app = passed_on  # type: ignore[method-assign] # Flask's own way to add a middleware


def client_of(peer: str, passed_on: str, chosen: Settings) -> str:
    """Return the last address that no proxy of ours has: what stands before it, anybody may have written.

    ``passed_on`` is the value of X-Forwarded-For, or of Forwarded (RFC 7239), to which each proxy adds at the end.
    """
    read = _from_element if chosen.proxy_header == "Forwarded" else _address
    for element in reversed(passed_on.split(",")):
        if not is_trusted(peer, chosen):
            break
        before = read(element.strip())
        if before is None:
            break
        peer = before
    return peer


def is_trusted(peer: str, chosen: Settings) -> bool:
    """Tell whether a proxy of ours speaks; whoever speaks through a Unix socket has no address."""
    if not peer:
        return UNIX_SOCKET in chosen.trusted_proxies
    address = _parsed(peer)
    return address is not None and any(address in network for network in chosen.proxy_networks)


def _from_element(element: str) -> str | None:
    found = _FOR.search(element)
    return _address(found[1]) if found else None


def _address(text: str) -> str | None:
    found = _WITH_PORT.fullmatch(text)
    address = _parsed((found["six"] or found["four"]) if found else text)
    return None if address is None else str(address)


def _parsed(text: str) -> Any:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
