"""A witness on the network: bodies of a bounded size and time, so many callers at once, and a log that nobody forges."""

import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from marketplace.kit import notes
from marketplace.witness import serving as witness_serving
from marketplace.witness.judging import Witness
from marketplace.witness.memory import Memory
from marketplace.witness.serving import Server
from tests.exchange.test_witnessing import serving
from tests.live import wait_until
from tests.witness.test_judging import LOG, NAME, OTHER, PRIVATE, Tree

PATIENCE_SECONDS = 120


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    logs = {LOG: [notes.key_of(LOG, PRIVATE)]}
    made = Server("127.0.0.1", 0, Witness(NAME, OTHER, logs, Memory(tmp_path / "signed.json").begin()))
    with serving(made):
        yield made


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE_SECONDS)


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side ends."""
    found = b""
    while piece := connection.recv(4096):
        found += piece
    return found


def post(length: str, body: bytes = b"") -> bytes:
    return f"POST /add-checkpoint HTTP/1.1\r\nHost: witness\r\nContent-Length: {length}\r\n\r\n".encode() + body


def answer(server: Server, sent: bytes) -> bytes:
    with connected(server) as connection:
        connection.sendall(sent)
        return received(connection)


def test_a_checkpoint_is_signed_and_the_connection_ends(server: Server) -> None:
    body = Tree(3).submission(0, 3)
    said = answer(server, post(str(len(body)), body))
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in said
    assert NAME.encode() in said


@pytest.mark.parametrize("length", ["", "0000000000999999999", "000001", "65537", "99999", "-1", "+1", "1_0", "1e3"])
def test_a_body_of_no_bounded_length_is_refused_before_it_is_read(server: Server, length: str) -> None:
    assert answer(server, post(length)).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_cut_off_and_nothing_is_judged(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[bytes] = []
    monkeypatch.setattr(server, "patience_seconds", 1.0)
    monkeypatch.setattr(server.witness, "judge", judged.append)
    assert answer(server, post("10", b"old 0")) == b""
    assert answer(server, b"POST /add-che") == b""
    assert judged == []


def test_beyond_so_many_at_once_callers_are_turned_away_until_one_has_gone(server: Server) -> None:
    with ExitStack() as open_ones:
        first, *_more = [open_ones.enter_context(connected(server)) for _ in range(witness_serving.CONNECTIONS_MAX)]
        with connected(server) as one_too_many:
            assert received(one_too_many).startswith(b"HTTP/1.1 503 ")
        first.close()
        wait_until("a free place", lambda: is_served(server), PATIENCE_SECONDS)


def is_served(server: Server) -> bool:
    try:
        return answer(server, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    except ConnectionError:  # turned away before it has said all
        return False


def test_what_a_caller_sends_forges_no_line_of_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, witness_serving.__name__):
        answer(server, b"GET /\x1b[2J\x9b\\ HTTP/1.1\r\n\r\n")
    [told] = [record.getMessage() for record in caplog.records]
    assert r"GET /\x1b[2J\x9b\\ HTTP/1.1" in told
