"""Downloads through the really started server: every byte right, every report right, exactly one each."""

import hashlib

import pytest

MIB = 2**20


def test_a_whole_file_arrives_and_all_of_it_is_acknowledged(big, big_sha256):
    with big.client() as client:
        status, headers, body = client.get("/file")
    assert (status, headers["content-length"]) == (200, str(64 * MIB))
    assert hashlib.sha256(body).hexdigest() == big_sha256
    assert [report[:3] for report in big.reports(1)] == [[64 * MIB, 64 * MIB, "complete"]]


@pytest.mark.parametrize(
    ("offset", "count"), [(1, 1), (MIB + 3, 10_007), (5 * MIB - 1, 40 * MIB), (64 * MIB - 9, 9), (7, 0)]
)
def test_a_range_starts_at_its_offset_and_ends_at_its_count(big, offset, count):
    with big.client() as client:
        _, _, body = client.get(f"/file?from={offset}&count={count}")
    assert body == big.file.read_bytes()[offset : offset + count]
    assert [report[:3] for report in big.reports(1)] == [[count, count, "complete"]]


def test_reports_run_on_neither_event_loop(big):
    with big.client() as client:
        client.get("/file?count=10000000")
        client.get("/file?count=1")
    threads = [report[3] for report in big.reports(2)]
    assert not {"MainThread", "download-sender"} & set(threads)


def test_one_connection_serves_many_downloads_and_other_requests(tiny):
    expected = tiny.file.read_bytes()
    with tiny.client() as client:
        for done in range(1, 6):
            assert client.get("/file")[2] == expected
            assert client.text("/ping") == "pong"
            assert len(tiny.reports(done)) == done
    assert all(report[:3] == [len(expected), len(expected), "complete"] for report in tiny.reports(5))


def test_a_download_is_reported_before_its_connection_serves_the_next_request(tiny):
    with tiny.client() as client:
        for done in range(1, 20):
            client.get("/file")
            assert client.text("/reports?n=0").count("complete") == done


def test_pipelined_requests_are_answered_in_order(tiny):
    expected = tiny.file.read_bytes()
    with tiny.client() as client:
        for target in ("/file", "/ping", "/file?from=10&count=5", "/file", "/ping"):
            client.send(target)
        answers = [client.take(int(client.head()[1]["content-length"])) for _ in range(5)]
    assert answers == [expected, b"pong", expected[10:15], expected, b"pong"]
    assert len(tiny.reports(3)) == 3


def test_pipelining_behind_a_big_download_does_not_disturb_it(big, big_sha256):
    with big.client() as client:
        client.send("/file")
        client.send("/ping")
        _, headers = client.head()
        assert hashlib.sha256(client.take(int(headers["content-length"]))).hexdigest() == big_sha256
        assert client.take(int(client.head()[1]["content-length"])) == b"pong"


def test_the_last_response_of_a_connection_is_whole_and_followed_by_its_end(tiny):
    with tiny.client() as client:
        _, headers, body = client.get("/file", more="Connection: close\r\n")
        assert headers["connection"] == "close"
        assert body == tiny.file.read_bytes()
        assert client.take(1) == b""
    assert tiny.reports(1)[0][2] == "complete"


def test_http_1_0_is_served_and_closed(tiny):
    with tiny.client() as client:
        assert client.get("/file", version="1.0")[2] == tiny.file.read_bytes()
        assert client.take(1) == b""
    size = tiny.file.stat().st_size
    assert tiny.reports(1)[0][:3] == [size, size, "complete"]


def test_head_sends_nothing_counts_nothing_and_keeps_the_connection(tiny):
    with tiny.client() as client:
        _, headers, _ = client.get("/file", method="HEAD")
        assert headers["content-length"] == str(tiny.file.stat().st_size)
        assert client.text("/ping") == "pong"
    assert tiny.reports(1)[0][:3] == [0, 0, "complete"]


def test_a_body_without_content_length_is_iterated_in_chunks(tiny):
    with tiny.client() as client:
        client.send("/chunked", more="Connection: close\r\n")
        _, headers = client.head()
        assert headers["transfer-encoding"] == "chunked"
        framed = client.take(10 * MIB)
    size = tiny.file.stat().st_size
    assert framed == b"%X\r\n%b\r\n0\r\n\r\n" % (size, tiny.file.read_bytes())
    assert tiny.reports(1)[0][:3] == [size, size, "complete"]


@pytest.mark.parametrize("route", ["wrapped", "begun"])
def test_a_body_that_others_iterate_is_counted_all_the_same(tiny, route):
    with tiny.client() as client:
        assert client.get(f"/{route}")[2] == tiny.file.read_bytes()
        assert client.text("/ping") == "pong"
    size = tiny.file.stat().st_size
    assert tiny.reports(1)[0][:3] == [size, size, "complete"]


def test_a_body_the_application_loses_is_closed_and_reported(tiny):
    with tiny.client() as client:
        assert client.get("/lost")[0] == 500
    assert tiny.reports(1)[0][:3] == [0, 0, "broken"]
    with tiny.client() as client:
        assert client.text("/open") == "0"


def test_a_failing_report_harms_nothing_else(tiny):
    with tiny.client() as client:
        for _ in range(3):
            assert client.get("/explode")[2] == tiny.file.read_bytes()
            assert client.text("/ping") == "pong"
        assert client.get("/file")[2] == tiny.file.read_bytes()
    assert len(tiny.reports(4)) == 4
    assert "the report of a finished download failed" in tiny.errors.read_text()


def test_files_are_closed_after_their_downloads(big):
    for count in (1, 1000, 20 * MIB):
        with big.client() as client:
            client.get(f"/file?count={count}")
    big.reports(3)
    with big.client() as client:
        assert client.text("/open") == "0"
