"""Requests that the event loop answers by a pass: known by their bytes, answered alike, reported like all others."""

import hashlib
import signal
from functools import partial

import pytest

from marketplace.server import passes
from marketplace.server.passes import Passes, is_plain
from tests.server.conftest import starting

HEAD = b"GET /v1/x?y=1 HTTP/1.1\r\nHost: tiny\r\nAuthorization: Bearer abc\r\n"
PEER = "192.0.2.1"
DUE_BYTES = 2 * 65536  # two segments of the loopback, whose acknowledgement may have been due still


@pytest.fixture
def start(tmp_path):
    """Start servers with the event worker."""
    with starting(tmp_path) as start_one:
        yield partial(start_one, worker_class="events")


@pytest.fixture
def tiny(start, small_file):
    return start(small_file)


def asked(client):
    return int(client.text("/asked"))


def name_of(one: Passes, head: bytes, peer: str = PEER):
    found = one.read(head + b"\r\n", peer)
    assert found is not None
    return found.name


def test_a_request_is_the_same_by_every_byte_but_the_value_of_its_range():
    one = Passes()
    ranged = HEAD + b"Range: bytes=0-1\r\n"
    assert name_of(one, HEAD) == name_of(one, HEAD)
    assert name_of(one, ranged) == name_of(one, HEAD + b"Range: bytes=5-\r\n")
    found = one.read(ranged + b"\r\nGET /next", PEER)
    assert found is not None
    assert (found.range_field, found.length) == (b"bytes=0-1", len(ranged) + 2)
    others = [
        HEAD.replace(b"abc", b"abd"),
        HEAD.replace(b"y=1", b"y=2"),
        HEAD.replace(b"GET", b"get"),
        HEAD.replace(b"Host: tiny", b"Host: tiny "),
        HEAD + b"Musubi-Purpose: research\r\n",
        HEAD + b"Accept: */*\r\n",
        ranged,
        HEAD + b"range: bytes=0-1\r\n",
        ranged + b"Accept: */*\r\n",
    ]
    names = {one.read(head + b"\r\n", PEER).name for head in others if one.read(head + b"\r\n", PEER)}
    assert len(names) == len(others) - 1  # lower-case methods are never looked at
    assert name_of(one, HEAD) not in names
    assert name_of(one, HEAD, "192.0.2.2") != name_of(one, HEAD)
    assert name_of(Passes(), HEAD) != name_of(one, HEAD)
    assert one.read(HEAD, PEER) is None
    assert one.read(b"HEAD" + HEAD[3:] + b"\r\n", PEER) is None


@pytest.mark.parametrize(
    "more",
    [
        b"If-None-Match: *\r\n",
        b"If-Range: x\r\n",
        b"DPoP: proof\r\n",
        b"Cookie: a=b\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Upgrade: h2c\r\n",
        b"On-Behalf-Of: org_1\r\n",
        b"Host: other\r\n",
        b"range: bytes=0-1\r\nRange: bytes=2-3\r\n",
        b"X-Unheard-Of: 1\r\n",
        b"Accept : */*\r\n",
        b" Accept: */*\r\n",
        "Accept: é\r\n".encode("latin-1"),
        b"Accept: a\rb\r\n",
    ],
    ids=str,
)
def test_a_request_with_anything_else_is_asked_each_time(more):
    assert is_plain(HEAD + b"Accept: */*\r\nRange: bytes=1-\r\n\r\n")
    assert not is_plain(HEAD + more + b"\r\n")


def test_no_place_is_offered_for_what_came_once_or_long_ago(monkeypatch):
    one, data = Passes(), HEAD + b"\r\n"
    found = one.read(data, PEER)
    assert one.slot(found, data) is None
    assert one.slot(found, data) is not None
    monkeypatch.setattr(passes, "SEEN_SECONDS", -1.0)
    assert one.slot(found, data) is None


def test_the_third_of_the_same_requests_is_answered_without_the_application(tiny, small_file):
    with tiny.client() as client:
        answers = [client.get("/passed?n=2") for _ in range(4)]
        assert {body for _, _, body in answers} == {small_file.read_bytes()}
        heads = [{name: value for name, value in fields.items() if name != "date"} for _, fields, _ in answers]
        assert heads[1:] == heads[:1] * 3
        assert [list(fields) for _, fields, _ in answers[1:]] == [list(answers[0][1])] * 3
        assert asked(client) == 2
        client.get("/passed?n=2")
        assert asked(client) == 3
    size = small_file.stat().st_size
    assert [report[:3] for report in tiny.reports(5)] == [[size, size, "complete"]] * 5


def test_parts_that_differ_are_one_request(tiny, small_file):
    content = small_file.read_bytes()
    with tiny.client() as client:
        for first, last in ((0, 9), (10, 19), (20, 20), (0, len(content) - 1)):
            status, fields, body = client.get("/passed?n=9", more=f"Range: bytes={first}-{last}\r\n")
            assert (status, body) == (206, content[first : last + 1])
            assert fields["content-range"] == f"bytes {first}-{last}/{len(content)}"
        assert asked(client) == 2


@pytest.mark.parametrize(
    "more", ["If-None-Match: *\r\n", "Cookie: a=b\r\n", "Musubi-Purpose: other\r\n", "Authorization: Bearer x\r\n"]
)
def test_another_request_is_not_answered_by_the_pass(tiny, more):
    with tiny.client() as client:
        for _ in range(3):
            client.get("/passed?n=9")
        assert asked(client) == 2
        client.get("/passed?n=9", more=more)
        client.get("/passed?n=9", method="HEAD")
        assert asked(client) == 4
        assert client.get("/passed?n=9", version="1.0")[0] == 200
        assert asked(tiny.client()) == 5


def test_requests_that_come_together_are_answered_in_their_order(tiny, small_file):
    content = small_file.read_bytes()
    with tiny.client() as client:
        for _ in range(2):
            client.get("/passed?n=500")
        request = b"GET /passed?n=500 HTTP/1.1\r\nHost: tiny\r\n\r\n"
        ping = b"GET /ping HTTP/1.1\r\nHost: tiny\r\n\r\n"
        client.socket.sendall((request * 20 + ping) * 10)
        for _ in range(10):
            for _ in range(20):
                status, fields = client.head()
                assert (status, fields["x-kind"]) == (200, "passed")
                assert client.take(len(content)) == content
            assert client.head()[0] == 200
            assert client.take(4) == b"pong"
        assert asked(client) == 2


def test_a_slow_reader_of_a_pass_holds_up_nobody_and_gets_everything(start, big_file, big_sha256):
    big = start(big_file, threads=1)
    with big.client() as first:
        for _ in range(2):
            first.get("/passed?n=3")
    slow = big.client(65536)
    slow.send("/passed?n=3")
    assert slow.head()[0] == 200
    with big.client() as other:
        assert other.text("/ping") == "pong"
        assert asked(other) == 2
    size = big_file.stat().st_size
    assert hashlib.sha256(slow.take(size)).hexdigest() == big_sha256
    assert [report[:3] for report in big.reports(3)] == [[size, size, "complete"]] * 3
    slow.vanish()


def test_who_vanishes_in_the_middle_is_reported_as_broken(start, big_file):
    big = start(big_file)
    with big.client() as first:
        for _ in range(2):
            first.get("/passed?n=3")
    gone = big.client(65536)
    gone.send("/passed?n=3")
    gone.head()
    gone.take(100_000)
    gone.vanish()
    sent, acked, outcome, _ = big.reports(3)[2]
    assert outcome == "broken"
    assert acked + DUE_BYTES >= 100_000
    assert acked <= sent < big_file.stat().st_size


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_no_report_is_lost_when_the_server_ends(start, big_file, number):
    big = start(big_file, graceful_timeout_seconds=2)
    with big.client() as first:
        for _ in range(2):
            first.get("/passed?n=9")
    readers = [big.client(65536) for _ in range(3)]
    for reader in readers:
        reader.send("/passed?n=9")
        assert reader.head()[0] == 200
        reader.take(1000)
    big.process.send_signal(number)
    outcomes = sorted(report[2] for report in big.stopped())
    assert outcomes == ["broken"] * 3 + ["complete"] * 2
    for reader in readers:
        reader.vanish()
