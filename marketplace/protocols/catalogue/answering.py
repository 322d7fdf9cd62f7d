"""Answers that are sent once: a validator with each, 304 to who has it already, and long ones as they are written."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from flask import Response, request, stream_with_context
from werkzeug.http import http_date, is_resource_modified

from marketplace import __version__
from marketplace.kit import settings
from marketplace.kit.canonical import digest_of

CHUNK_CHARACTERS = 64 * 1024
# For everybody, from whichever site; asked for anew each time, since what is withdrawn is gone at once.
HEADERS = {
    "Cache-Control": "no-cache",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
Body = bytes | Iterable[str]


def answer(
    media_type: str,
    written: Callable[[], Body],
    about: Any,
    changed_at: datetime | None,
    *,
    alone: bool = False,
) -> Response:
    """Return a document, or 304 to who sends back the validator that it has now.

    ``about`` is all that the document depends on beside the code and the settings. The date decides where one thing
    is told ``alone``: a list may lose its newest member, and would then seem older than it is.
    """
    tag = digest_of([__version__, settings.current().base_url, media_type, about])
    headers = HEADERS | {"ETag": f'"{tag}"'}
    if changed_at is not None:
        headers["Last-Modified"] = http_date(changed_at)
    if not _is_modified(tag, changed_at if alone else None):
        return Response(status=304, headers=headers)
    if request.method == "HEAD":
        return Response(status=200, headers=headers, content_type=media_type)
    body = written()
    sent = body if isinstance(body, bytes) else stream_with_context(_encoded(body))
    return Response(sent, headers=headers, content_type=media_type)


def _is_modified(tag: str, changed_at: datetime | None) -> bool:
    return is_resource_modified(request.environ, etag=tag, last_modified=changed_at, ignore_if_range=True)


def _encoded(pieces: Iterable[str]) -> Iterator[bytes]:
    """Yield many small pieces as few larger ones."""
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK_CHARACTERS:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()
