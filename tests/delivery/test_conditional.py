"""What the wire says to conditional and range requests."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.delivery import conditional, http_dates

CONTENT = "観光地,人流\n大通公園,1200\n".encode()
SHA = hashlib.sha256(CONTENT).hexdigest()
STALE = hashlib.sha256(b"before").hexdigest()
SIZE = len(CONTENT)
AT = datetime(2026, 11, 22, 3, 4, 5, 678_901, UTC)
SAME, EARLIER, LATER = (http_dates.write(AT + timedelta(seconds=n)) for n in (0, -60, 60))
GUARDS = {
    "Cache-Control": "private, no-store",
    "Vary": "Authorization",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


def ask(method="GET", size=SIZE, sha=SHA, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return conditional.evaluate(method, named, sha, AT, size, media_type="text/csv", file_name="人流 2026.csv")


def test_a_plain_request_gets_the_whole_file_with_every_field():
    answer = ask()
    assert (answer.status, answer.start, answer.length) == (200, 0, SIZE)
    assert answer.headers == GUARDS | {
        "ETag": f'"{SHA}"',
        "Last-Modified": "Sun, 22 Nov 2026 03:04:05 GMT",
        "Repr-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()}:",
        "Accept-Ranges": "bytes",
        "Content-Type": "text/csv",
        "Content-Disposition": "attachment; filename=\"__ 2026.csv\"; filename*=UTF-8''%E4%BA%BA%E6%B5%81%202026.csv",
        "Content-Length": str(SIZE),
    }


def test_head_tells_the_same_and_carries_no_byte():
    answer = ask("HEAD")
    assert (answer.status, answer.length, answer.headers) == (200, 0, ask().headers)


def test_head_ignores_a_range_even_one_that_cannot_be_met():
    for field in ("bytes=0-3", f"bytes={SIZE}-"):
        assert ask("HEAD", Range=field) == ask("HEAD")


def test_a_range_gets_its_bytes_and_says_where_they_lie():
    answer = ask(Range="bytes=3-9")
    assert (answer.status, answer.start, answer.length) == (206, 3, 7)
    assert answer.headers["Content-Range"] == f"bytes 3-9/{SIZE}"
    assert answer.headers["Content-Length"] == "7"
    assert answer.headers["ETag"] == f'"{SHA}"'
    assert answer.headers["Repr-Digest"] == ask().headers["Repr-Digest"]
    assert "Content-Digest" not in answer.headers


def test_a_range_beyond_the_end_gets_416_with_the_size_and_no_body():
    answer = ask(Range=f"bytes={SIZE}-")
    assert (answer.status, answer.start, answer.length) == (416, 0, 0)
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.headers["Content-Length"] == "0"
    assert answer.headers.items() >= GUARDS.items()


@pytest.mark.parametrize(
    "field", ["items=0-5", "bytes=9-3", "bytes=a-b", "bytes", "bytes=", "", "bytes=-", "bytes=0-1,9-9", "bytes=٣-٤"]
)
def test_a_range_we_do_not_understand_is_ignored(field):
    assert ask(Range=field) == ask()


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"If_Match": f'"{SHA}"'}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": f'"{STALE}", "{SHA}"'}, 200),
        ({"If_Match": f'"{STALE}"'}, 412),
        ({"If_Match": f'W/"{SHA}"'}, 412),
        ({"If_Match": SHA}, 412),
        ({"If_Match": ""}, 412),
        ({"If_Match": f'"{STALE}"', "Range": "bytes=0-3"}, 412),
        ({"If_Match": f'"{SHA}"', "Range": "bytes=0-3"}, 206),
        ({"If_Match": f'"{STALE}"', "If_None_Match": f'"{SHA}"'}, 412),
        ({"If_Match": f'"{SHA}"', "If_None_Match": f'"{SHA}"'}, 304),
        ({"If_Match": f'"{SHA}"', "If_Unmodified_Since": EARLIER}, 200),
        ({"If_Unmodified_Since": EARLIER}, 412),
        ({"If_Unmodified_Since": EARLIER, "Range": "bytes=0-3"}, 412),
        ({"If_Unmodified_Since": SAME}, 200),
        ({"If_Unmodified_Since": LATER}, 200),
        ({"If_Unmodified_Since": "yesterday"}, 200),
        ({"If_None_Match": f'"{SHA}"'}, 304),
        ({"If_None_Match": f'W/"{SHA}"'}, 304),
        ({"If_None_Match": f'"{STALE}" , ,W/"{SHA}"'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": f'"{STALE}"'}, 200),
        ({"If_None_Match": f'"{SHA}'}, 200),
        ({"If_None_Match": f'"{SHA}"', "Range": "bytes=0-3"}, 304),
        ({"If_None_Match": f'"{SHA}"', "Range": f"bytes={SIZE}-"}, 304),
        ({"If_None_Match": f'"{STALE}"', "If_Modified_Since": LATER}, 200),
        ({"If_Modified_Since": SAME}, 304),
        ({"If_Modified_Since": LATER}, 304),
        ({"If_Modified_Since": EARLIER}, 200),
        ({"If_Modified_Since": "2026-11-22T03:04:05Z"}, 200),
        ({"If_Modified_Since": LATER, "Range": "bytes=0-3"}, 304),
    ],
)
def test_preconditions_are_taken_in_the_order_of_the_rfc(conditions, status):
    answer = ask(**conditions)
    assert answer.status == status
    assert ask("HEAD", **conditions).status == (200 if status == 206 else status)


@pytest.mark.parametrize(
    ("if_range", "status"),
    [
        (f'"{SHA}"', 206),
        (f'W/"{SHA}"', 200),
        (f'"{STALE}"', 200),
        (SHA, 200),
        ("*", 200),
        ("", 200),
        (SAME, 206),
        (EARLIER, 200),
        (LATER, 200),
    ],
)
def test_if_range_lets_a_range_through_only_for_exactly_this_file(if_range, status):
    assert ask(Range="bytes=0-3", If_Range=if_range).status == status


def test_a_file_replaced_in_the_middle_of_a_resume_is_sent_anew_or_refused_and_never_mixed():
    assert ask(sha=STALE, Range="bytes=4-", If_Range=f'"{SHA}"').status == 200
    assert ask(sha=STALE, Range="bytes=4-", If_Match=f'"{SHA}"').status == 412


def test_if_range_without_a_range_and_a_stale_one_beyond_the_end_give_the_whole_file():
    assert ask(If_Range=f'"{SHA}"') == ask()
    assert ask(Range=f"bytes={SIZE}-", If_Range=f'"{STALE}"') == ask()


def test_answers_without_bytes_are_empty_and_carry_only_what_a_cache_may_learn():
    known, failed = ask(If_None_Match="*"), ask(If_Match=f'"{STALE}"')
    for answer in (known, failed):
        assert (answer.start, answer.length) == (0, 0)
        assert answer.headers["ETag"] == f'"{SHA}"'
        assert not answer.headers.keys() & {"Content-Type", "Repr-Digest", "Content-Range"}
    assert "Content-Length" not in known.headers
    assert failed.headers["Content-Length"] == "0"


def test_a_condition_that_means_unchanged_fails_for_other_methods():
    assert ask("DELETE", If_None_Match="*").status == 412
    assert ask("DELETE", If_Modified_Since=LATER).status == 200


def test_request_fields_are_found_in_any_case():
    assert conditional.evaluate("GET", {"rAnGe": "bytes=0-0"}, SHA, AT, SIZE).status == 206


def test_an_empty_file_is_delivered_whole_and_has_no_first_byte():
    assert (ask(size=0).status, ask(size=0).length, ask(size=0).headers["Content-Length"]) == (200, 0, "0")
    assert ask(size=0, Range="bytes=0-").headers["Content-Range"] == "bytes */0"
    assert ask(size=0, Range="bytes=0-").status == 416
    assert ask(size=0, Range="bytes=-5") == ask(size=0)


def test_five_thousand_digits_are_read_at_once_and_rightly():
    nines, zeros = "9" * 5000, "0" * 5000
    assert ask(Range=f"bytes=0-{nines}").length == SIZE
    assert ask(Range=f"bytes=-{nines}").headers["Content-Range"] == f"bytes 0-{SIZE - 1}/{SIZE}"
    assert ask(Range=f"bytes={nines}-").status == 416
    assert ask(Range=f"bytes={zeros}1-{zeros}2").headers["Content-Range"] == f"bytes 1-2/{SIZE}"
    assert ask(Range=f"bytes={nines}-{nines[:-1]}8") == ask()


def test_many_ranges_are_joined_or_ignored_and_never_send_a_byte_twice():
    overlapping = ",".join(f"{n}-{n + 5}" for n in range(20))
    assert ask(Range=f"bytes={overlapping}").headers["Content-Range"] == f"bytes 0-24/{SIZE}"
    assert ask(Range="bytes=" + ",".join(["0-"] * 500)) == ask()
    assert ask(Range="bytes=0-0,-1") == ask()


def test_a_name_or_type_made_to_split_headers_stays_inside_its_field():
    headers = conditional.evaluate(
        "GET", {}, SHA, AT, 1, media_type="text/csv\r\nSet-Cookie: a=b", file_name='a"\r\nSet-Cookie: b=c\u202egpj.csv'
    ).headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert not any(sign in value for value in headers.values() for sign in "\r\n\0")
    assert headers["Content-Disposition"].startswith('attachment; filename="a___Set-Cookie_ b=c_gpj.csv"; ')


def test_a_media_type_with_parameters_is_passed_on():
    for media_type in ('text/csv; charset="Shift_JIS"; header=present', "application/geo+json"):
        assert conditional.evaluate("GET", {}, SHA, AT, 1, media_type=media_type).headers["Content-Type"] == media_type
