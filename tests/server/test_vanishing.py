"""Clients that leave, stand still or crowd in, and files that shrink: what is counted is what arrived."""

import json
import os
import signal

import pytest

from tests.live import wait_until

MIB = 2**20
SMALL_BUFFER = 64 * 1024
# Read by the client, its acknowledgement overtaken by its reset: less than two of loopback's segments, since every
# second one is acknowledged at once (RFC 5681 section 4.2).
DELAYED_ACKS = 2 * 65_483


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("percent", [0, 50, 99])
def test_a_client_that_vanishes_is_counted_up_to_its_own_receive_buffer(big, percent):
    size = big.file.stat().st_size
    client = big.client(SMALL_BUFFER)
    client.send("/file")
    client.head()
    read = len(client.take(size * percent // 100))
    most = read + client.buffer_bytes
    client.vanish()
    [[sent, acked, outcome, _]] = big.reports(1)
    assert outcome == "broken"
    assert max(0, read - DELAYED_ACKS) <= acked <= min(most, sent)
    assert sent <= size
    assert len(big.stop()) == 1


def test_a_client_that_reads_all_and_leaves_at_once_has_all(big):
    with big.client() as client:
        client.get("/file")
    assert big.reports(1)[0][1:3] == [64 * MIB, "complete"]
    assert len(big.stop()) == 1


def test_a_client_that_never_reads_a_small_file_has_what_its_kernel_took(tiny):
    client = tiny.client()
    client.send("/file")
    client.head()
    client.vanish()
    [[sent, acked, _, _]] = tiny.reports(1)
    assert acked <= sent == tiny.file.stat().st_size


def test_a_half_closed_client_still_gets_everything(big):
    with big.client() as client:
        client.send("/file")
        client.socket.shutdown(1)
        _, headers = client.head()
        assert len(client.take(int(headers["content-length"]))) == 64 * MIB
    assert big.reports(1)[0][:3] == [64 * MIB, 64 * MIB, "complete"]


def test_slow_readers_hold_no_threads_and_get_every_byte(big):
    clients = [big.client(SMALL_BUFFER) for _ in range(20)]
    for client in clients:
        client.send(f"/file?count={16 * MIB}")
        client.head()
    with big.client() as other:
        assert [other.text("/ping") for _ in range(20)] == ["pong"] * 20
        assert other.text("/open") == "20"
    for client in clients:
        assert len(client.take(16 * MIB)) == 16 * MIB
        client.vanish()
    assert [report[:3] for report in big.reports(20)] == [[16 * MIB, 16 * MIB, "complete"]] * 20


def test_idle_and_lingering_connections_hold_no_threads(tiny):
    silent = [tiny.client() for _ in range(20)]
    staying = [tiny.client() for _ in range(20)]
    for client in staying:
        client.send("/ping", more="Connection: close\r\n")
        client.head()
    with tiny.client() as other:
        assert other.text("/ping") == "pong"
    for client in staying:
        assert client.take(10) == b"pong"
    silent[0].send("/ping")
    assert silent[0].head()[0] == 200
    for client in silent + staying:
        client.vanish()


def test_a_client_that_stands_still_is_reported_as_stalled_and_cut_off(start, big_file):
    server = start(big_file, stall_seconds=1)
    with server.client(SMALL_BUFFER) as client:
        client.send("/file")
        client.head()
        read = len(client.take(MIB))
        [[sent, acked, outcome, _]] = server.reports(1)
        assert outcome == "stalled"
        assert read <= acked <= min(sent, read + client.buffer_bytes)
        with pytest.raises(ConnectionResetError):
            client.take(64 * MIB)
    assert len(server.stop()) == 1


def test_a_file_that_shrinks_breaks_its_download_only(start, tmp_path):
    file = tmp_path / "shrinking.bin"
    file.write_bytes(bytes(64 * MIB))
    server = start(file)
    with server.client(SMALL_BUFFER) as client:
        client.send("/file")
        client.head()
        os.truncate(file, 32 * MIB)
        with pytest.raises(ConnectionResetError):
            client.take(64 * MIB)
    [[sent, acked, outcome, _]] = server.reports(1)
    assert outcome == "broken"
    assert acked <= sent <= 32 * MIB
    with server.client() as client:
        assert client.text("/ping") == "pong"


def test_a_file_that_shrank_before_iteration_closes_the_connection(start, tmp_path):
    file = tmp_path / "short.bin"
    file.write_bytes(bytes(1000))
    server = start(file)
    with server.client() as client:
        client.send("/wrapped?count=2000")
        assert client.head()[1]["content-length"] == "2000"
        assert client.take(2000) == bytes(1000)
    assert server.reports(1)[0][:3] == [1000, 1000, "broken"]


def test_progress_names_open_downloads_and_stop_ends_the_chosen_one(big):
    with big.client(SMALL_BUFFER) as one, big.client(SMALL_BUFFER) as two, big.client() as desk:
        for client, key in ((one, "dlv_1"), (two, "dlv_2")):
            client.send(f"/file?key={key}")
            client.head()
            client.take(8 * MIB)
        progress = json.loads(desk.text(f"/progress?key=dlv_1&acked={8 * MIB - DELAYED_ACKS}"))
        assert set(progress) == {"dlv_1", "dlv_2"}
        desk.text("/stop?key=dlv_1")
        [[_, acked, outcome, _]] = big.reports(1)
        assert outcome == "broken"
        assert acked >= progress["dlv_1"]
        with pytest.raises(ConnectionResetError):
            one.take(64 * MIB)
        assert len(two.take(56 * MIB)) == 56 * MIB
    assert sorted(report[2] for report in big.reports(2)) == ["broken", "complete"]


def test_a_stopping_server_lets_downloads_finish(big):
    with big.client(SMALL_BUFFER) as client:
        client.send("/file")
        client.head()
        client.take(MIB)
        big.process.send_signal(signal.SIGTERM)
        assert len(client.take(63 * MIB)) == 63 * MIB
    assert [report[:3] for report in big.stopped()] == [[64 * MIB, 64 * MIB, "complete"]]
    assert big.process.returncode == 0


def test_a_stopping_server_takes_no_more_connections_while_downloads_finish(big):
    with big.client(SMALL_BUFFER) as client:
        client.send("/file")
        client.head()
        client.take(MIB)
        big.process.send_signal(signal.SIGTERM)
        wait_until("new connections to be refused", lambda: is_refused(big))
        assert len(client.take(63 * MIB)) == 63 * MIB
    assert [report[:3] for report in big.stopped()] == [[64 * MIB, 64 * MIB, "complete"]]


def is_refused(server):
    try:
        server.client().vanish()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_server_reports_what_it_cannot_finish(start, big_file, number):
    server = start(big_file, graceful_timeout_seconds=4)
    with server.client(SMALL_BUFFER) as client:
        client.send("/file")
        client.head()
        read = len(client.take(MIB))
        server.process.send_signal(number)
        [[sent, acked, outcome, _]] = server.stopped()
    assert outcome == "broken"
    assert max(0, read - DELAYED_ACKS) <= acked <= sent < 64 * MIB
    assert server.process.returncode == 0
