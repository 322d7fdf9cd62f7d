"""The event worker's parts by themselves, on real sockets, and what many slow readers cost it."""

import logging
import os
import socket
import threading
from types import SimpleNamespace

import psutil
import pytest
from gunicorn.config import Config
from gunicorn.workers import gthread

from marketplace.server import outlet as outlet_module
from marketplace.server.body import Outcome
from marketplace.server.connection import Connection, Stage
from marketplace.server.event_worker import EventWorker
from marketplace.server.gathering import BODY_BYTES_GATHERED, Gathering
from marketplace.server.linger import DRAIN_BYTES_MAX
from marketplace.server.loop import READABLE, Loop
from marketplace.server.outlet import Outlet
from marketplace.server.settling import LOOK_SECONDS, YOUNG_SECONDS, Download, Settling
from marketplace.server.transfer import Push

MIB = 2**20
READERS = 300
WAIT_SECONDS = 120
REQUEST = b"POST /x?y HTTP/1.1\r\nHost: tiny\r\nContent-Length: 3\r\n\r\nabc"


@pytest.fixture
def loop():
    one = Loop()
    yield one
    one.close()


@pytest.fixture
def pair():
    """Our end, which never blocks the kernel, and the peer's."""
    ours, peer = socket.socketpair()
    ours.settimeout(WAIT_SECONDS)
    peer.settimeout(WAIT_SECONDS)
    yield ours, peer
    ours.close()
    peer.close()


def test_an_error_in_one_deed_ends_nothing_but_itself(loop, caplog):
    done = []
    loop.post(lambda: done.append(1 / 0))
    loop.post(lambda: done.append("next"))
    loop.turn(WAIT_SECONDS)
    assert done == ["next"]
    assert "the event loop met an error" in caplog.text


def test_whoever_posts_from_another_thread_wakes_the_loop(loop):
    done = threading.Event()
    thread = threading.Thread(target=loop.post, args=[done.set])
    thread.start()
    while not done.is_set():
        loop.turn(WAIT_SECONDS)
    thread.join()


def test_what_is_posted_last_is_done_before_the_end():
    done = []
    one = Loop()
    one.post(lambda: done.append("last"))
    one.close()
    assert done == ["last"]


def test_who_took_over_a_descriptor_is_not_forgotten_with_its_former_owner(loop, pair):
    ours, peer = pair
    former, heard = (lambda: None), []
    loop.watch(ours.fileno(), READABLE, lambda: heard.append(ours.recv(1)))
    loop.forget(ours.fileno(), former)
    peer.sendall(b"x")
    loop.turn(WAIT_SECONDS)
    assert heard == [b"x"]


def test_a_descriptor_that_was_closed_meanwhile_is_forgotten_quietly(loop, pair):
    ours, _ = pair
    former, descriptor = (lambda: None), ours.fileno()
    loop.watch(descriptor, READABLE, former)
    ours.close()
    loop.forget(descriptor, former)
    loop.post(lambda: None)
    loop.turn(WAIT_SECONDS)


def filled(wire: socket.socket) -> int:
    """Write until the kernel takes no more; return how much it took."""
    taken = 0
    try:
        while True:
            taken += os.write(wire.fileno(), bytes(4096))
    except BlockingIOError:
        return taken


def read(peer: socket.socket, count: int) -> bytes:
    """Read exactly so many bytes, however often that takes."""
    parts = []
    while count and (part := peer.recv(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def test_what_the_kernel_has_no_room_for_waits_without_the_thread(pair):
    ours, peer = pair
    outlet, taken = Outlet(ours), filled(ours)
    assert outlet.send(b"first ") == 6
    outlet.sendall(b"second")
    assert (bytes(outlet.waiting), outlet.push()) == (b"first second", False)
    assert len(read(peer, taken)) == taken
    assert outlet.push()
    assert peer.recv(100) == b"first second"


def test_more_than_may_wait_keeps_its_thread_until_the_peer_reads(pair):
    ours, peer = pair
    outlet, taken, more = Outlet(ours), filled(ours), os.urandom(outlet_module.WAITING_BYTES_MAX + 1)
    writer = threading.Thread(target=outlet.sendall, args=[more])
    writer.start()
    assert read(peer, taken + len(more))[taken:] == more
    writer.join()
    assert not outlet.waiting


def test_a_peer_that_stands_still_ends_the_thread_that_writes(pair):
    ours, _ = pair
    ours.settimeout(0.01)
    filled(ours)
    with pytest.raises(TimeoutError):
        Outlet(ours).sendall(bytes(outlet_module.WAITING_BYTES_MAX + 1))


def test_a_file_of_the_applications_goes_out_behind_what_waits(pair, tmp_path):
    ours, peer = pair
    (tmp_path / "file").write_bytes(b"of the file")
    outlet = Outlet(ours)
    outlet.waiting += b"head "
    with (tmp_path / "file").open("rb") as file:
        outlet.sendfile(file, 0, 7)
    assert peer.recv(100) == b"head of the "


class Served:
    """A connection over a socket pair, and what became of it."""

    def __init__(self, ours: socket.socket, peer: socket.socket, stall_seconds: float = WAIT_SECONDS) -> None:
        config = Config()
        config.set("keepalive", 15)
        self.peer, self.requests, self.settled, self.ends = peer, 0, 0, 0
        self.connection = Connection(config, ours, (("127.0.0.1", 1), ("127.0.0.1", 2)), stall_seconds)
        self.connection.attend(Gathering(1000, 10_000), self.serve, self.settle, self.end)

    def serve(self, _connection: Connection) -> None:
        self.requests += 1

    def settle(self, _connection: Connection) -> None:
        self.settled += 1

    def end(self) -> None:
        self.ends += 1

    def say(self, data: bytes) -> None:
        self.peer.sendall(data)
        self.connection.wake()


@pytest.fixture
def served(pair):
    return Served(*pair)


def test_a_request_in_single_bytes_is_served_with_its_last_one(served):
    for place in range(len(REQUEST)):
        assert served.requests == 0
        served.say(REQUEST[place : place + 1])
    assert served.requests == 1
    assert served.connection.stage is Stage.SERVED
    request = next(served.connection.parser)
    assert (request.method, request.path, request.query, request.body.read()) == ("POST", "/x", "y", b"abc")


def test_what_comes_while_a_request_is_served_is_read_after_it(served):
    served.say(REQUEST)
    next(served.connection.parser).body.read()
    served.say(REQUEST)
    assert served.requests == 1
    served.connection.return_to_loop(stays=True)
    assert served.requests == 2


def test_a_request_that_came_with_the_one_before_needs_no_further_word(served):
    served.say(REQUEST * 2)
    next(served.connection.parser).body.read()
    served.connection.return_to_loop(stays=True)
    assert served.requests == 2


def test_an_end_that_is_told_together_with_the_last_bytes_is_seen(served):
    served.peer.sendall(REQUEST[:-1])
    served.peer.shutdown(socket.SHUT_WR)
    served.connection.wake()
    assert served.requests == 1  # the parser says that it is not whole


def test_an_end_between_two_requests_needs_no_thread(served):
    served.peer.shutdown(socket.SHUT_WR)
    served.connection.wake()
    assert (served.requests, served.ends) == (0, 1)
    assert served.connection.stage is Stage.GONE
    assert served.peer.recv(1) == b""


def test_an_answer_that_waits_goes_out_before_the_next_request_is_read(served):
    taken = filled(served.connection.wire)
    served.say(REQUEST * 2)
    next(served.connection.parser).body.read()
    served.connection.sock.sendall(b"the answer")
    served.connection.return_to_loop(stays=True)
    assert (served.connection.stage, served.requests) == (Stage.PUSHING, 1)
    assert len(read(served.peer, taken)) == taken
    served.connection.wake()
    assert served.peer.recv(100) == b"the answer"
    assert served.requests == 2


def test_a_reader_who_stands_still_is_closed_after_the_time_for_that(served):
    filled(served.connection.wire)
    served.say(REQUEST)
    served.connection.sock.sendall(b"the answer")
    served.connection.return_to_loop(stays=True)
    served.connection.hurry(0.0)  # answers keep their time, also while the server stops
    deadline = served.connection.deadline
    served.connection.expire(deadline - 1)
    assert served.ends == 0
    served.connection.expire(deadline)
    served.connection.drop()
    assert served.ends == 1


def test_a_reader_who_is_gone_ends_the_connection(served):
    filled(served.connection.wire)
    served.say(REQUEST)
    served.connection.sock.sendall(b"the answer")
    served.peer.close()
    served.connection.return_to_loop(stays=True)
    assert served.ends == 1


def test_the_last_answer_is_followed_by_our_end_and_we_wait_for_theirs(served):
    served.say(REQUEST + b"more")
    served.connection.sock.sendall(b"the answer")
    served.connection.return_to_loop(stays=False)
    assert served.peer.recv(100) + served.peer.recv(100) == b"the answer"
    served.say(b"still talking")
    assert served.connection.stage is Stage.PARTING
    served.peer.close()
    served.connection.wake()
    assert served.ends == 1


def test_who_goes_on_talking_after_our_end_is_closed(served):
    served.say(REQUEST)
    served.connection.return_to_loop(stays=False)
    sent = 0
    while served.ends == 0:
        sent += served.peer.send(bytes(4096))
        served.connection.wake()
    assert sent >= DRAIN_BYTES_MAX


class Bytes:
    """A transfer of which the peer has acknowledged everything, or not."""

    def __init__(self, *, has_arrived: bool = False) -> None:
        self.has_arrived = has_arrived

    def arrived(self) -> bool:
        return self.has_arrived


@pytest.fixture
def rings():
    return []


@pytest.fixture
def settling(rings):
    return Settling(lambda: rings.append("ring"))


def test_whatever_the_kernel_tells_of_a_settling_connection_is_looked_into(served):
    served.say(REQUEST)
    served.connection.stage = Stage.SETTLING
    served.say(REQUEST)
    assert (served.settled, served.requests) == (1, 1)
    assert served.connection.woken


def test_a_download_is_taken_by_one_alone(served, settling):
    download = Download(Bytes(has_arrived=True), stays=True)
    assert settling.add(served.connection, download) is None
    assert served.connection.stage is Stage.SETTLING
    assert [settling.take_arrived(served.connection), settling.take(served.connection)] == [download, None]
    assert served.connection.stage is Stage.SERVED
    assert settling.take_arrived(served.connection) is None


def test_a_peer_who_was_quicker_than_we_is_not_waited_for(served, settling, rings):
    served.connection.woken = True  # while the bytes were pushed
    download = Download(Bytes(has_arrived=True), stays=True)
    assert settling.add(served.connection, download) is download
    assert settling.take(served.connection) is None
    assert rings == []


def test_a_word_that_acknowledges_nothing_ends_nothing(served, settling):
    served.connection.woken = True
    settling.add(served.connection, Download(Bytes(), stays=True))
    assert settling.take_arrived(served.connection) is None
    assert served.connection.stage is Stage.SETTLING


def test_who_says_nothing_is_looked_at_until_it_is_the_senders(served, settling):
    young = Download(Bytes(), stays=True, since=100.0)
    settling.add(served.connection, young)
    assert settling.take_old(100.0) == []
    assert settling.take_old(100.0 + 2 * YOUNG_SECONDS) == [(served.connection, young)]
    assert settling.take_old(200.0) == []
    there = Download(Bytes(has_arrived=True), stays=True, since=200.0)
    settling.add(served.connection, there)
    assert settling.take_old(200.0) == []  # looked at a moment ago
    assert settling.take_old(200.0 + LOOK_SECONDS) == [(served.connection, there)]


def test_a_loop_that_sleeps_long_is_woken_for_the_first_one_alone(served, settling, rings):
    assert settling.patience(5.0) == 5.0
    settling.add(served.connection, Download(Bytes(), stays=True))
    assert (settling.patience(5.0), rings) == (YOUNG_SECONDS, ["ring"])
    settling.add(served.connection, Download(Bytes(), stays=True))
    assert rings == ["ring"]


def test_a_slow_head_has_the_time_for_heads_however_often_a_byte_comes(served):
    served.say(b"GET / HT")
    first = served.connection.gather_until
    served.say(b"TP/1.1\r\n")
    assert served.connection.gather_until == first
    assert served.connection.deadline <= first


def test_a_long_body_is_left_to_the_thread(served):
    served.say(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\nabc" % (BODY_BYTES_GATHERED + 1))
    assert served.requests == 1


def test_without_a_loop_a_connection_is_just_closed(served):
    served.connection.close()
    assert served.peer.recv(1) == b""


@pytest.mark.parametrize("worker", ["events"], indirect=True)
def test_hundreds_of_slow_readers_cost_no_threads_and_hardly_any_memory(big):
    clients = []
    try:
        with big.client() as other:
            other.text("/ping")
            [serving] = psutil.Process(big.process.pid).children()
            before, threads = serving.memory_info().rss, serving.num_threads()
            for _ in range(READERS):
                clients.append(big.client(65536))
                clients[-1].send("/file")
                assert clients[-1].head()[0] == 200
            assert other.text("/open") == str(READERS)
            assert [other.text("/ping") for _ in range(20)] == ["pong"] * 20
            assert serving.memory_info().rss - before < READERS * 64 * 1024
            assert serving.num_threads() <= threads + 8  # the pool's four and the reports' four
    finally:
        for client in clients:
            client.vanish()
    assert {report[2] for report in big.reports(READERS)} == {"broken"}


@pytest.mark.parametrize("worker", ["events"], indirect=True)
def test_beyond_the_most_connections_new_ones_wait_until_one_ends(start, small_file):
    server = start(small_file, connections_max=2, threads=1)
    one, two = server.client(), server.client()
    assert [client.text("/ping") for client in (one, two)] == ["pong"] * 2
    three = server.client()
    three.send("/ping")
    one.vanish()
    assert three.head()[0] == 200
    two.vanish()
    three.vanish()


def test_http_2_without_tls_is_refused_at_the_start():
    config = Config()
    EventWorker.check_config(config, None)
    config.set("http2_cleartext", "both")
    with pytest.raises(ValueError, match="needs the threaded worker"):
        EventWorker.check_config(config, None)


def test_a_download_that_began_after_the_end_of_the_loop_goes_to_the_sender(served, settling):
    left, settling.closed = [], True
    transfer = SimpleNamespace(push_first=lambda _: Push.SENT, arrived=lambda: False)
    worker = SimpleNamespace(_settling=settling, _leave_to_sender=lambda *told: left.append(told))
    download = Download(transfer, stays=True)
    assert EventWorker._send(worker, served.connection, download) is None
    assert left == [(served.connection, download)]
    assert settling.take(served.connection) is None


def test_a_download_that_turns_out_broken_ends_its_connection(served):
    ended = []
    transfer = SimpleNamespace(conclude=lambda _: transfer.on_end(Outcome.BROKEN))
    worker = SimpleNamespace(alive=True, _ended_transfer=lambda *told: ended.append(told))
    served.peer.sendall(REQUEST)
    assert not EventWorker._goes_on(worker, served.connection, Download(transfer, stays=True))
    assert ended == [(served.connection, True, Outcome.BROKEN)]


def test_a_request_that_fails_beyond_all_care_ends_its_connection_alone(served, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("beyond all care")

    given = []
    monkeypatch.setattr(gthread.ThreadWorker, "handle", fail)
    worker = SimpleNamespace(
        log=logging.getLogger(__name__),
        _end_leftovers=lambda: None,
        _request=SimpleNamespace(take_transfer=lambda: None),
        _slot=lambda _connection: None,
        _give_back=lambda connection, stays: given.append((connection, stays)),
    )
    assert EventWorker._answer_one(worker, served.connection) is None
    assert given == [(served.connection, False)]
    assert "a request was given up" in caplog.text


def test_a_listener_whose_caller_is_gone_already_is_no_fault(loop):
    worker = SimpleNamespace(worker_connections=5, nr_conns=0, _take_in=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        EventWorker._accept_waiting(worker, loop, listener)
    assert worker.nr_conns == 0
