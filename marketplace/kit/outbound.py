"""Fetching from addresses that strangers name: https on the open internet, small, soon, and nowhere else.

Every address that the name resolves to is checked, and the connection goes to the one that was checked, so that
a name cannot point elsewhere a moment later (DNS rebinding). Redirects are not followed.
"""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

PORT = 443
TIMEOUT_SECONDS = 5.0
SIZE_BYTES_MAX = 64 * 1024
# Ranges that carry an IPv4 address inside, which would be reached instead (RFC 6052, RFC 3056, RFC 4380).
_CARRIERS = [ipaddress.ip_network(range_) for range_ in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class OutboundRefused(Exception):
    """An address that is not fetched from, or an answer that is not taken; the message says why."""


def check(url: str) -> SplitResult:
    """Return the parts of an address that may be fetched from, without asking its name; raises OutboundRefused."""
    try:
        parts = urlsplit(url)
        port = PORT if parts.port is None else parts.port
    except ValueError as error:
        raise OutboundRefused("it is not an address") from error
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or port != PORT or parts.fragment:
        raise OutboundRefused("it must be https on port 443, without a user or a fragment")
    if not url.isascii() or any(character <= " " or character == "\\" for character in url):
        raise OutboundRefused("it holds characters that addresses do not have")
    return parts


def fetch(url: str, media_types: frozenset[str]) -> bytes:
    """Return what lies at an address; raises OutboundRefused.

    At most 64 KiB of one of the media types, answered with 200 within five seconds for each step.
    """
    parts = check(url)
    host = str(parts.hostname)
    pool = _pool(str(_address_of(host)), host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with pool:
            headers = {"Host": host, "Accept": ", ".join(sorted(media_types)), "Accept-Encoding": "identity"}
            return _body(pool.request("GET", path, headers=headers, preload_content=False), media_types)
    except (HTTPError, OSError, ValueError) as error:
        raise OutboundRefused("it does not answer as it should") from error


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the open internet, whatever way it is written."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in carrier for carrier in _CARRIERS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _address_of(host: str) -> Address:
    """Return one address of a name, all of whose addresses are public."""
    try:
        found = socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OutboundRefused("its name is not known") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses or not all(map(is_public, addresses)):
        raise OutboundRefused("it does not lie on the open internet")
    return addresses[0]


def _pool(address: str, host: str) -> urllib3.HTTPSConnectionPool:
    return urllib3.HTTPSConnectionPool(
        address,
        PORT,
        server_hostname=host,
        assert_hostname=host,
        timeout=urllib3.Timeout(connect=TIMEOUT_SECONDS, read=TIMEOUT_SECONDS),
        retries=urllib3.Retry(0, redirect=False, raise_on_redirect=False),
        cert_reqs="CERT_REQUIRED",
        maxsize=1,
    )


def _body(response: urllib3.BaseHTTPResponse, media_types: frozenset[str]) -> bytes:
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status != 200 or media_type not in media_types:
        raise OutboundRefused("it does not answer with what was asked for")
    # Not decoded: a small answer could unfold into a large one.
    body = response.read(SIZE_BYTES_MAX + 1, decode_content=False)
    if len(body) > SIZE_BYTES_MAX:
        raise OutboundRefused("it answers with too much")
    return body
