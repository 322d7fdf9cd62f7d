"""The verifier opens what a permit says and nothing else, and counts no byte that did not go out."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from marketplace.origin import verifier as shipped
from marketplace.origin.verifier import Refused, Sent, Verifier

CONTENT = bytes(range(100))
NOW = 1_000_000
ORIGIN, ISSUER = "https://data.example.jp", "https://exchange.example.jp"
PATH = "/人流/2026.csv"
KEY, STRANGER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
KEY.ensure_kid()
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "aud": ORIGIN, "jti": "dlv_1", "iat": NOW, "exp": NOW + 60, "grant_id": "grt_1", "sha256": "0f" * 32,
    "size_bytes": len(CONTENT), "path": quote(PATH), "range": None,
}  # fmt: skip


def files(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """A server of one file, in pieces of ten bytes, that knows one form of ranges."""
    seen.append(environ)
    if "HTTP_RANGE" in environ:
        first, last = environ["HTTP_RANGE"].removeprefix("bytes=").split("-")
        body = CONTENT[int(first) : int(last) + 1]
        start_response("206 Partial Content", [("Content-Length", str(len(body)))])
    else:
        body = CONTENT
        start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body[at : at + 10] for at in range(0, len(body), 10)]


seen: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


@pytest.fixture
def time() -> list[float]:
    """The time, to be changed."""
    return [float(NOW)]


def verifier_of(app: Any, time: list[float]) -> Verifier:
    jwks = {"keys": [KEY.as_dict(private=False) | {"use": "sig", "alg": "ES256"}]}
    return Verifier(app, origin=ORIGIN, issuer=ISSUER, jwks=jwks, now=lambda: time[0])


@pytest.fixture
def verifier(time: list[float]) -> Verifier:
    return verifier_of(files, time)


def permit(key: ECKey = KEY, typ: str = shipped.TYPE, **changes: Any) -> str:
    header = {"alg": "ES256", "typ": typ, "kid": KEY.kid}
    return jws.serialize_compact(header, json.dumps(CLAIMS | changes).encode(), key, ["ES256"])


def part(start: int, length: int) -> dict[str, int]:
    return {"start_byte": start, "length": length}


def environ(token: str, path: str = PATH, **more: str) -> dict[str, Any]:
    """What a WSGI server tells of a request; paths come as Latin-1 there."""
    told = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path.encode().decode("latin-1")}
    return told | {"QUERY_STRING": f"permit={token}"} | more


def sent(bytes_sent: int, *, complete: bool) -> Sent:
    return Sent("dlv_1", bytes_sent, complete)


def answered(verifier: Verifier, asked: dict[str, Any]) -> tuple[str, bytes]:
    """Status and body of an answer that is read to its end."""
    told: list[str] = []
    body = b"".join(verifier(asked, lambda status, _headers: told.append(status)))
    return told[0][:3], body


def test_a_permit_opens_its_file_and_is_counted_when_no_more_can_come(verifier: Verifier, time: list[float]) -> None:
    assert answered(verifier, environ(permit())) == ("200", CONTENT)
    assert verifier.take_ended() == []
    time[0] += 60
    assert verifier.take_ended() == [sent(len(CONTENT), complete=True)]
    assert verifier.take_ended() == []


def test_the_app_behind_sees_neither_permit_nor_conditions(verifier: Verifier) -> None:
    token = permit()
    answered(verifier, environ(token, HTTP_IF_RANGE='"other"', HTTP_RANGE="bytes=0-9", HTTP_IF_NONE_MATCH="*"))
    assert token not in str(seen[0])
    assert not {"HTTP_IF_RANGE", "HTTP_IF_NONE_MATCH", "HTTP_RANGE"} & set(seen[0])


def test_a_permit_of_a_range_opens_that_range(verifier: Verifier, time: list[float]) -> None:
    asked = environ(permit(range=part(5, 20)), HTTP_RANGE="bytes=5-24")
    assert answered(verifier, asked) == ("206", CONTENT[5:25])
    time[0] += 60
    assert verifier.take_ended() == [sent(20, complete=True)]


REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "none": (lambda: environ(permit()) | {"QUERY_STRING": ""}, "one permit"),
    "two": (lambda: environ(f"{permit()}&permit={permit()}"), "one permit"),
    "nonsense": (lambda: environ("a.b.c"), "not signed"),
    "forged": (lambda: environ(permit(STRANGER)), "not signed"),
    "changed": (lambda: environ(f"{permit()[:-8]}AAAAAAAA"), "not signed"),
    "unsigned": (lambda: environ(permit().rpartition(".")[0] + "."), "not signed"),
    "long": (lambda: environ(permit(more="x" * 5000)), "too long"),
    "a receipt": (lambda: environ(permit(typ="musubi-receipt+jwt")), "no permit"),
    "a token": (lambda: environ(permit(typ="at+jwt")), "no permit"),
    "expired": (lambda: environ(permit(exp=NOW)), "expired"),
    "another origin": (lambda: environ(permit(aud="https://other.example.jp")), "another origin"),
    "another exchange": (lambda: environ(permit(iss="https://other.example.jp")), "another exchange"),
    "another path": (lambda: environ(permit(), "/人流/2025.csv"), "another path"),
    "a longer path": (lambda: environ(permit(), f"{PATH}/x"), "another path"),
    "encoded twice": (lambda: environ(permit(path=quote(quote(PATH)))), "another path"),
    "another range": (lambda: environ(permit(range=part(0, 10)), HTTP_RANGE="bytes=0-10"), "another range"),
    "no range": (lambda: environ(permit(range=part(0, 10))), "another range"),
    "several": (lambda: environ(permit(range=part(0, 10)), HTTP_RANGE="bytes=0-4,5-9"), "another range"),
    "an empty range": (lambda: environ(permit(range=part(0, 10)), HTTP_RANGE="bytes=-"), "another range"),
    "post": (lambda: environ(permit(), REQUEST_METHOD="POST"), "a GET"),
    "head": (lambda: environ(permit(), REQUEST_METHOD="HEAD"), "a GET"),
}


@pytest.mark.parametrize(("asked", "why"), REFUSED.values(), ids=REFUSED)
def test_what_no_permit_opens_is_refused_and_reaches_nothing(
    verifier: Verifier, time: list[float], asked: Callable[[], dict[str, Any]], why: str
) -> None:
    status, body = answered(verifier, asked())
    assert (status, why in body.decode()) == ("403", True), body
    assert seen == []
    time[0] += 3600
    assert verifier.take_ended() == []


@pytest.mark.parametrize(
    ("field", "span"),
    [
        ("bytes=0-", (0, 100)), ("bytes=40-", (40, 60)), ("bytes=-7", (93, 7)), ("bytes=-500", (0, 100)),
        ("bytes=90-999", (90, 10)), ("bytes=3-3", (3, 1)),
    ],
)  # fmt: skip
def test_a_range_may_be_written_in_every_way(verifier: Verifier, field: str, span: tuple[int, int]) -> None:
    assert verifier.permit_of(environ(permit(range=part(*span)), HTTP_RANGE=field))["jti"] == "dlv_1"
    with pytest.raises(Refused):
        verifier.permit_of(environ(permit(range=part(span[0], span[1] + 1)), HTTP_RANGE=field))


def test_what_broke_off_counts_what_went_out_and_the_longest_of_several(verifier: Verifier, time: list[float]) -> None:
    for pieces in (3, 5, 2):
        body = iter(verifier(environ(permit()), lambda *_told: None))
        for _ in range(pieces):
            next(body)
        if pieces == 5:
            time[0] += 60
            assert verifier.take_ended() == []  # one of its requests still runs
            time[0] -= 60
        body.close()  # type: ignore[attr-defined] # a generator
    time[0] += 60
    # The last piece that was given out may never have arrived.
    assert verifier.take_ended() == [sent(40, complete=False)]


def test_an_error_of_the_app_is_passed_on_and_counts_nothing(time: list[float]) -> None:
    def missing(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("404 Not Found", [])
        return [b"no such file" * 100]

    verifier = verifier_of(missing, time)
    assert answered(verifier, environ(permit())) == ("404", b"no such file" * 100)
    time[0] += 60
    assert verifier.take_ended() == [sent(0, complete=False)]


def test_an_app_that_knows_no_ranges_gives_out_nothing(time: list[float]) -> None:
    def all_of_it(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [CONTENT]

    verifier = verifier_of(all_of_it, time)
    with pytest.raises(RuntimeError, match="answered 200 where the permit says 206"):
        answered(verifier, environ(permit(range=part(5, 20)), HTTP_RANGE="bytes=5-24"))
    time[0] += 60
    assert verifier.take_ended() == [sent(0, complete=False)]


def test_a_file_that_has_grown_is_cut_where_the_permit_ends(time: list[float]) -> None:
    verifier = verifier_of(files, time)
    assert answered(verifier, environ(permit(size_bytes=15))) == ("200", CONTENT[:15])


def test_keys_that_the_exchange_replaces_are_trusted_when_they_are_given(verifier: Verifier) -> None:
    STRANGER.ensure_kid()
    token = jws.serialize_compact({"alg": "ES256", "typ": shipped.TYPE, "kid": STRANGER.kid}, json.dumps(CLAIMS).encode(), STRANGER, ["ES256"])  # fmt: skip
    assert answered(verifier, environ(token))[0] == "403"
    verifier.trust({"keys": [STRANGER.as_dict(private=False), KEY.as_dict(private=False)]})
    assert answered(verifier, environ(token))[0] == "200"
    assert answered(verifier, environ(permit()))[0] == "200"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, "204"), ({"HTTP_RANGE": "bytes=0-4"}, "403"), ({"HTTP_X_ORIGINAL_METHOD": "POST"}, "403"),
        ({"HTTP_X_ORIGINAL_URI": "/other"}, "403"),
    ],
)  # fmt: skip
def test_nginx_is_told_yes_with_the_delivery_or_no(verifier: Verifier, asked: dict[str, str], status: str) -> None:
    told: list[Any] = []
    original = {"HTTP_X_ORIGINAL_URI": f"{quote(PATH)}?permit={permit()}", "HTTP_X_ORIGINAL_METHOD": "GET"}
    list(verifier.answer_auth_request(original | asked, lambda *said: told.extend(said)))
    assert told[0][:3] == status
    assert (("X-Delivery", "dlv_1") in told[1]) == (status == "204")


def test_it_is_one_file_that_runs_where_nothing_of_ours_is(tmp_path: Path) -> None:
    copy = tmp_path / "verifier.py"
    copy.write_bytes(Path(shipped.__file__).read_bytes())
    code = "import sys, verifier; sys.exit(any(name.startswith('marketplace') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=180, check=False).returncode == 0
