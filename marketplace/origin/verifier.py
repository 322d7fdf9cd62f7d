"""Permits of a Musubi exchange, verified offline in front of a provider's own WSGI server, with what it sent counted.

One file without an import but joserfc, to be copied. ``app`` sends files and knows ranges (RFC 9110 section 14).
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

TYPE, ALGORITHM, LENGTH_MAX = "musubi-permit+jwt", "ES256", 4096
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
JUDGED = ("HTTP_IF_RANGE", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")
WHOLE, PART = "200", "206"


class Refused(Exception):
    """A request without a permit that holds for it; the message says why."""


class Sent(NamedTuple):
    """What to report of a delivery: ``POST /v1/deliveries/{delivery_id}/report``."""

    delivery_id: str
    bytes_sent: int
    complete: bool


class Verifier:
    """WSGI middleware that passes on what a permit of the exchange ``issuer`` opens at ``origin``, and nothing else.

    ``origin`` is as buyers write it (``https://data.example.jp``), ``jwks`` what ``/oauth/jwks.json`` answered: fetch
    that every few minutes and give it to ``trust``, so that a new key of the exchange is soon known.
    """

    def __init__(self, app: Any, *, origin: str, issuer: str, jwks: Any, now: Callable[[], float] = time.time) -> None:
        self._app, self._origin, self._issuer, self._now = app, origin, issuer, now
        self._lock = threading.Lock()
        self._counted: dict[str, list[Any]] = {}  # by delivery: expiry, requests running, most bytes, all of them
        self.trust(jwks)

    def trust(self, jwks: Any) -> None:
        """Take these keys for the exchange's from now on."""
        self._keys = KeySet.import_key_set(jwks)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer what the permit opens, or 403 with the reason."""
        try:
            permit = self.permit_of(environ)
        except Refused as refused:
            return _refuse(start_response, str(refused))
        return self._sent(permit, _as_permitted(environ, permit), start_response)

    def answer_auth_request(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer nginx's ``auth_request`` as a WSGI app of its own: 204 with the delivery's id, or 403.

        It reads ``X-Original-URI`` and ``X-Original-Method``. What was sent is nginx's to tell, in its log.
        """
        path, _, query = environ.get("HTTP_X_ORIGINAL_URI", "").partition("?")
        asked = {
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "HTTP_RANGE": environ.get("HTTP_RANGE", ""),
        }
        try:
            permit = self.permit_of(asked | {"REQUEST_METHOD": environ.get("HTTP_X_ORIGINAL_METHOD")})
        except Refused as refused:
            return _refuse(start_response, str(refused))
        if permit["range"] is None and asked["HTTP_RANGE"]:
            return _refuse(start_response, "the permit is for all, and nginx would send a part")
        start_response("204 No Content", [("X-Delivery", permit["jti"])])
        return []

    def permit_of(self, environ: dict[str, Any]) -> dict[str, Any]:
        """Return the claims of a permit that holds for this request now; raises Refused."""
        query = [value for name, value in parse_qsl(environ.get("QUERY_STRING", "")) if name == "permit"]
        if environ.get("REQUEST_METHOD") != "GET" or len(query) != 1:
            raise Refused("a GET with one permit is needed")
        permit = self._signed(query[0])
        path = (
            (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1").decode(errors="replace")
        )
        if (permit["iss"], permit["aud"]) != (self._issuer, self._origin):
            raise Refused("the permit is of another exchange or for another origin")
        if permit["exp"] <= self._now():
            raise Refused("the permit has expired")
        if unquote(permit["path"]) != path:
            raise Refused("the permit is for another path")
        if permit["range"] is not None and _span(environ.get("HTTP_RANGE", ""), permit["size_bytes"]) != _of(permit):
            raise Refused("the permit is for another range")
        return permit

    def _signed(self, token: str) -> dict[str, Any]:
        if len(token) > LENGTH_MAX:
            raise Refused("the permit is too long")
        try:
            signed = jws.deserialize_compact(token, self._keys, algorithms=[ALGORITHM])
            permit: dict[str, Any] = json.loads(signed.payload)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Refused("the permit is not signed by the exchange") from error
        # The same keys sign other statements and tokens: a receipt opens nothing.
        if signed.protected.get("typ") != TYPE:
            raise Refused("this is no permit")
        return permit

    def _sent(self, permit: dict[str, Any], environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        """Yield the body, never more than permitted, and count a piece when the next is asked for: it has gone out."""
        status = ""

        def started(line: str, headers: Any, exc_info: Any = None) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

        body = self._app(environ, started)
        length, counts, sent = _of(permit)[1], WHOLE if permit["range"] is None else PART, 0
        self._begin(permit)
        try:
            for piece in body:
                # An app that knows no ranges would send all, or other bytes.
                if status in {WHOLE, PART} and status != counts:
                    raise RuntimeError(f"the app answered {status} where the permit says {counts}")
                allowed = piece[: length - sent] if status == counts else piece
                yield allowed
                sent += len(allowed) if status == counts else 0
        finally:
            self._end(permit["jti"], sent, length)
            getattr(body, "close", lambda: None)()

    def _begin(self, permit: dict[str, Any]) -> None:
        with self._lock:
            self._counted.setdefault(permit["jti"], [permit["exp"], 0, 0, False])[1] += 1

    def _end(self, delivery_id: str, sent: int, length: int) -> None:
        with self._lock:
            counted = self._counted[delivery_id]
            counted[1:] = [counted[1] - 1, max(counted[2], sent), counted[3] or sent == length]

    def take_ended(self) -> list[Sent]:
        """Return, once, what was sent of the deliveries of which no more can come: the longest of their requests."""
        with self._lock:
            over = [
                key for key, (expiry, running, *_) in self._counted.items() if expiry <= self._now() and not running
            ]
            return [Sent(key, *self._counted.pop(key)[2:]) for key in over]


def _refuse(start_response: Any, why: str) -> Iterable[bytes]:
    start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Cache-Control", "no-store")])
    return [f"{why}\n".encode()]


def _as_permitted(environ: dict[str, Any], permit: dict[str, Any]) -> dict[str, Any]:
    """Ask the app for the bytes of the permit; conditions were judged by the exchange, by its own entity tags."""
    kept = {name: value for name, value in environ.items() if name not in JUDGED} | {"QUERY_STRING": ""}
    if permit["range"] is None:
        kept.pop("HTTP_RANGE", None)
    return kept


def _of(permit: dict[str, Any]) -> tuple[int, int]:
    part = permit["range"]
    return (0, permit["size_bytes"]) if part is None else (part["start_byte"], part["length"])


def _span(field: str, size: int) -> tuple[int, int] | None:
    """Return which bytes, start and length, one range of a file of that size is (RFC 9110 section 14.1.2)."""
    found = RANGE.fullmatch(field.strip())
    if not found or found[0] == "bytes=-":
        return None
    if not found[1]:
        start = max(0, size - int(found[2]))
        return start, size - start
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    return int(found[1]), last - int(found[1]) + 1
