"""Fetching from addresses that strangers name: https on the open internet, small, soon, and nowhere else.

Every address that the name resolves to is checked, and the connection goes to the one that was checked, so that
a name cannot point elsewhere a moment later (DNS rebinding). Redirects are not followed.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

PORT, PLAIN_PORT = 443, 80
PROBE_SECONDS = 15
TIMEOUT_SECONDS = 5.0
SIZE_BYTES_MAX = 64 * 1024
STREAM_TIMEOUT = urllib3.Timeout(connect=TIMEOUT_SECONDS, read=60)
STREAM_CHUNK_BYTES = 2**18
HASTE_AFTER_SECONDS = 60
BYTES_PER_SECOND_MIN = 16 * 1024
# Ranges that carry an IPv4 address inside, which would be reached instead (RFC 6052, RFC 3056, RFC 4380).
_CARRIERS = [ipaddress.ip_network(range_) for range_ in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class OutboundRefused(Exception):
    """An address that is not fetched from, or an answer that is not taken; the message says why."""


class OutboundUnreachable(OutboundRefused):
    """An address that does not answer, or breaks off."""


class OutboundTooLarge(OutboundRefused):
    """An answer of more bytes than are taken."""


class OutboundTooSlow(OutboundRefused):
    """An answer that comes, but would take for ever."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer whose body is on its way; ``chunks`` raises OutboundRefused where it is not as announced."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


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


def check_within(url: str) -> SplitResult:
    """Return the parts of an address on this very machine, by its number; raises OutboundRefused."""
    try:
        parts = urlsplit(url)
        is_within = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError as error:
        raise OutboundRefused("it is no numbered address of this machine, such as http://127.0.0.1:5000") from error
    if parts.scheme != "http" or "@" in parts.netloc or not is_within or not url.isascii() or " " in url:
        raise OutboundRefused("it is no http address of this machine")
    return parts


def require_public(url: str) -> SplitResult:
    """Return the parts of an address whose name lies on the open internet now; asks for it, raises OutboundRefused."""
    parts = check(url)
    _address_of(str(parts.hostname))
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


def post(url: str, body: bytes, headers: Mapping[str, str], seconds_max: int) -> int:
    """Send a body to an address and return the status of the answer, which is not read; raises OutboundRefused.

    No redirect is followed: it is a status like any other. After ``seconds_max`` the connection is cut.
    """
    parts = check(url)
    host = str(parts.hostname)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with _pool(str(_address_of(host)), host) as pool, Deadline(pool, seconds_max) as deadline:
        try:
            answer = pool.request(
                "POST", path, body=body, headers={"Host": host} | dict(headers), preload_content=False
            )
        except (HTTPError, OSError, ValueError) as error:
            deadline.check()
            raise OutboundUnreachable("it does not answer as it should") from error
        answer.close()
        return int(answer.status)


@contextmanager
def stream(
    url: str, headers: Mapping[str, str], size_bytes_max: int, seconds_max: int, *, within: bool = False
) -> Iterator[Streamed]:
    """Yield the answer of an address, to be read piece by piece as it was sent; raises OutboundRefused.

    The status is for the caller to judge; no redirect is followed. A body may have ``size_bytes_max``, and after a
    minute must come at 16 KiB a second or faster; its length must be the announced one. ``seconds_max`` after it was
    connected to, the connection is cut, however far it is: a server that sends its head byte by byte gains nothing.
    ``within`` asks a server on the loopback interface, for those alone who hold this machine.
    """
    parts = check_within(url) if within else check(url)
    host = str(parts.hostname)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": host, "Accept-Encoding": "identity"} | dict(headers)
    with (
        _pool_within(parts) if within else _pool(str(_address_of(host)), host) as pool,
        Deadline(pool, seconds_max) as deadline,
    ):
        try:
            answer = pool.request("GET", path, headers=sent, preload_content=False, timeout=STREAM_TIMEOUT)
        except (HTTPError, OSError, ValueError) as error:
            deadline.check()
            raise OutboundUnreachable("it does not answer as it should") from error
        try:
            # What is packed could unfold into anything, and would not be the file that was announced.
            if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                raise OutboundRefused("it answers in an encoding that was not asked for")
            yield Streamed(answer.status, answer.headers, _pieces(answer, size_bytes_max, seconds_max, deadline))
        finally:
            answer.close()


def probe(url: str, method: str) -> tuple[int, str]:
    """Return status and ``Location`` of an address, of whose answer nothing is read; raises OutboundRefused.

    Also over plain http: nothing is sent there and nothing is taken, but whether somebody answers.
    """
    parts = _check_open(url)
    host, path = str(parts.hostname), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address = str(_address_of(host))
    pool = _pool(address, host) if parts.scheme == "https" else _plain_pool(address)
    headers = {"Host": host, "Accept-Encoding": "identity", "User-Agent": "musubi-link-check"}
    with pool, Deadline(pool, PROBE_SECONDS) as deadline:
        try:
            answer = pool.request(method, path, headers=headers, preload_content=False)
        except (HTTPError, OSError, ValueError) as error:
            deadline.check()
            raise OutboundUnreachable("it does not answer as it should") from error
        answer.close()
        return answer.status, answer.headers.get("Location", "")


def _check_open(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise OutboundRefused("it is not an address") from error
    if parts.scheme == "https":
        return check(url.partition("#")[0])
    if parts.scheme != "http" or not parts.hostname or "@" in parts.netloc or port not in {None, PLAIN_PORT}:
        raise OutboundRefused("it must be http or https on its usual port, without a user")
    if not url.isascii() or any(character <= " " or character == "\\" for character in url):
        raise OutboundRefused("it holds characters that addresses do not have")
    return parts


class Deadline:
    """The end of all connections that a pool makes meanwhile, whatever they are doing: shaking hands, say."""

    def __init__(self, pool: Any, seconds: float) -> None:
        self.is_over = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        inner = pool.ConnectionCls
        pool.ConnectionCls = type(inner.__name__, (inner,), {"_new_conn": self._watched(inner._new_conn)})  # noqa: SLF001 - the one place where the socket is seen before TLS

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for copy in self._sockets:
                copy.close()
            self._sockets.clear()

    def check(self) -> None:
        """Return before the deadline; raises OutboundTooSlow after it, when an end may be no end."""
        if self.is_over:
            raise OutboundTooSlow("it answers too slowly")

    def _watched(self, connect: Any) -> Any:
        def new_connection(connection: Any) -> socket.socket:
            made: socket.socket = connect(connection)
            with self._lock:
                # A copy: TLS takes the descriptor of the first away, and shutting down either shuts both down.
                self._sockets.append(made.dup())
            if self.is_over:
                self._cut()
            return made

        return new_connection

    def _cut(self) -> None:
        self.is_over = True
        with self._lock:
            for copy in self._sockets:
                with suppress(OSError):
                    copy.shutdown(socket.SHUT_RDWR)


def _pieces(
    answer: urllib3.BaseHTTPResponse, size_bytes_max: int, seconds_max: int, deadline: Deadline
) -> Iterator[bytes]:
    begun, received = time.monotonic(), 0
    while True:
        try:
            # What is there, not what would fill the buffer: a byte a minute would keep us from looking at the clock.
            piece = answer.read1(STREAM_CHUNK_BYTES, decode_content=False)
        except (HTTPError, OSError, ValueError) as error:
            deadline.check()
            raise OutboundUnreachable("it broke off before its end") from error
        deadline.check()
        if not piece:
            return
        received += len(piece)
        if received > size_bytes_max:
            raise OutboundTooLarge("it answers with too much")
        elapsed = time.monotonic() - begun
        late = elapsed > HASTE_AFTER_SECONDS and received < elapsed * BYTES_PER_SECOND_MIN
        if late or elapsed > seconds_max:
            raise OutboundTooSlow("it answers too slowly")
        yield piece


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


def _plain_pool(address: str) -> urllib3.HTTPConnectionPool:
    never = urllib3.Retry(0, redirect=False, raise_on_redirect=False)
    timeout = urllib3.Timeout(connect=TIMEOUT_SECONDS, read=TIMEOUT_SECONDS)
    return urllib3.HTTPConnectionPool(address, PLAIN_PORT, timeout=timeout, retries=never, maxsize=1)


def _pool_within(parts: SplitResult) -> urllib3.HTTPConnectionPool:
    never = urllib3.Retry(0, redirect=False, raise_on_redirect=False)
    return urllib3.HTTPConnectionPool(str(parts.hostname), parts.port or 80, retries=never, maxsize=1)


def _body(response: urllib3.BaseHTTPResponse, media_types: frozenset[str]) -> bytes:
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status != 200 or media_type not in media_types:
        raise OutboundRefused("it does not answer with what was asked for")
    # Not decoded: a small answer could unfold into a large one.
    body = response.read(SIZE_BYTES_MAX + 1, decode_content=False)
    if len(body) > SIZE_BYTES_MAX:
        raise OutboundRefused("it answers with too much")
    return body
