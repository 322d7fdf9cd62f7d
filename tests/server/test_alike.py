"""Whatever is sent, both workers read it as stock gunicorn does: same statuses, same requests seen, same end."""

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.server.conftest import WAIT_SECONDS, starting
from tests.server.test_requests import AMBIGUOUS

EXAMPLES = int(os.environ.get("MUSUBI_TESTS_FUZZ", "150"))
LIMITS = {"request_line_bytes_max": 200, "header_fields_max": 64, "header_bytes_max": 200}
SENTINEL = b"GET /mirror?last HTTP/1.1\r\nHost: tiny\r\nConnection: close\r\n\r\n"
# Ours says of transfer codings nobody knows, and of odd expectations, what it says of all that cannot be read.
OURS = {501: 400, 417: 400}
HEAD = b"POST /mirror HTTP/1.1\r\nHost: tiny\r\n"


@dataclass(frozen=True)
class Answer:
    """What a client can tell of an answer; the words of refusals are each server's own."""

    status: int
    connection: str
    understood: str


@pytest.fixture(scope="module")
def ports(tmp_path_factory, small_file):
    """The ports of stock gunicorn and of our two workers, over the same application."""
    with starting(tmp_path_factory.mktemp("alike")) as start:
        kinds = ("gthread", "threads", "events")
        yield {kind: start(small_file, worker_class=kind, **LIMITS).port for kind in kinds}


def spoken(port: int, pieces: list[bytes], *, half_close: bool = True) -> bytes:
    """Send the pieces and return all that comes until the server's end."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), WAIT_SECONDS) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                wire.sendall(piece)
            if half_close:
                wire.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while part := wire.recv(65536):
                received += part
    return received


def answers(received: bytes) -> list[Answer]:
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(fields.get("content-length", 0))
        body, received = rest[:length], rest[length:]
        found.append(Answer(status, fields.get("connection", ""), body.decode() if status == 200 else ""))
    return found


def assert_alike(ports: dict[str, int], pieces: list[bytes], **how: bool) -> list[Answer]:
    told = {kind: answers(spoken(port, pieces, **how)) for kind, port in ports.items()}
    stock = [replace(answer, status=OURS.get(answer.status, answer.status)) for answer in told["gthread"]]
    assert told["threads"] == stock
    assert told["events"] == stock
    return stock


@pytest.mark.parametrize("ambiguous", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_could_smuggle_a_request_is_refused_by_all_and_the_request_behind_it_is_not_read(ports, ambiguous):
    [refused] = assert_alike(ports, [HEAD + ambiguous + SENTINEL])
    assert (refused.status, refused.connection) == (400, "close")


MORE = {
    "an empty line before": b"\r\nGET /mirror HTTP/1.1\r\nHost: tiny\r\n\r\n",
    "two empty lines before": b"\r\n\r\nGET /mirror HTTP/1.1\r\nHost: tiny\r\n\r\n",
    "bare line feeds": b"GET /mirror HTTP/1.1\nHost: tiny\n\n",
    "a bare line feed in the request line": b"GET /mirror\n HTTP/1.1\r\nHost: tiny\r\n\r\n",
    "NUL in the address": b"GET /mir\x00ror HTTP/1.1\r\nHost: tiny\r\n\r\n",
    "NUL in a name": b"GET /mirror HTTP/1.1\r\nHo\x00st: tiny\r\n\r\n",
    "a colon first": b"GET /mirror HTTP/1.1\r\n: tiny\r\n\r\n",
    "a long address": b"GET /mirror?" + b"x" * 300 + b" HTTP/1.1\r\n\r\n",
    "a long field": b"GET /mirror HTTP/1.1\r\nX-Long: " + b"x" * 300 + b"\r\n\r\n",
    "many fields": b"GET /mirror HTTP/1.1\r\n" + b"X-A: 1\r\n" * 65 + b"\r\n",
    "HTTP/0.9": b"GET /mirror\r\n\r\n",
    "HTTP/1.0 kept": b"GET /mirror HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/2.0": b"GET /mirror HTTP/2.0\r\nHost: tiny\r\n\r\n",
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a tunnel": b"CONNECT tiny:443 HTTP/1.1\r\nHost: tiny\r\n\r\n",
    "an expectation": HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    "an odd expectation": HEAD + b"Expect: tea\r\nContent-Length: 2\r\n\r\nab",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nX-Trailer: t\r\n\r\n",
    "a body that ends early": HEAD + b"Content-Length: 2000\r\n\r\nab",
    "chunks that end early": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "a head that ends early": b"GET /mirror HTTP/1.1\r\nHo",
    "nothing": b"",
    "an application that fails": b"GET /lost HTTP/1.1\r\nHost: tiny\r\n\r\n",
    "a body that is not read": b"POST /ping HTTP/1.1\r\nHost: tiny\r\nContent-Length: 60\r\n\r\n" + SENTINEL[:60],
    "a question about a file": b"HEAD /file HTTP/1.1\r\nHost: tiny\r\n\r\n",
}


@pytest.mark.parametrize("sent", MORE.values(), ids=MORE.keys())
def test_odd_requests_get_the_same_answers_and_the_same_end(ports, sent):
    assert_alike(ports, [sent + SENTINEL] if sent and not sent.startswith(b"HEAD") else [sent])


HOPELESS = {
    "bare line feeds": (b"GET /mirror HTTP/1.1\nHost: tiny\n", 400),
    "an address without an end": (b"GET /mirror?" + b"x" * 300, 414),
    "fields without an end": (b"GET /mirror HTTP/1.1\r\nX-Long: " + b"x" * 14_000, 431),
}


@pytest.mark.parametrize(("sent", "status"), HOPELESS.values(), ids=HOPELESS.keys())
def test_what_no_further_byte_would_mend_is_refused_while_its_sender_still_talks(ports, sent, status):
    for kind in ("threads", "events"):  # gunicorn's own waits for the next byte
        [refused] = answers(spoken(ports[kind], [sent], half_close=False))
        assert (refused.status, refused.connection) == (status, "close")


PIPELINE = (
    HEAD + b"Content-Length: 5\r\n\r\nabcde" + b"GET /mirror?2 HTTP/1.1\r\nHost: tiny\r\n\r\n"
    + HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" + SENTINEL
)  # fmt: skip


def test_a_pipeline_is_read_the_same_wherever_it_is_cut(ports):
    whole = assert_alike(ports, [PIPELINE])
    assert [answer.status for answer in whole] == [200] * 4
    for cut in range(1, len(PIPELINE)):
        assert answers(spoken(ports["events"], [PIPELINE[:cut], PIPELINE[cut:]])) == whole
    one_by_one = [PIPELINE[place : place + 1] for place in range(len(PIPELINE))]
    assert assert_alike(ports, one_by_one) == whole


LINE_ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\n ", b"\r\n\t", b"\r\r\n", b"\n\r\n"])
REQUEST_LINES = st.builds(
    lambda *parts: b"".join(parts),
    st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"get", b"G@T", b"", b"HEAD2", b"CONNECT", b"OPTIONS"]),
    st.sampled_from([b" "] * 8 + [b"  ", b"\t", b""]),
    st.sampled_from([b"/mirror", b"/mirror?a=b", b"/mirror#x", b"http://tiny/mirror", b"//mirror", b"*", b"/%6dirror", b"/mirror\x80"]),
    st.sampled_from([b" HTTP/1.1"] * 8 + [b" HTTP/1.0", b" HTTP/1.2", b" HTTP/01.1", b" http/1.1", b"", b" HTTP/1.1 "]),
)  # fmt: skip
FIELDS = st.one_of(
    st.sampled_from([
        b"Host: tiny", b"X-A: b", b"X_A: b", b"Content-Length: 0", b"Content-Length: 3", b"Content-Length: 03",
        b"Content-Length:3", b"Content-Length: 3 ", b"Content-Length: -3", b"Content-Length: 3,3",
        "Content-Length: ３".encode(), b"Content_Length: 3", b"Transfer-Encoding: chunked", b"Transfer-Encoding: CHUNKED",
        b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked;q=1",
        b"Transfer_Encoding: chunked", b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade",
        b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Expect: 100-continue",
        b"X-Forwarded-Proto: https", b"X-Empty:", b"X-Tab:\tb", b"No colon", b"X B: c",
    ]),
    st.binary(max_size=30),
)  # fmt: skip
BODIES = st.one_of(
    st.sampled_from([
        b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", b"3;a=b\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n00\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"-3\r\nabc\r\n0\r\n\r\n", b"3 \r\nabc\r\n0\r\n\r\n",
        b"0\r\nContent-Length: 3\r\n\r\n", b"ffffffffff\r\nabc",
    ]),
    st.binary(max_size=20),
)  # fmt: skip


@st.composite
def requests(draw) -> bytes:
    """One request, good or bad, with a byte turned over here and there."""
    lines = [draw(REQUEST_LINES), *draw(st.lists(FIELDS, max_size=9))]
    made = bytearray(b"".join(line + draw(LINE_ENDS) for line in lines) + draw(LINE_ENDS) + draw(BODIES))
    for place in draw(st.lists(st.integers(0, max(0, len(made) - 1)), max_size=2)) if draw(st.booleans()) else []:
        made[place : place + 1] = draw(st.sampled_from([b"", b"\x00", b"\r", b"\n", b" ", b":", b"\xff"]))
    return bytes(made)


@hypothesis.settings(max_examples=EXAMPLES, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(pipeline=st.lists(requests(), min_size=1, max_size=3), cuts=st.lists(st.integers(0, 600), max_size=3))
def test_made_up_pipelines_are_read_alike_in_whatever_pieces_they_come(ports, pipeline, cuts):
    sent = b"".join(pipeline) + SENTINEL
    edges = [0, *sorted(cut for cut in cuts if cut < len(sent)), len(sent)]
    assert_alike(ports, [sent[begin:end] for begin, end in pairwise(edges)])


def test_the_comparison_tells_what_was_understood(ports):
    [first, last] = assert_alike(ports, [HEAD + b"X-A: b\r\nContent-Length: 3\r\n\r\nabc" + SENTINEL])
    seen = json.loads(first.understood)
    assert (seen["HTTP_X_A"], seen["body"], first.connection) == ("b", "abc", "keep-alive")
    assert (json.loads(last.understood)["QUERY_STRING"], last.connection) == ("last", "close")
