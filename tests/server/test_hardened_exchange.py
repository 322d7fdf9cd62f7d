"""The real exchange behind its real server, spoken to on raw sockets (W2, W15, W16, W19)."""

import json
import socket

import pytest

from marketplace.api import headers
from tests import live
from tests.identity.oauth.people import ODD
from tests.server.test_requests import AMBIGUOUS

WAIT_SECONDS = 120
EVERY_ANSWER = headers.of_every_answer("http://127.0.0.1")


@pytest.fixture(scope="module", params=["threads", "events"])
def exchange(tmp_path_factory, clone, request):
    settings = {
        "marketplace_threads": 4,
        "marketplace_worker_class": request.param,
        "marketplace_header_fields_max": 20,
        "marketplace_request_line_bytes_max": 2000,
    }
    with live.exchange(tmp_path_factory.mktemp("hardened"), clone(), **settings) as started:
        yield started


def spoken(exchange, sent: bytes) -> bytes:
    """Send bytes, say that nothing more comes, and return all that is answered."""
    with socket.create_connection(("127.0.0.1", exchange.port), WAIT_SECONDS) as wire:
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: wire.recv(65536), b""))


def read(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def posted(exchange, rest: bytes, path: str = "/oauth/token") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{exchange.port}\r\n"
    return head.encode() + b"Content-Type: application/x-www-form-urlencoded\r\n" + rest


@pytest.mark.parametrize("path", ["/oauth/token", "/v1/organizations", "/sign-in", "/webhooks/stripe"])
@pytest.mark.parametrize("ambiguous", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_w19_what_two_servers_could_read_differently_brings_one_refusal_and_the_end(exchange, path, ambiguous):
    smuggled = f"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{exchange.port}\r\n\r\n".encode()
    answer = spoken(exchange, posted(exchange, ambiguous, path) + smuggled)
    assert answer.count(b"HTTP/1.1 ") == 1
    status, fields, _ = read(answer)
    assert 400 <= status < 500
    assert {name: fields[name] for name in EVERY_ANSWER} == EVERY_ANSWER


def test_w19_a_body_of_nobodys_is_no_request(exchange):
    smuggled = f"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{exchange.port}\r\n\r\n".encode()
    for method, path in (("GET", "/v1/health"), ("DELETE", "/v1/health"), ("GET", "/nowhere"), ("POST", "/nowhere")):
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{exchange.port}\r\nContent-Length: {len(smuggled)}\r\n\r\n"
        assert spoken(exchange, head.encode() + smuggled).count(b"HTTP/1.1 ") == 1


HEADS = {
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", 400),
    "another Host": (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
    "another host in the request line": (
        b"GET http://evil.example/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        None,
    ),
    "a long address": (b"GET /?q=" + b"x" * 2000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414),
    "a long field": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + b"x" * 9000 + b"\r\n\r\n", 431),
    "many fields": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: 1\r\n" * 21 + b"\r\n", 431),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/3.7": (b"GET / HTTP/3.7\r\nHost: 127.0.0.1\r\n\r\n", 400),
    "odd bytes": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    "half an address in the request line": (b"GET http://[::1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
    "a tunnel": (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", None),
    "odd bytes in the address": (b"GET /\xff\xfe%ff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", None),
    "a large body": (
        b"POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n",
        413,
    ),
}


@pytest.mark.parametrize(("sent", "status"), HEADS.values(), ids=HEADS.keys())
def test_w15_every_refusal_is_a_problem_with_the_fields_of_all_answers(exchange, sent, status):
    answer = spoken(exchange, sent)
    assert answer.count(b"HTTP/1.1 ") == 1
    got, fields, body = read(answer)
    assert 400 <= got < 500
    assert status in {None, got}
    assert {name: fields[name] for name in EVERY_ANSWER} == EVERY_ANSWER
    assert fields["Content-Security-Policy"]
    if fields["Content-Type"] == "application/problem+json":
        assert json.loads(body)["type"].startswith(f"{exchange.base_url}/problems/")
    assert b"evil" not in answer


ENDPOINTS = ["token", "par", "revoke", "introspect", "device_authorization", "register"]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_odd_bytes_sent_to_the_oauth_endpoints_are_refused(exchange, path):
    for field in (b"Authorization: Basic ", b"Authorization: Bearer ", b"DPoP: ", b"Accept: "):
        for odd in ODD:
            body = b"grant_type=" + odd + b"&" + odd + b"=" + odd
            rest = field + odd + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            status, fields, _ = read(spoken(exchange, posted(exchange, rest, f"/oauth/{path}")))
            assert 400 <= status < 500, (field, odd)
            assert {name: fields[name] for name in EVERY_ANSWER} == EVERY_ANSWER


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param(b"Authorization: Bearer x\r\nAuthorization: Bearer x\r\n", 400, id="O108 two tokens"),
        pytest.param(b"Authorization: Bearer x\r\nAUTHORIZATION: Basic eDp5\r\n", 400, id="O108 two schemes"),
        pytest.param(b"Authorization: DPoP x\r\nDPoP: a.b.c\r\nDPoP: a.b.c\r\n", 401, id="D15 two proofs"),
        pytest.param(b"Authorization: Bearer " + b"x" * 100_000 + b"\r\n", 431, id="O104 100 kB"),
    ],
)
def test_credentials_that_no_reader_could_take_are_refused(exchange, fields, status):
    sent = f"GET /v1/organizations/me HTTP/1.1\r\nHost: 127.0.0.1:{exchange.port}\r\n".encode() + fields + b"\r\n"
    assert read(spoken(exchange, sent))[0] == status


def test_w16_neither_kind_nor_version_of_the_server_is_told(exchange):
    known = spoken(
        exchange, f"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{exchange.port}\r\nConnection: close\r\n\r\n".encode()
    )
    for answer in (
        known,
        spoken(exchange, b"nonsense\r\n\r\n"),
        spoken(exchange, posted(exchange, AMBIGUOUS["two lengths"])),
    ):
        assert not [word for word in (b"gunicorn", b"Werkzeug", b"Python", b"Traceback") if word in answer]


def test_static_files_have_the_fields_of_all_answers(exchange):
    status, fields, _ = read(
        spoken(
            exchange,
            f"GET /static/web.css HTTP/1.1\r\nHost: 127.0.0.1:{exchange.port}\r\nConnection: close\r\n\r\n".encode(),
        )
    )
    assert status == 200
    assert {name: fields[name] for name in EVERY_ANSWER} == EVERY_ANSWER


def test_after_all_that_the_exchange_is_as_it_was(exchange):
    assert exchange.ready()
    assert '"level":"ERROR"' not in exchange.log.replace(" ", "")


def test_a_whole_address_in_the_request_line_is_taken_where_it_is_ours(exchange):
    head = f"GET http://127.0.0.1:{exchange.port}/v1/health HTTP/1.1\r\nHost: 127.0.0.1:{exchange.port}\r\n\r\n"
    assert read(spoken(exchange, head.encode()))[0] == 200
