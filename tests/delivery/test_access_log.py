"""A bucket's access log is read for what it says of our deliveries, and for nothing else."""

from datetime import UTC, datetime

import pytest

from marketplace.delivery import access_log
from marketplace.delivery.access_log import Fetch

SHA = "ab" * 32
# The shape of AWS's own example ("Amazon S3 server access log format"), with an address of ours.
LINE = (
    "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be musubi [29/Nov/2026:09:00:38 +0900] 192.0.2.3"
    " 79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be 3E57427F3EXAMPLE REST.GET.OBJECT"
    f' exchange/ab/ab/{SHA} "GET /musubi/exchange/ab/ab/{SHA}?response-content-type=text%2Fcsv&x-musubi-delivery=dlv_1'
    '&X-Amz-Expires=60 HTTP/1.1" 206 - 2662992 3462992 70 10 "-" "curl/8.5.0" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BH='
    " SigV4 ECDHE-RSA-AES128-GCM-SHA256 QueryString musubi.s3.ap-northeast-1.amazonaws.com TLSv1.3 - -"
)


def test_a_line_of_ours_tells_delivery_content_bytes_and_instant():
    at = datetime(2026, 11, 29, 0, 0, 38, tzinfo=UTC)
    assert access_log.read(LINE) == Fetch("3E57427F3EXAMPLE", "dlv_1", SHA, 206, 2662992, at)


@pytest.mark.parametrize(
    ("status", "sent"), [("403", "243"), ("404", "300"), ("304", "-"), ("206", "-")], ids=lambda given: given
)
def test_errors_and_empty_answers_are_no_bytes_of_the_file(status, sent):
    line = LINE.replace(" 206 - 2662992 ", f" {status} - {sent} ")
    assert (access_log.read(line).status, access_log.read(line).bytes_sent) == (int(status), 0)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("REST.GET.OBJECT", "REST.PUT.OBJECT"),
        ("x-musubi-delivery=dlv_1&", ""),
        ("x-musubi-delivery=dlv_1&", "x-musubi-delivery=dlv_1&x-musubi-delivery=dlv_2&"),
        (f"ab/ab/{SHA} ", "ab/ab/probe "),
        ("29/Nov/2026", "31/Nov/2026"),
        (" 2662992 ", " many "),
        ('"GET', "GET"),
    ],
    ids=["another deed", "no delivery", "two deliveries", "no content", "no day", "no number", "no request"],
)
def test_whatever_is_not_ours_or_cannot_be_read_is_left_aside(part, other):
    assert access_log.read(LINE) is not None
    assert part in LINE
    assert access_log.read(LINE.replace(part, other)) is None


def test_an_agent_that_writes_quotes_into_its_name_changes_nothing():
    forged = LINE.replace('"curl/8.5.0"', '"x" 206 - 1 1 "y"')
    assert access_log.read(forged) == access_log.read(LINE)
