"""Cursors of pages of rows: where the last page ended, bound to grant, content and query by a tag of our own."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass

from marketplace.delivery.rows.query import Query
from marketplace.kit import canonical, installation_key, pages

_PURPOSE = "cursors of rows"
_TAG_BYTES = 16
_WHOLE = re.compile(r"[A-Za-z0-9_-]{24,400}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """The last row of a page: its number in the file, and of which release the file was."""

    release_id: str
    row: int


def written(place: Place, grant_id: str, sha256: str, query: Query) -> str:
    """Return the cursor of what follows a row; the same place gives the same cursor."""
    body = json.dumps([place.release_id, place.row]).encode()
    return base64.urlsafe_b64encode(_tag(body, grant_id, sha256, query) + body).decode().rstrip("=")


def release_of(cursor: str) -> str:
    """Return the release that a cursor speaks of, before it is known whether it may; raises Invalid."""
    return _opened(cursor)[1].release_id


def read(cursor: str, grant_id: str, sha256: str, query: Query) -> Place:
    """Return the place in a cursor that we wrote for this grant, content and query; raises Invalid for any other."""
    tag, place = _opened(cursor)
    body = json.dumps([place.release_id, place.row]).encode()
    if not hmac.compare_digest(tag, _tag(body, grant_id, sha256, query)):
        raise pages.broken_cursor()
    return place


def _opened(cursor: str) -> tuple[bytes, Place]:
    if not _WHOLE.fullmatch(cursor):
        raise pages.broken_cursor()
    try:
        whole = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        release_id, row = json.loads(whole[_TAG_BYTES:])
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise pages.broken_cursor() from error
    if not isinstance(release_id, str) or type(row) is not int:
        raise pages.broken_cursor()
    return whole[:_TAG_BYTES], Place(release_id, row)


def _tag(body: bytes, grant_id: str, sha256: str, query: Query) -> bytes:
    asked = {
        "place": body.decode(),
        "grant": grant_id,
        "content": sha256,
        "columns": [column.name for column in query.shown],
        "where": [[one.place, one.operator, *one.values] for one in query.where],
        "order": [[one.place, one.is_descending] for one in query.order],
    }
    key = installation_key.derived(_PURPOSE)
    return hmac.new(key, canonical.canonical_json(asked), hashlib.sha256).digest()[:_TAG_BYTES]
