"""What a client asks for: pages, versions, formats and hints, read as strictly as the protocol says."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from marketplace.access.shares import SharedFile
from marketplace.kit import clock, pages
from marketplace.kit.errors import Invalid
from marketplace.protocols.delta_sharing.refusals import NotAsAgreed

RESULTS_MAX = 500
REFRESHED_WITHIN = PAGED_WITHIN = timedelta(days=1)
PARQUET, DELTA = "parquet", "delta"
_VERSION_MAX = 2**63 - 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a client can read: ``format`` is what it is given, ``end`` whether it wants a last line that ends all."""

    format: str
    end: bool


def capabilities(header: str | None) -> Capabilities:
    """Read the header ``delta-sharing-capabilities``; Parquet, which every client reads, wherever it is among them."""
    said: dict[str, list[str]] = {}
    for part in (header or "").lower().split(";"):
        name, _, values = part.partition("=")
        said[name.strip()] = [value.strip() for value in values.split(",")]
    formats = said.get("responseformat", [PARQUET])
    chosen = next((name for name in (PARQUET, DELTA) if name in formats), None)
    if chosen is None:
        raise NotAsAgreed(f"responseformat must be parquet or delta, not {','.join(formats)}.")
    return Capabilities(chosen, said.get("includeendstreamaction") == ["true"])


def page(query: Mapping[str, str]) -> tuple[int, str]:
    """Return how many results are wanted, 0 to 500, and after which key; raises NotAsAgreed."""
    most = query.get("maxResults", str(RESULTS_MAX))
    if not (most.isascii() and most.isdigit() and int(most[:9]) <= RESULTS_MAX and len(most) <= 9):
        raise NotAsAgreed(f"Acceptable values of 'maxResults' are 0 to {RESULTS_MAX}, inclusive.")
    return int(most), _after(query.get("pageToken"))


def _after(token: str | None) -> str:
    try:
        key = pages.decode_cursor(token, 1)
    except Invalid as error:
        raise NotAsAgreed("Invalid page token.") from error
    return str(key[0]) if key else ""


def cut(items: Sequence[T], size: int, after: str, key: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
    """Return the items that follow a key, as many as are wanted, and the token of what follows them."""
    rest = [item for item in items if key(item) > after]
    if len(rest) <= size:
        return rest, None
    return rest[:size], pages.encode_cursor([key(rest[size - 1]) if size else after])


@dataclass(frozen=True, slots=True)
class Since:
    """The versions of which a query wants what they did to the files of a table, and which page of that.

    ``said`` stands for all that pages of one query have in common.
    """

    start: int
    end: int | None
    said: str
    page_token: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The version of a table that a query asks for, or its versions since one, and what it wants to be told at the end.

    ``size`` is how many files it takes at once.
    """

    version: int | None
    timestamp: datetime | None
    with_refresh_token: bool
    size: int | None = None
    since: Since | None = None


def query(body: Mapping[str, Any], table: str) -> Wanted:
    """Read the body of a query; hints are checked and not followed, which the protocol leaves to the server."""
    named = [name for name in ("version", "timestamp", "startingVersion") if body.get(name) is not None]
    if len(named) > 1:
        raise NotAsAgreed("Please only provide one of: version,timestamp,startingVersion.")
    if named and body.get("refreshToken") is not None:
        raise NotAsAgreed("refreshToken must not come with version, timestamp or startingVersion.")
    _check_hints(body)
    since, size = _since(body), _number(body, "maxFiles")
    timestamp, refreshed = _text(body, "timestamp"), _text(body, "refreshToken")
    version = _refreshed(refreshed, table) if refreshed is not None else _number(body, "version")
    at = instant(timestamp) if timestamp else None
    return Wanted(version, at, body.get("includeRefreshToken") is True, size, since)


def _since(body: Mapping[str, Any]) -> Since | None:
    start, end, page_token = _number(body, "startingVersion"), _number(body, "endingVersion"), _text(body, "pageToken")
    if start is None:
        if page_token is not None:
            raise NotAsAgreed("Invalid page token.")  # a version is one file and one page: none was handed out
        return None
    if body.get("includeRefreshToken") is True:
        raise NotAsAgreed("includeRefreshToken must not come with startingVersion.")
    if end is not None and start > end:
        raise NotAsAgreed(f"startingVersion({start}) must be smaller than or equal to endingVersion({end}).")
    said = [start, end, *(body.get(name) for name in ("predicateHints", "jsonPredicateHints", "limitHint"))]
    return Since(start, end, _digest(said), page_token)


def _digest(said: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _check_hints(body: Mapping[str, Any]) -> None:
    hints = body.get("predicateHints")
    if hints is not None and not (isinstance(hints, list) and all(isinstance(hint, str) for hint in hints)):
        raise NotAsAgreed("predicateHints must be a list of strings.")
    _text(body, "jsonPredicateHints")
    _number(body, "limitHint")
    if _number(body, "maxFiles") == 0:
        raise NotAsAgreed("maxFiles must be positive.")


def _number(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value > _VERSION_MAX:
        raise NotAsAgreed(f"{name} must be a whole number.")
    if value < 0:
        raise NotAsAgreed("table version cannot be negative." if name == "version" else f"{name} cannot be negative.")
    return value


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise NotAsAgreed(f"{name} must be a string.")
    return value


def refresh_token(version: int, table: str) -> str:
    """Return what asks for new addresses of the same version of the same table, within a day."""
    return pages.encode_cursor([version, table.casefold(), int((clock.now() + REFRESHED_WITHIN).timestamp())])


def _refreshed(token: str, table: str) -> int:
    try:
        version, of, until = pages.decode_cursor(token, 3) or (None, None, None)
    except Invalid as error:
        raise NotAsAgreed("Invalid refresh token.") from error
    if type(version) is not int or not 0 <= version <= _VERSION_MAX or type(until) is not int or of != table.casefold():
        raise NotAsAgreed("Invalid refresh token.")
    if clock.now().timestamp() >= until:
        raise NotAsAgreed("The refresh token has expired. Please restart the query.")
    return version


def page_token(since: Since, table: str, end: int, after: int, versions: Sequence[SharedFile]) -> str:
    """Return what asks for the files that follow the first so many, of the same versions of the same table."""
    until = int((clock.now() + PAGED_WITHIN).timestamp())
    return pages.encode_cursor([after, end, table.casefold(), _same(since, end, versions), until])


def _same(since: Since, end: int, versions: Sequence[SharedFile]) -> str:
    # Grants that open another release meanwhile may number those that follow anew.
    return _digest([since.said, *(file.release_id for file in versions[max(since.start - 1, 0) : end + 1])])


def _page(since: Since, table: str, versions: Sequence[SharedFile]) -> tuple[int, int]:
    try:
        after, end, of, same, until = pages.decode_cursor(since.page_token, 5) or [None] * 5
    except Invalid as error:
        raise NotAsAgreed("Invalid page token.") from error
    if any(type(number) is not int for number in (after, end, until)) or after < 0 or of != table.casefold():
        raise NotAsAgreed("Invalid page token.")
    if clock.now().timestamp() >= until:
        raise NotAsAgreed("The page token has expired. Please restart the query.")
    if not since.start <= end < len(versions) or same != _same(since, end, versions):
        raise NotAsAgreed(
            "Query parameter mismatch: the query, and the versions of the table in it, must be those of the page"
            " before. Please restart the query."
        )
    return end, after


def instant(text: str) -> datetime:
    """Read a timestamp as ISO 8601 writes it, in UTC where it names no offset; raises NotAsAgreed."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotAsAgreed(f"Invalid timestamp: {text[:100]} is not written as ISO 8601 says.") from error


def version_of(wanted: Wanted, versions: Sequence[SharedFile]) -> int:
    """Return which of a table's versions is meant, the newest where none is named; raises NotAsAgreed."""
    latest = len(versions) - 1
    if wanted.timestamp is not None:
        return _version_at(wanted.timestamp, versions)
    if wanted.version is not None and wanted.version > latest:
        raise NotAsAgreed(
            f"Cannot time travel Delta table to version {wanted.version}. Available versions: [0, {latest}]."
        )
    return latest if wanted.version is None else wanted.version


def changes(asked: Mapping[str, str], versions: Sequence[SharedFile]) -> tuple[int, int]:
    """Return the first and the last version of which changes are asked, both included; raises NotAsAgreed.

    A last version that is not there yet is the newest.
    """
    latest = len(versions) - 1
    start = _edge(asked, "starting", lambda at: version_since(at, versions))
    if start is None:
        raise NotAsAgreed("No startingVersion or startingTimestamp provided for CDF read.")
    _check_start(start, latest)
    end = _edge(asked, "ending", lambda at: _version_at(at, versions))
    end = latest if end is None else min(end, latest)
    if end < start:
        raise NotAsAgreed(f"CDF range from start {start} to end {end} was invalid. End cannot be before start.")
    return start, end


def _check_start(start: int, latest: int) -> None:
    if start > latest:
        raise NotAsAgreed(
            f"Provided Start version({start}) for reading change data is invalid. "
            f"Start version cannot be greater than the latest version of the table({latest})."
        )


def since(wanted: Since, table: str, versions: Sequence[SharedFile]) -> tuple[int, int]:
    """Return the last version that a query for files goes to, and how many files the pages before told.

    Raises NotAsAgreed. What is published between two pages is left to the next query.
    """
    latest = len(versions) - 1
    _check_start(wanted.start, latest)
    if wanted.end is not None and wanted.end > latest:
        raise NotAsAgreed(
            f"Provided end version({wanted.end}) is invalid. "
            f"End version cannot be greater than the latest version of the table({latest})."
        )
    if wanted.page_token is not None:
        return _page(wanted, table, versions)
    return latest if wanted.end is None else wanted.end, 0


def _edge(asked: Mapping[str, str], word: str, at: Callable[[datetime], int]) -> int | None:
    number, timestamp = asked.get(f"{word}Version"), asked.get(f"{word}Timestamp")
    if number is not None and timestamp is not None:
        raise NotAsAgreed(f"Multiple {word} arguments provided for CDF read.")
    if timestamp is not None:
        return at(instant(timestamp))
    if number is None:
        return None
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise NotAsAgreed(f"Invalid {word}Version: {number[:20]} is no version, which is a whole number from 0 on.")
    return int(number)


def _version_at(at: datetime, versions: Sequence[SharedFile]) -> int:
    before = [number for number, file in enumerate(versions) if file.published_at <= at]
    if not before:
        raise NotAsAgreed(
            f"The provided timestamp ({clock.text(at)}) is before the earliest version available to this table"
            f" ({clock.text(versions[0].published_at)}). Please use a timestamp greater than or equal to that."
        )
    return before[-1]


def version_since(at: datetime, versions: Sequence[SharedFile]) -> int:
    """Return the first version from an instant on; raises NotAsAgreed where there is none."""
    after = [number for number, file in enumerate(versions) if file.published_at >= at]
    if not after:
        raise NotAsAgreed(
            f"The provided timestamp ({clock.text(at)}) is after the latest version available to this table"
            f" ({clock.text(versions[-1].published_at)}). Please use a timestamp less than or equal to that."
        )
    return after[0]
