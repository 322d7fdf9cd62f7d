"""Fetching from strangers' addresses: where it goes, and where it never does."""

import gzip
import io
import socket
from typing import Any, Self

import pytest
import urllib3
from urllib3.exceptions import ReadTimeoutError

from marketplace.kit import outbound
from marketplace.kit.outbound import OutboundRefused

JSON = frozenset({"application/json"})
PUBLIC = "93.184.216.34"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that packets were sent to; none is let out."""
    gone: list[str] = []

    def pool(address: str, _host: str) -> Any:
        gone.append(address)
        raise AssertionError(f"a packet to {address}")

    monkeypatch.setattr(outbound, "_pool", pool)
    return gone


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have every name that is none of the numeric forms resolve to these."""
    real = socket.getaddrinfo

    def resolve(host: str, port: int, **kwargs: Any) -> Any:
        try:
            return real(host, port, flags=socket.AI_NUMERICHOST, **kwargs)
        except OSError:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


HOSTILE = {
    "loopback": "https://127.0.0.1/",
    "loopback, another": "https://127.8.9.10/",
    "loopback, short": "https://127.1/",
    "loopback, decimal": "https://2130706433/",
    "loopback, octal": "https://0177.0.0.1/",
    "loopback, hexadecimal": "https://0x7f000001/",
    "loopback, hexadecimal parts": "https://0x7f.0.0.1/",
    "loopback, IPv6": "https://[::1]/",
    "loopback, IPv4-mapped": "https://[::ffff:127.0.0.1]/",
    "loopback, IPv4-mapped in hexadecimal": "https://[::ffff:7f00:1]/",
    "loopback, NAT64": "https://[64:ff9b::7f00:1]/",
    "loopback, 6to4": "https://[2002:7f00:1::]/",
    "loopback, IPv4-compatible": "https://[::7f00:1]/",
    "unspecified": "https://0.0.0.0/",
    "unspecified, IPv6": "https://[::]/",
    "metadata service": "https://169.254.169.254/latest/meta-data",
    "metadata service, NAT64": "https://[64:ff9b::a9fe:a9fe]/",
    "link-local, IPv6": "https://[fe80::1]/",
    "unique local, IPv6": "https://[fd00:ec2::254]/",
    "private, ten": "https://10.0.0.1/",
    "private, 172": "https://172.16.0.1/",
    "private, 192": "https://192.168.1.1/",
    "shared by carriers": "https://100.64.0.1/",
    "benchmark": "https://198.18.0.1/",
    "multicast": "https://224.0.0.1/",
    "reserved": "https://240.0.0.1/",
    "broadcast": "https://255.255.255.255/",
    "documentation": "https://192.0.2.1/",
    "user": "https://user@example.com/",
    "user that looks like a host": f"https://{PUBLIC}@127.0.0.1/",
    "empty user": "https://@example.com/",
    "backslash": "https://example.com\\@127.0.0.1/",
    "full width": "https://１２７.0.0.1/",
    "control sign": "https://example.com/\r\nX: y",
    "blank": "https://exa mple.com/",
    "http": "http://example.com/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://example.com/",
    "no scheme": "//example.com/",
    "no host": "https:///x",
    "another port": "https://example.com:22/",
    "no port": "https://example.com:0/",
    "mad port": "https://example.com:99999/",
    "broken bracket": "https://[::1/",
    "fragment": "https://example.com/#x",
    "empty": "",
}


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_packet_goes_to_a_hostile_address(monkeypatch: pytest.MonkeyPatch, sent: list[str], url: str) -> None:
    names(monkeypatch, PUBLIC)
    with pytest.raises(OutboundRefused):
        outbound.fetch(url, JSON)
    assert sent == []


@pytest.mark.parametrize("addresses", [("127.0.0.1",), (PUBLIC, "10.0.0.1"), ("10.0.0.1", PUBLIC), ()])
def test_a_name_of_which_any_address_is_inside_is_not_fetched_from(
    monkeypatch: pytest.MonkeyPatch, sent: list[str], addresses: tuple[str, ...]
) -> None:
    names(monkeypatch, *addresses)
    with pytest.raises(OutboundRefused):
        outbound.fetch("https://example.com/", JSON)
    assert sent == []


class Pool:
    """An address that answers as it is told."""

    def __init__(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        self.asked: list[tuple[str, str]] = []
        fields = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        self._answer = urllib3.HTTPResponse(body=io.BytesIO(body), headers=fields, status=status, preload_content=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def request(self, method: str, path: str, **_: Any) -> urllib3.BaseHTTPResponse:
        self.asked.append((method, path))
        return self._answer


def answering(monkeypatch: pytest.MonkeyPatch, pool: Any) -> list[str]:
    """Have every name lie at a public address that answers through this pool; returns whom was connected to."""
    names(monkeypatch, PUBLIC)
    connected: list[str] = []

    def connect(address: str, _host: str) -> Any:
        connected.append(address)
        return pool

    monkeypatch.setattr(outbound, "_pool", connect)
    return connected


def test_what_lies_at_an_address_is_fetched_from_the_checked_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(body=b'{"keys": []}', Content_Type="Application/JSON; charset=utf-8")
    connected = answering(monkeypatch, pool)
    assert outbound.fetch("https://example.com/a?b=c", JSON) == b'{"keys": []}'
    assert (connected, pool.asked) == ([PUBLIC], [("GET", "/a?b=c")])


def test_a_name_that_points_elsewhere_a_moment_later_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = answering(monkeypatch, Pool())
    turns = iter([PUBLIC, "127.0.0.1", "127.0.0.1"])
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(turns), 443))]
    )
    assert outbound.fetch("https://example.com/", JSON) == b"{}"
    assert connected == [PUBLIC]


ANSWERS = {
    "redirect": Pool(status=302, Location="https://169.254.169.254/"),
    "refusal": Pool(status=404),
    "nothing": Pool(status=204),
    "another type": Pool(Content_Type="text/html"),
    "no type": Pool(Content_Type=""),
    "too much": Pool(body=b" " * (outbound.SIZE_BYTES_MAX + 1)),
}


@pytest.mark.parametrize("pool", ANSWERS.values(), ids=ANSWERS.keys())
def test_any_other_answer_is_not_taken(monkeypatch: pytest.MonkeyPatch, pool: Pool) -> None:
    answering(monkeypatch, pool)
    with pytest.raises(OutboundRefused):
        outbound.fetch("https://example.com/", JSON)
    assert len(pool.asked) == 1  # a redirect is not followed


def test_a_small_answer_does_not_unfold_into_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:

    packed = gzip.compress(b" " * 10**6)
    answering(monkeypatch, Pool(body=packed, Content_Encoding="gzip"))
    assert outbound.fetch("https://example.com/", JSON) == packed


def test_who_answers_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Pool):
        def request(self, *_: Any, **__: Any) -> Any:
            raise ReadTimeoutError(None, "/", "slow")  # type: ignore[arg-type]

    answering(monkeypatch, Slow())
    with pytest.raises(OutboundRefused):
        outbound.fetch("https://example.com/", JSON)


def test_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch, sent: list[str]) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OutboundRefused):
        outbound.fetch("https://example.com/", JSON)
    assert sent == []


def test_a_connection_names_its_host_to_the_certificate_and_follows_nothing() -> None:
    pool = outbound._pool(PUBLIC, "example.com")
    assert (pool.host, pool.port, pool.assert_hostname) == (PUBLIC, 443, "example.com")
    assert pool.conn_kw["server_hostname"] == "example.com"
    assert (pool.retries.total, pool.retries.redirect) == (0, False)
    pool.close()
