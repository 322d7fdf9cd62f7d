"""A body counts what it hands out and reports once."""

import threading

import pytest

from marketplace.delivery.errors import BytesMissing
from marketplace.delivery.streaming import CHUNK_BYTES, CountedBody

CONTENT = bytes(range(256)) * (CHUNK_BYTES * 2 // 256) + b"rest"
SIZE = len(CONTENT)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(CONTENT)
    return path


def body_of(source, offset=0, count=SIZE):
    reports = []
    return CountedBody(source.open("rb"), offset, count, lambda *report: reports.append(report)), reports


def test_a_body_read_to_its_end_is_complete_and_exact(source):
    body, reports = body_of(source)
    assert b"".join(body) == CONTENT
    assert reports == []
    body.close()
    assert reports == [(len(CONTENT), len(CONTENT), "complete")]


@pytest.mark.parametrize(("offset", "count"), [(0, 1), (5, CHUNK_BYTES), (CHUNK_BYTES + 1, 300), (len(CONTENT) - 1, 1)])
def test_a_range_is_read_from_its_offset(source, offset, count):
    body, reports = body_of(source, offset, count)
    assert b"".join(body) == CONTENT[offset : offset + count]
    body.close()
    assert reports == [(count, count, "complete")]


def test_the_last_chunk_of_a_broken_body_does_not_count_as_acknowledged(source):
    body, reports = body_of(source)
    next(body)
    assert body.acked == 0
    next(body)
    assert body.acked == CHUNK_BYTES
    body.close()
    assert reports == [(2 * CHUNK_BYTES, CHUNK_BYTES, "broken")]


def test_all_bytes_handed_out_but_never_asked_on_is_broken(source):
    body, reports = body_of(source, 0, 10)
    assert len(next(body)) == 10
    body.close()
    assert reports == [(10, 0, "broken")]


def test_a_body_nobody_began_reports_nothing_sent(source):
    body, reports = body_of(source)
    body.close()
    assert reports == [(0, 0, "broken")]


def test_an_empty_body_is_complete_even_when_nobody_began_it(source):
    body, reports = body_of(source, 0, 0)
    body.close()
    assert reports == [(0, 0, "complete")]


def test_closing_from_many_threads_reports_once_and_closes_the_file(source):
    file, reports, start = source.open("rb"), [], threading.Barrier(16)
    body = CountedBody(file, 0, 10, lambda *report: reports.append(report))

    def close():
        start.wait()
        body.close()

    threads = [threading.Thread(target=close) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reports == [(0, 0, "broken")]
    assert file.closed


def test_a_closed_body_hands_out_nothing_more(source):
    body, reports = body_of(source)
    next(body)
    body.close()
    assert list(body) == []
    assert len(reports) == 1


def test_a_file_that_shrank_breaks_the_answer_instead_of_ending_it(source):
    body, reports = body_of(source, len(CONTENT) - 4, 10)
    assert next(body) == b"rest"
    with pytest.raises(BytesMissing):
        next(body)
    body.close()
    assert reports == [(4, 4, "broken")]
