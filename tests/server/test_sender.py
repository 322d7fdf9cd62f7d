"""The sender by itself, on real loopback sockets, with every report counted."""

import queue
import socket
import tempfile
import threading

import pytest

from marketplace.server import sender as sender_module
from marketplace.server.body import FileBody, Outcome
from marketplace.server.config import ServerConfig, bind_of, connections_max, settings_of
from marketplace.server.sender import Sender
from marketplace.server.transfer import Push, Transfer

MIB = 2**20
WAIT_SECONDS = 180


class Trip:
    """A body of ``size`` zero bytes between two connected sockets."""

    def __init__(self, size: int, *, key: str | None = None, file_size: int | None = None) -> None:
        self.reports: queue.Queue = queue.Queue()
        self.ends: queue.Queue = queue.Queue()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.peer = socket.socket()
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            self.peer.settimeout(WAIT_SECONDS)
            self.peer.connect(listener.getsockname())
            self.socket, _ = listener.accept()
        self.socket.settimeout(0)
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the body closes it
        file.truncate(size if file_size is None else file_size)
        self.body = FileBody(file, 0, size, lambda *report: self.reports.put(report), key)
        self.transfer = Transfer(self.body, self.socket)
        self.transfer.prepare()
        self.body.hand_over()

    def read(self) -> int:
        total = 0
        while total < self.body.count:
            got = len(self.peer.recv(MIB))
            if not got:
                break
            total += got
        return total

    def submit(self, sender: Sender) -> None:
        sender.submit(self.transfer, self.ends.put)

    def end(self) -> tuple:
        """Wait for the end and return the only report."""
        self.ends.get(timeout=WAIT_SECONDS)
        report = self.reports.get_nowait()
        assert self.body.file.closed
        return report

    def close(self) -> None:
        self.socket.close()
        self.peer.close()
        self.body.file.close()


@pytest.fixture
def trip():
    made = []

    def make(*args, **kwargs):
        made.append(Trip(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def sender():
    running = Sender()
    running.start()
    yield running
    if running in sender_module._running:
        running.close()


def test_a_transfer_submitted_twice_ends_once(sender, trip):
    one = trip(8 * MIB)
    one.submit(sender)
    one.submit(sender)
    assert one.read() == 8 * MIB
    assert one.end() == (8 * MIB, 8 * MIB, Outcome.COMPLETE)
    one.submit(sender)
    sender.close()
    assert one.reports.empty()


def test_a_transfer_that_ended_is_not_taken_in_again(sender, trip):
    one, other = trip(8 * MIB), trip(8 * MIB, key="later")
    one.submit(sender)
    sender.stop(lambda transfer: transfer is one.transfer)
    one.end()
    assert sender._admit(one.transfer)
    other.submit(sender)
    assert other.read() == 8 * MIB
    other.end()
    sender.close()
    assert one.reports.empty()
    assert one.ends.empty()


def test_closing_reports_every_open_transfer_once(sender, trip):
    trips = [trip(16 * MIB) for _ in range(7)]
    for one in trips:
        one.submit(sender)
    sender.close()
    for one in trips:
        sent, acked, outcome = one.end()
        assert outcome is Outcome.BROKEN
        assert acked <= sent < 16 * MIB
        assert one.ends.empty()


def test_a_closed_sender_breaks_what_comes_late(sender, trip):
    sender.close()
    one = trip(16 * MIB)
    one.submit(sender)
    sender.stop(lambda _: True)
    assert one.end()[2] is Outcome.BROKEN


def test_a_short_body_that_is_acknowledged_at_once_needs_no_second_thread(trip):
    idle = Sender()
    one = trip(0)
    one.submit(idle)
    assert one.end() == (0, 0, Outcome.COMPLETE)
    with pytest.raises(RuntimeError):
        idle.close()  # it never ran


def test_a_peer_that_is_gone_before_the_first_byte_is_broken(sender, trip):
    one = trip(16 * MIB)
    one.socket.shutdown(socket.SHUT_RDWR)
    one.submit(sender)
    assert one.end() == (0, 0, Outcome.BROKEN)


def test_a_file_shorter_than_promised_is_broken_after_its_last_byte(sender, trip):
    one = trip(16 * MIB, file_size=12 * MIB)
    one.submit(sender)
    with pytest.raises(ConnectionResetError):
        one.read()
    sent, acked, outcome = one.end()
    assert (sent, outcome) == (12 * MIB, Outcome.BROKEN)
    assert acked <= sent


def test_a_stalled_peer_ends_only_its_own_transfer(trip):
    sender = Sender(stall_seconds=1)
    sender.start()
    stalled, moving = trip(16 * MIB), trip(16 * MIB)
    stalled.submit(sender)
    assert stalled.end()[2] is Outcome.STALLED
    moving.submit(sender)
    assert moving.read() == 16 * MIB
    assert moving.end()[2] is Outcome.COMPLETE
    sender.close()


def test_progress_and_stop_go_by_key_over_all_senders(sender, trip):
    named, nameless = trip(16 * MIB, key="dlv_1"), trip(16 * MIB)
    named.submit(sender)
    nameless.submit(sender)
    sender_module.stop(lambda key: key == "dlv_1")
    assert named.end()[2] is Outcome.BROKEN
    assert sender_module.progress() == []
    assert nameless.read() == 16 * MIB
    assert nameless.end() == (16 * MIB, 16 * MIB, Outcome.COMPLETE)


def test_an_error_in_the_loop_is_logged_and_the_loop_goes_on(sender, trip, caplog):
    def fail(_):
        raise RuntimeError("a predicate failed")

    one = trip(16 * MIB)
    one.submit(sender)
    sender.stop(fail)
    assert one.read() == 16 * MIB
    assert one.end()[2] is Outcome.COMPLETE
    sender.close()
    assert "the download loop met an error" in caplog.text


def test_a_slow_peer_gets_a_smaller_kernel_buffer(trip):
    one = trip(16 * MIB)
    lowat = lambda: one.socket.getsockopt(socket.IPPROTO_TCP, 25)  # noqa: E731
    assert one.transfer.push(4 * MIB) is Push.FULL
    assert one.transfer.note_progress(1.0, 60)
    assert lowat() == MIB
    assert one.transfer.note_progress(2.0, 60)
    assert lowat() == 128 * 1024
    assert one.transfer.note_progress(59.0, 60)
    assert not one.transfer.note_progress(62.0, 60)


def test_transfers_take_turns_when_a_quantum_is_used_up(sender, trip, monkeypatch):
    monkeypatch.setattr(sender_module, "FIRST_PUSH_BYTES", 1000)
    monkeypatch.setattr(sender_module, "QUANTUM_BYTES", 1000)
    trips = [trip(300_000) for _ in range(3)]
    for one in trips:
        one.submit(sender)
    for one in trips:
        assert one.read() == 300_000
        assert one.end() == (300_000, 300_000, Outcome.COMPLETE)


def test_late_events_for_an_ended_transfer_do_nothing(trip):
    idle = Sender()
    one = trip(16 * MIB)
    one.submit(idle)
    idle._take_arrivals()
    idle._queue(one.transfer)
    idle._end(one.transfer, Outcome.BROKEN)
    idle._end(one.transfer, Outcome.BROKEN)
    idle._serve(one.transfer)
    idle._wake(one.transfer.socket_descriptor, 1)
    sent, _, outcome = one.end()
    assert outcome is Outcome.BROKEN
    assert sent == one.transfer.sent
    assert one.reports.empty()


def test_what_the_kernel_no_longer_answers_for_has_not_arrived(trip):
    one = trip(1000)
    assert one.transfer.push(1000) is Push.SENT
    one.socket.close()
    assert one.transfer.acked() == 0


def test_only_the_first_ending_of_a_body_counts(trip):
    one = trip(10)
    threads = [threading.Thread(target=one.body.end, args=(n, n, Outcome.BROKEN)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.body.close()
    assert one.reports.qsize() == 1


@pytest.mark.parametrize(
    ("host", "bind"),
    [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("unix:/run/m.sock", "unix:/run/m.sock")],
)
def test_addresses_are_written_gunicorns_way(host, bind):
    assert bind_of(host, 80) == bind


def test_connections_are_bounded_by_the_files_the_process_may_open(monkeypatch):
    import resource

    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1256))
    assert connections_max(8192) == 500
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    assert connections_max(8192) == 8192


def test_nothing_is_exposed_unless_asked_for():
    settings = settings_of(ServerConfig())
    assert settings["bind"] == "127.0.0.1:8000"
    assert settings["accesslog"] is None
    assert settings["forwarded_allow_ips"] == ""
    assert settings["control_socket_disable"] is True
    assert "%(q)s" not in settings["access_log_format"]
    assert "%(r)s" not in settings["access_log_format"]
