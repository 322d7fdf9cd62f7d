"""Conditional and range requests for one file, decided in the order of RFC 9110 section 13.2.2. Pure.

The decision is complete: status, which bytes, and every header field that the answer needs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketplace.delivery import headers as fields
from marketplace.delivery import http_dates, ranges

_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ETAG_LIST = re.compile(r'[ \t,]*(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t,]*|$))+')


@dataclass(frozen=True, slots=True)
class Decision:
    """What to answer: a status, ``length`` bytes of the file from ``start`` on, and all header fields.

    ``length`` counts the bytes of the body, so it is 0 for HEAD, 304, 412 and 416; Content-Length in
    ``headers`` is what the client is told.
    """

    status: int
    start: int
    length: int
    headers: dict[str, str]


def evaluate(
    method: str,
    headers: Mapping[str, str],
    etag: str,
    last_modified: datetime,
    size: int,
    *,
    media_type: str = fields.OPAQUE,
    file_name: str = "download",
) -> Decision:
    """Decide the answer to ``method`` (GET or HEAD) for the file whose SHA-256 in hex is ``etag``.

    ``headers`` are the request's, in any case; ``last_modified`` is when the release was published.
    Any other method that gets here may meet preconditions too, and then sees 412 instead of 304.
    """
    file = fields.Representation(etag, size, last_modified, media_type, file_name)
    asked = {name.lower(): value for name, value in headers.items()}
    reads = method in {"GET", "HEAD"}
    if _must_fail(asked, file):
        return Decision(412, 0, 0, fields.without_body(file))
    if _is_known(asked, file, reads):
        return Decision(304, 0, 0, fields.unchanged(file)) if reads else Decision(412, 0, 0, fields.without_body(file))
    if method == "HEAD":
        return Decision(200, 0, 0, fields.whole(file))
    return _with_range(method, asked, file)


def _with_range(method: str, asked: dict[str, str], file: fields.Representation) -> Decision:
    field = asked.get("range")
    if method == "GET" and field is not None and _range_applies(asked.get("if-range"), file):
        span = ranges.select(field, file.size_bytes)
        if isinstance(span, ranges.Span):
            return Decision(206, span.start, span.length, fields.partial(file, span))
        if span is not None:
            return Decision(416, 0, 0, fields.beyond(file))
    return Decision(200, 0, file.size_bytes, fields.whole(file))


def _must_fail(asked: dict[str, str], file: fields.Representation) -> bool:
    """Take steps 1 and 2: If-Match, or else If-Unmodified-Since."""
    if "if-match" in asked:
        return not _names(asked["if-match"], file, weak=False)
    since = http_dates.parse(asked.get("if-unmodified-since"))
    return since is not None and file.modified_at > since


def _is_known(asked: dict[str, str], file: fields.Representation, reads: bool) -> bool:
    """Take steps 3 and 4: If-None-Match, or else If-Modified-Since for GET and HEAD."""
    if "if-none-match" in asked:
        return _names(asked["if-none-match"], file, weak=True)
    since = http_dates.parse(asked.get("if-modified-since"))
    return reads and since is not None and file.modified_at <= since


def _names(field: str, file: fields.Representation, *, weak: bool) -> bool:
    """Whether the field is ``*`` or lists our entity tag, compared weakly or strongly (section 8.8.3.2)."""
    if field.strip() == "*":
        return True
    if not _ETAG_LIST.fullmatch(field):
        return False
    return any(tag == file.sha256 and (weak or not mark) for mark, tag in _ETAG.findall(field))


def _range_applies(if_range: str | None, file: fields.Representation) -> bool:
    """Take step 5: no If-Range, or one that names exactly this file; a weak tag never does (13.1.5)."""
    if if_range is None:
        return True
    value = if_range.strip()
    if tag := _ETAG.fullmatch(value):
        return not tag[1] and tag[2] == file.sha256
    # Exact, not "not newer": an earlier or later date speaks of another file.
    return http_dates.parse(value) == file.modified_at
