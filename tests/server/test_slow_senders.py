"""Who sends slowly waits without a thread, and holds up nobody else."""

import json
import socket
from types import SimpleNamespace

import pytest

from marketplace.server import gathering
from marketplace.server.gathering import Gathering, PacedUnreader, SenderTooSlow

HALVES = {
    "a request line": (b"GET /pi", b"ng HTTP/1.1\r\nHost: tiny\r\n\r\n", "pong"),
    "header fields": (b"GET /ping HTTP/1.1\r\nHost: ti", b"ny\r\n\r\n", "pong"),
    "a short body": (b"POST /echo HTTP/1.1\r\nHost: tiny\r\nContent-Length: 4\r\n\r\nab", b"cd", "4"),
}


@pytest.mark.parametrize(("first", "rest", "said"), HALVES.values(), ids=HALVES.keys())
def test_more_slow_senders_than_threads_hold_up_nobody(start, small_file, first, rest, said):
    server = start(small_file, threads=4)
    slow = [server.client() for _ in range(12)]
    try:
        for client in slow:
            client.socket.sendall(first)
        with server.client() as other:
            assert [other.text("/ping") for _ in range(5)] == ["pong"] * 5
        for client in slow:
            client.socket.sendall(rest)
            _, headers = client.head()
            assert client.take(int(headers["content-length"])).decode() == said
    finally:
        for client in slow:
            client.vanish()


def test_a_kept_connection_may_be_slow_with_its_next_request(tiny):
    with tiny.client() as client:
        assert client.text("/ping") == "pong"
        client.socket.sendall(b"GET /pi")
        with tiny.client() as other:
            assert other.text("/ping") == "pong"
        client.socket.sendall(b"ng HTTP/1.1\r\nHost: tiny\r\n\r\n")
        assert client.head()[0] == 200


def test_two_requests_in_one_piece_get_two_answers(tiny):
    with tiny.client() as client:
        client.socket.sendall(b"GET /ping HTTP/1.1\r\nHost: tiny\r\n\r\n" * 2)
        for _ in range(2):
            _, headers = client.head()
            assert client.take(int(headers["content-length"])) == b"pong"


def test_who_waits_to_be_asked_for_the_body_is_asked(tiny):
    with tiny.client() as client:
        client.send("/echo", method="POST", more="Content-Length: 4\r\nExpect: 100-continue\r\n")
        assert client.head()[0] == 100
        client.socket.sendall(b"abcd")
        assert client.head()[0] == 200


def test_a_head_that_never_ends_is_cut_off(start, small_file):
    # gunicorn's own time for a connection that says nothing is too long to end this test.
    server = start(small_file, head_seconds=0.3, keepalive_seconds=3600)
    with server.client() as client:
        client.socket.sendall(b"GET /ping HTTP/1.1\r\nHost: ti")
        assert client.take(1) == b""


def test_with_each_byte_the_time_for_a_head_goes_on():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = SimpleNamespace(sock=ours, parser=SimpleNamespace(unreader=PacedUnreader(ours)), gather_until=None)
        heads = Gathering(500, 500)
        theirs.sendall(b"GET ")
        assert not heads.is_complete(conn)
        until = conn.gather_until
        theirs.sendall(b"/ HTTP/1.1\r\n")
        assert not heads.is_complete(conn)
        assert conn.gather_until == until
        theirs.sendall(b"\r\n")
        assert heads.is_complete(conn)
        assert conn.gather_until is None
        assert conn.parser.unreader.read() == b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("end", ["shut", "too much"])
def test_what_cannot_become_a_request_is_not_waited_for(end):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = SimpleNamespace(sock=ours, parser=SimpleNamespace(unreader=PacedUnreader(ours)), gather_until=None)
        theirs.sendall(b"x" * (gathering.BODY_BYTES_GATHERED + 10 if end == "too much" else 1))
        heads = Gathering(1, 0)
        if end == "shut":
            assert not heads.is_complete(conn)
            theirs.shutdown(socket.SHUT_WR)
        done = [heads.is_complete(conn) for _ in range(20)]
        assert done[-1]


@pytest.mark.parametrize(("bytes_each", "outlasts"), [(10, False), (10_000, True)])
def test_a_body_may_be_slow_but_not_slower_than_any_line(monkeypatch, bytes_each, outlasts):
    now = [0.0]

    class Socket:
        def recv(self, _size):
            now[0] += 2.0
            return b"x" * bytes_each

    monkeypatch.setattr(gathering, "monotonic", lambda: now[0])
    unreader = PacedUnreader(Socket())

    def read_on():
        for _ in range(100):
            unreader.chunk()

    if outlasts:
        read_on()
    else:
        with pytest.raises(SenderTooSlow):
            read_on()
        unreader.begin()
        assert unreader.chunk()


UNREADABLE = {
    "unreadable-request": (b"GET / HTTP/1.1\r\nAuthorization : Bearer s3cr3t\r\n\r\n", 400),
    "address-too-long": (b"GET /" + b"s3cr3t" * 2000 + b" HTTP/1.1\r\n\r\n", 414),
    "header-fields-too-large": (b"GET / HTTP/1.1\r\n" + b"X-A: s3cr3t\r\n" * 100 + b"\r\n", 431),
}


@pytest.mark.parametrize(
    ("slug", "sent", "status"), [(slug, *case) for slug, case in UNREADABLE.items()], ids=UNREADABLE
)
def test_what_the_server_itself_refuses_is_a_problem_as_any_other(start, small_file, slug, sent, status):
    server = start(small_file, problems_url="https://x.example/problems", answer_fields=[["X-Probe", "there"]])
    with server.client() as client:
        client.socket.sendall(sent)
        got, headers = client.head()
        document = json.loads(client.take(int(headers["content-length"])))
        assert client.take(1) == b""
    assert (got, document["status"], document["type"]) == (status, status, f"https://x.example/problems/{slug}")
    assert headers["content-type"] == "application/problem+json"
    assert (headers["x-probe"], headers["cache-control"], headers["connection"]) == ("there", "no-store", "close")
    assert document["title_ja"]
    assert document["cure_ja"]
    assert "gunicorn" not in str(headers) + str(document)
    assert "s3cr3t" not in server.errors.read_text()
