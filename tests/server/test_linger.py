"""Closing without waiting: the peer ends, talks too much, or stays too long."""

import selectors
import socket
from types import SimpleNamespace

import pytest

from marketplace.server import linger
from marketplace.server.config import Server, ServerConfig
from marketplace.server.linger import Lingering


class Parting:
    """One lingering connection, its peer, and the poller between."""

    def __init__(self) -> None:
        self.ours, self.peer = socket.socketpair()
        self.poller = selectors.DefaultSelector()
        self.closed = 0
        self.lingering = Lingering(self.poller, self.count)
        self.conn = SimpleNamespace(sock=self.ours, close=self.ours.close)

    def count(self) -> None:
        self.closed += 1

    def dispatch(self) -> None:
        for key, _ in self.poller.select(60):
            key.data(key.fileobj)


@pytest.fixture
def parting():
    one = Parting()
    yield one
    one.ours.close()
    one.peer.close()
    one.poller.close()


def test_the_peer_sees_our_end_at_once_and_its_own_end_closes(parting):
    parting.lingering.add(parting.conn)
    assert parting.peer.recv(1) == b""
    assert parting.closed == 0
    parting.peer.close()
    parting.dispatch()
    assert parting.closed == 1
    assert parting.ours.fileno() == -1


def test_what_the_peer_still_sends_is_thrown_away_until_it_is_too_much(parting):
    parting.lingering.add(parting.conn)
    parting.peer.sendall(b"one more request")
    parting.dispatch()
    assert parting.closed == 0
    parting.peer.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    sent = 0
    while sent < linger.DRAIN_BYTES_MAX:
        sent += parting.peer.send(bytes(linger.DRAIN_BYTES_MAX - sent))
    parting.dispatch()
    assert parting.closed == 1


def test_waking_for_nothing_changes_nothing(parting):
    parting.lingering.add(parting.conn)
    parting.lingering._drain(parting.conn)
    assert parting.closed == 0


def test_a_peer_that_stays_is_closed_when_its_time_is_over_and_counted_once(parting, monkeypatch):
    parting.lingering.add(parting.conn)
    parting.lingering.expire()
    assert parting.closed == 0
    monkeypatch.setattr(linger, "monotonic", lambda: float("inf"))
    parting.lingering.expire()
    parting.lingering.expire()
    assert parting.closed == 1


def test_one_that_closed_in_time_is_not_closed_again(parting, monkeypatch):
    parting.lingering.add(parting.conn)
    parting.peer.close()
    parting.dispatch()
    monkeypatch.setattr(linger, "monotonic", lambda: float("inf"))
    parting.lingering.expire()
    assert parting.closed == 1


def test_a_connection_that_is_gone_already_is_only_counted(parting):
    parting.ours.close()
    parting.lingering.add(parting.conn)
    assert parting.closed == 1


def test_a_reset_counts_as_the_peers_end(parting):
    parting.lingering.add(parting.conn)
    parting.conn.sock = SimpleNamespace(recv=_reset, fileno=parting.ours.fileno)
    parting.lingering._drain(parting.conn)
    assert parting.closed == 1


def test_a_server_needs_nobody_waiting_for_it():
    server = Server(lambda: None, ServerConfig())
    assert server._tell_ready(None) is None


def _reset(_):
    raise ConnectionResetError
