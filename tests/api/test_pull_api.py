"""A provider's API through the exchange: what is offered is asked, metered and limited; all else goes nowhere."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from marketplace.exchange import proxying
from marketplace.kit import clock, outbound
from marketplace.kit.db import db
from tests.api.trade import Market, file_path, ok, refused, row_counts
from tests.api.upstreams import BODY, SECRET, UPSTREAM, ask, put, sold
from tests.loopback import Origin, Respond, answer, reached


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    """The provider's server."""
    with reached(monkeypatch) as made:
        made.respond = answer(BODY, Content_Type="application/json")
        yield made


def test_the_secret_is_nowhere_in_clear(market: Market, origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    grant_id, goods = sold(market)
    answers = [ask(market.buyer, grant_id), market.provider.get(f"/v1/datasets/{goods.dataset_id}/upstream")]
    origin.respond = answer(SECRET.encode(), "401 Unauthorized", X_Key=SECRET)
    answers.append(ask(market.buyer, grant_id))
    refused(answers[-1], 502, "upstream-failed")
    assert all(SECRET not in f"{one.text}{one.headers}" for one in answers)
    assert SECRET not in caplog.text
    for table in ("upstream", "audit_entry"):
        assert SECRET not in str(db.session.execute(text(f"SELECT t::text FROM {table} t")).all())
    stored = db.session.scalar(text("SELECT headers_sealed FROM upstream"))
    assert SECRET.encode() not in bytes(stored)
    assert origin.asked[0].count(f"x-api-key: {SECRET}\r\n") == 1


def test_an_answer_comes_whole_and_is_charged_as_a_request_and_by_its_bytes(market: Market, origin: Origin) -> None:
    grant_id, goods = sold(market)
    origin.respond = answer(
        BODY,
        Content_Type="application/json; charset=utf-8",
        Last_Modified="Sun, 22 Nov 2026 00:00:00 GMT",
        ETag='"theirs"',
        Set_Cookie="session=1",
        Server="secret/1.0",
        Keep_Alive="timeout=5",
        X_Internal="10.0.0.1",
    )
    came = ask(market.buyer, grant_id, query_string=[("day", "2026-11-22"), ("day", "大"), ("limit", "1")])
    assert (came.status_code, came.data) == (200, BODY)
    assert came.content_type == "application/json; charset=utf-8"
    assert came.headers["Last-Modified"] == "Sun, 22 Nov 2026 00:00:00 GMT"
    assert came.headers["Cache-Control"] == "private, no-store"
    assert came.headers["Accept-Ranges"] == "none"
    assert came.headers["ETag"] != '"theirs"'
    assert not {"Set-Cookie", "X-Internal", "Keep-Alive"} & set(came.headers.keys())
    assert came.headers.get("Server") != "secret/1.0"
    assert came.headers["RateLimit-Policy"] == '"grant";q=100;w=60'
    assert came.headers["RateLimit"].startswith('"grant";r=99;t=')

    [head] = origin.asked
    assert head.startswith("GET /v1/stations/1?day=2026-11-22&day=%E5%A4%A7&limit=1 HTTP/1.1\r\n")
    assert "Host: data.example.jp\r\n" in head
    assert market.buyer.token is not None
    assert market.buyer.token not in head
    assert market.usage(grant_id)[0] == len(BODY)
    stated = ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))
    assert (stated["total_requests"], stated["total_rows"]) == (1, 0)
    [delivery] = ok(market.buyer.get("/v1/deliveries"))["items"]
    assert (delivery["grant_id"], delivery["state"]) == (grant_id, "complete")
    kept = db.session.execute(text("SELECT release_id, content_bytes, content_rows FROM delivery")).one()
    assert tuple(kept) == (goods.release_id, len(BODY), 0)

    again = ask(market.buyer, grant_id)
    assert again.headers["ETag"] == came.headers["ETag"]
    stated = ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))
    assert (stated["total_bytes"], stated["total_requests"]) == (len(BODY), 2)
    assert market.fetch(grant_id).data == goods.content  # the file beside it


def test_conditions_and_ranges_are_not_read_so_that_nobody_guesses_answers_for_nothing(
    market: Market, origin: Origin
) -> None:
    grant_id, _goods = sold(market)
    tag = ask(market.buyer, grant_id).headers["ETag"]
    for condition in ({"If-None-Match": tag}, {"If-None-Match": "*"}, {"Range": "bytes=0-0"}, {"If-Match": '"x"'}):
        came = ask(market.buyer, grant_id, headers=condition)
        assert (came.status_code, came.data) == (200, BODY), condition
    assert ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))["total_requests"] == 5


def test_head_asks_nobody_costs_nothing_and_tells_who_would_be_let_in(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market)
    came = ask(market.buyer, grant_id, method="HEAD")
    assert (came.status_code, came.data) == (200, b"")
    assert "Content-Length" not in came.headers
    assert "ETag" not in came.headers
    assert ask(market.buyer, grant_id, "other", method="HEAD").status_code == 404
    assert ask(market.stranger, grant_id, method="HEAD").status_code == 404
    assert ask(market.buyer, grant_id, method="POST").status_code == 405
    assert (origin.asked, market.usage(grant_id)) == ([], (0, 0))


STRANGE_PATHS = {
    "not offered": "secrets",
    "below what is offered": "stations/1/secrets",
    "the folder itself": "open",
    "dots": "open/../secrets",
    "dots alone": "stations/..",
    "encoded dots": "open/%2e%2e/secrets",
    "twice encoded dots": "open/%252e%252e/secrets",
    "encoded slash": "stations/a%2Fb",
    "backslash": "open/..%5Csecrets",
    "path parameter": "open/..;/secrets",
    "semicolon": "open/a;x=1",
    "full width dots": "open/%EF%BC%8E%EF%BC%8E/secrets",
    "two-dot leader": "open/%E2%80%A5/secrets",
    "question mark": "open/a%3Fadmin=1",
    "fragment": "open/a%23b",
    "another host": "open/@evil.example/..",
    "not UTF-8": "open/%ff",
}


@pytest.mark.parametrize("path", STRANGE_PATHS.values(), ids=STRANGE_PATHS)
def test_no_path_that_is_not_offered_is_asked_for(market: Market, origin: Origin, path: str) -> None:
    grant_id, _goods = sold(market)
    before = row_counts()
    document = refused(ask(market.buyer, grant_id, path), 404, "path-not-offered")
    assert document["paths"] == UPSTREAM["paths"]
    assert (origin.asked, row_counts()) == ([], before)


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [("open/a%0d%0aX-Evil:%201", 404, "not-found"), ("open/a%00", 400, "bad-request")],
    ids=["line break", "NUL"],
)
def test_a_path_with_control_signs_is_no_address(
    market: Market, origin: Origin, path: str, status: int, slug: str
) -> None:
    grant_id, _goods = sold(market)
    before = row_counts()
    refused(ask(market.buyer, grant_id, path), status, slug)
    assert (origin.asked, row_counts()) == ([], before)


def test_a_path_that_is_offered_is_encoded_anew(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market)
    assert ask(market.buyer, grant_id, "open/%E5%A4%A7%E9%80%9A/a%20b@c:d").status_code == 200
    assert origin.asked[0].startswith("GET /v1/open/%E5%A4%A7%E9%80%9A/a%20b%40c%3Ad HTTP/1.1\r\n")


@pytest.mark.parametrize("query", [{"admin": "1"}, {"day": "1", "Day": "2"}, {"limit[]": "1"}], ids=str)
def test_no_parameter_that_is_not_offered_is_sent(market: Market, origin: Origin, query: dict[str, str]) -> None:
    grant_id, _goods = sold(market)
    before = row_counts()
    [strange] = set(query) - {"day"}
    refused(ask(market.buyer, grant_id, query_string=query), 422, "invalid-input", f"/{strange}")
    assert (origin.asked, row_counts()) == ([], before)


def test_an_address_that_grows_too_long_is_refused(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market)
    refused(ask(market.buyer, grant_id, query_string={"day": "大" * 1000}), 422, "invalid-input")
    assert origin.asked == []


def test_only_whoever_has_a_good_grant_for_the_purpose_asks(market: Market, origin: Origin) -> None:
    grant_id, goods = sold(market, "one_off")
    refused(ask(market.nobody, grant_id), 401, "not-authenticated")
    refused(ask(market.stranger, grant_id), 404, "not-found")
    refused(ask(market.provider, grant_id), 403, "insufficient-scope")
    refused(ask(market.buyer.with_scopes("usage:read"), grant_id), 403, "insufficient-scope")
    refused(ask(market.buyer, grant_id, headers={"Musubi-Purpose": "nonsense"}), 422, "purpose-unknown")
    ok(market.provider.post(f"/v1/grants/{grant_id}/revoke", {"reason": "規約違反"}))
    refused(ask(market.buyer, grant_id), 403, "grant-revoked")
    ok(put(market, goods.dataset_id))
    again = market.bought(goods, "free")["grant_id"]
    assert market.provider.call("DELETE", f"/v1/datasets/{goods.dataset_id}/upstream").status_code == 204
    refused(ask(market.buyer, again), 404, "not-found")
    assert market.fetch(again).status_code == 200
    assert (origin.asked, market.usage(grant_id)) == ([], (0, 0))


def test_an_expired_grant_asks_nobody(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market, limits={"duration_days": 1})
    with clock.stopped(clock.now() + timedelta(days=1)):
        market.buyer = market.buyer.with_scopes("data:read", "usage:read")
        refused(ask(market.buyer, grant_id), 403, "grant-expired")
    assert origin.asked == []


def test_a_right_that_ends_while_the_provider_answers_gives_nothing(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market)

    real = proxying._taken

    def revoked(admitted: Any) -> Any:
        taken = real(admitted)
        ok(market.provider.post(f"/v1/grants/{grant_id}/revoke", {"reason": "規約違反"}))
        return taken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proxying, "_taken", revoked)
        refused(ask(market.buyer, grant_id), 403, "grant-revoked")
    assert len(origin.asked) == 1
    assert market.usage(grant_id) == (0, 0)
    assert db.session.scalar(text("SELECT count(*) FROM delivery")) == 0


def test_an_exhausted_quota_asks_nobody(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market, limits={"quota_requests": 2})
    for _ in range(2):
        assert ask(market.buyer, grant_id).status_code == 200
    document = refused(ask(market.buyer, grant_id), 403, "quota-exhausted")
    assert document["requests_left"] == 0
    assert len(origin.asked) == 2


def test_an_answer_larger_than_what_is_left_is_neither_sent_nor_charged(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market, limits={"quota_bytes": len(BODY) - 1})
    refused(ask(market.buyer, grant_id), 403, "quota-exhausted")
    assert (len(origin.asked), market.usage(grant_id)) == (1, (0, 0))


def test_an_empty_answer_costs_nothing(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market)
    origin.respond = answer(b"")
    came = ask(market.buyer, grant_id)
    assert (came.status_code, came.data, market.usage(grant_id)) == (200, b"", (0, 0))


def test_a_minute_has_as_many_requests_as_the_provider_allows(market: Market, origin: Origin) -> None:
    grant_id, goods = sold(market, requests_per_minute=2)
    other = market.bought(goods, "free")["grant_id"]
    start = clock.now().replace(second=15, microsecond=0)
    with clock.stopped(start):
        assert [ask(market.buyer, grant_id).headers["RateLimit"] for _ in range(2)] == [
            '"grant";r=1;t=45',
            '"grant";r=0;t=45',
        ]
        limited = ask(market.buyer, grant_id)
        document = refused(limited, 429, "rate-limited")
        assert (limited.headers["Retry-After"], limited.headers["RateLimit"]) == ("45", '"grant";r=0;t=45')
        assert (limited.headers["RateLimit-Policy"], document["limit"]) == ('"grant";q=2;w=60', 2)
        assert ask(market.buyer, other).status_code == 200  # another grant has a minute of its own
    with clock.stopped(start - timedelta(minutes=1)):
        refused(ask(market.buyer, grant_id), 429, "rate-limited")  # a clock that goes back gives no second minute
    assert len(origin.asked) == 3
    with clock.stopped(start + timedelta(minutes=1)):
        assert ask(market.buyer, grant_id).headers["RateLimit"] == '"grant";r=1;t=45'
    assert ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))["total_requests"] == 3


def endless(peer: socket.socket, _head: str) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        peer.sendall(b"x" * 2**16)


def dripping(piece: bytes, begin: bytes = b"HTTP/1.1 200 OK\r\n") -> Respond:
    """Send for ever, little by little, as fast as it is taken."""

    def respond(peer: socket.socket, _head: str) -> None:
        peer.sendall(begin)
        while True:
            peer.sendall(piece)

    return respond


HOSTILE: dict[str, tuple[Respond, int, str]] = {
    "endless": (endless, 502, "upstream-failed"),
    "shorter than announced": (answer(BODY, length=900), 502, "upstream-failed"),
    "a bomb": (answer(gzip.compress(b" " * 10**6), Content_Encoding="gzip"), 502, "upstream-failed"),
    "redirect inside": (answer(b"", "302 Found", Location="https://169.254.169.254/latest"), 502, "upstream-failed"),
    "moved for good": (answer(b"", "308 Permanent Redirect", Location="https://evil.example/"), 502, "upstream-failed"),
    "part": (answer(BODY, "206 Partial Content", Content_Range="bytes 0-9/100"), 502, "upstream-failed"),
    "its own credentials refused": (answer(b"bad key", "403 Forbidden"), 502, "upstream-failed"),
    "its own rate limit": (answer(b"", "429 Too Many Requests"), 502, "upstream-failed"),
    "broken": (answer(b"Traceback", "500 Internal Server Error"), 502, "upstream-failed"),
    "not there": (answer(b"no", "404 Not Found"), 404, "upstream-found-nothing"),
    "not understood": (answer(b"no", "400 Bad Request"), 422, "upstream-input-refused"),
    "one huge header": (dripping(b"x" * 2**16, b"HTTP/1.1 200 OK\r\nX-Huge: "), 502, "upstream-failed"),
    "headers without end": (dripping(b"X-More: 1\r\n"), 502, "upstream-failed"),
    "no HTTP": (lambda peer, _head: peer.sendall(b"hello\r\n\r\n"), 502, "upstream-failed"),
    "silent": (lambda _peer, _head: None, 502, "upstream-failed"),
}


@pytest.mark.parametrize(("respond", "status", "slug"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_answer_is_a_plain_problem_and_nothing_is_charged_or_held(
    market: Market, origin: Origin, monkeypatch: pytest.MonkeyPatch, respond: Respond, status: int, slug: str
) -> None:
    grant_id, _goods = sold(market, limits={"quota_requests": 1})
    monkeypatch.setattr(proxying, "BYTES_MAX", 10**6)
    origin.respond = respond
    document = refused(ask(market.buyer, grant_id), status, slug)
    assert "Traceback" not in json.dumps(document)
    assert "data.example.jp" not in json.dumps(document)
    assert len(origin.asked) == 1
    assert market.usage(grant_id) == (0, 0)
    held = db.session.execute(
        text("SELECT open_deliveries, used_requests FROM quota WHERE grant_id = :id"), {"id": grant_id}
    )
    assert tuple(held.one()) == (0, 0)
    assert not proxying._under_way
    origin.respond = answer(BODY)
    assert ask(market.buyer, grant_id).data == BODY


SLOW = {
    "not a byte": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "hints without an end": b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
    "half a body of known length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    "half a body that its end would end": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf",
}


@pytest.mark.parametrize("begun", SLOW.values(), ids=SLOW)
def test_a_slow_answer_is_cut_off_wherever_it_is_and_not_taken_for_whole(
    market: Market, origin: Origin, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    grant_id, _goods = sold(market, limits={"quota_requests": 1})
    alarms = alarms_of(monkeypatch)

    def slow(peer: socket.socket, _head: str) -> None:
        peer.sendall(begun)
        [(seconds, cut)] = alarms
        assert seconds == proxying.SECONDS_MAX
        cut()
        assert peer.recv(1) == b""  # the other side is gone

    origin.respond = slow
    refused(ask(market.buyer, grant_id), 504, "upstream-timeout")
    assert market.usage(grant_id) == (0, 0)
    origin.respond = answer(BODY)
    assert ask(market.buyer, grant_id).data == BODY


def alarms_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, Callable[[], None]]]:
    """The deadlines that are set from now on: after how many seconds what is to be done, which the test does."""
    alarms: list[tuple[float, Callable[[], None]]] = []

    class Timer:
        daemon = False

        def __init__(self, seconds: float, deed: Callable[[], None]) -> None:
            self._alarm = (seconds, deed)

        def start(self) -> None:
            alarms.append(self._alarm)

        def cancel(self) -> None:
            return None

    monkeypatch.setattr(outbound, "threading", SimpleNamespace(Timer=Timer, Lock=threading.Lock))
    return alarms


HEADERS: dict[str, Callable[[TestResponse], bool]] = {
    "Content-Type: text/html\r\n X-Evil: 1": lambda came: came.content_type == "application/octet-stream",
    "Content-Type: a\x01b": lambda came: came.content_type == "application/octet-stream",
    "Last-Modified: soon": lambda came: "soon" not in came.headers["Last-Modified"],
    "X-Evil: 1\rSet-Cookie: a=b": lambda came: "Set-Cookie" not in came.headers,
    "Location: https://evil.example/": lambda came: "Location" not in came.headers,
    "Content-Disposition: inline": lambda came: came.headers["Content-Disposition"].startswith("attachment"),
    "Content-Type: text/html": lambda came: came.headers["Content-Security-Policy"].startswith("sandbox"),
}


@pytest.mark.parametrize("field", HEADERS, ids=lambda field: field.partition(":")[0] + str(len(field)))
def test_header_fields_of_the_provider_do_no_harm(market: Market, origin: Origin, field: str) -> None:
    grant_id, _goods = sold(market)

    def respond(peer: socket.socket, _head: str) -> None:
        fields = f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n{field}\r\n\r\n"
        peer.sendall(fields.encode("latin-1") + BODY)

    origin.respond = respond
    came = ask(market.buyer, grant_id)
    assert (came.status_code, came.data) == (200, BODY)
    assert HEADERS[field](came)
    assert "X-Evil" not in came.headers


def test_no_packet_goes_to_an_inside_address(market: Market, origin: Origin) -> None:
    grant_id, _goods = sold(market, base_url="https://inside.example.jp/v1")
    refused(ask(market.buyer, grant_id), 502, "upstream-failed")
    assert (origin.asked, market.usage(grant_id)) == ([], (0, 0))


def test_whoever_comes_while_all_places_are_taken_is_told_to_come_again(market: Market, origin: Origin) -> None:
    grant_id, goods = sold(market)
    with proxying._place(goods.dataset_id), proxying._place(goods.dataset_id):
        busy = ask(market.buyer, grant_id)
        refused(busy, 503, "upstream-busy")
        assert "Retry-After" in busy.headers
    with proxying._place("a"), proxying._place("a"), proxying._place("b"), proxying._place("b"):
        assert ask(market.buyer, grant_id).status_code == 200
        with proxying._place("c"), proxying._place("c"):
            refused(ask(market.buyer, grant_id), 503, "upstream-busy")
    assert len(origin.asked) == 1


def test_headers_sealed_with_another_key_are_a_plain_problem(market: Market, origin: Origin) -> None:
    grant_id, goods = sold(market)
    db.session.execute(text("UPDATE upstream SET headers_sealed = headers_sealed || '\\x00'::bytea"))
    refused(ask(market.buyer, grant_id), 502, "upstream-failed")
    assert origin.asked == []
    ok(put(market, goods.dataset_id))
    assert ask(market.buyer, grant_id).status_code == 200


def test_a_withdrawn_dataset_gets_no_upstream_and_keeps_the_one_it_sold(market: Market, origin: Origin) -> None:
    grant_id, goods = sold(market)
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))
    refused(put(market, goods.dataset_id), 409, "dataset-withdrawn")
    assert ask(market.buyer, grant_id).data == BODY
    assert market.buyer.get(file_path(grant_id, goods.file_name)).status_code == 200
