"""Asking a CKAN site page by page, and reading its answers: pure functions (Action API version 3)."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from marketplace.catalog.harvesting.errors import SourceUnreadable
from marketplace.catalog.harvesting.rules import Record
from marketplace.catalog.harvesting.states import HarvestProblem

ROWS = 100
NAMES = 1_000
NAMES_MAX = 2_000_000
_PRIVATE = {"private", "draft", "deleted"}
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """What package_search answered: some records, and how many there are in all."""

    records: list[Record]
    total: int
    newest: str


def search_address(base: str, start: int, rows: int, since: str | None) -> str:
    """Return where the next records are, in an order that does not change; with ``since`` those changed after it.

    Both ends of the range are included: what changed within the same instant is not missed, and what comes twice is
    known by its content.
    """
    asked: dict[str, Any] = {"q": "*:*", "rows": rows, "start": start, "sort": "id asc"}
    if since:
        asked |= {"fq": f"metadata_modified:[{since}Z TO *]", "sort": "metadata_modified asc, id asc"}
    return f"{base}/api/3/action/package_search?{urlencode(asked)}"


def names_address(base: str, offset: int, limit: int) -> str:
    """Return where the names of the records are."""
    return f"{base}/api/3/action/package_list?limit={limit}&offset={offset}"


def show_address(base: str, name: str) -> str:
    """Return where one record is."""
    return f"{base}/api/3/action/package_show?id={quote(name, safe='')}"


def read_search(body: bytes) -> SearchPage:
    """Read the answer of package_search; raises SourceUnreadable."""
    result = _result(body)
    if not isinstance(result, dict) or not isinstance(result.get("results"), list):
        raise SourceUnreadable(HarvestProblem.UNREADABLE, "package_search has no results")
    total = result.get("count")
    records = [record_of(package) for package in result["results"] if isinstance(package, dict)]
    newest = max((modified_of(record.package) for record in records), default="")
    return SearchPage(records, total if type(total) is int and total >= 0 else len(records), newest)


def read_names(body: bytes) -> list[str]:
    """Read the answer of package_list; raises SourceUnreadable."""
    result = _result(body)
    if not isinstance(result, list):
        raise SourceUnreadable(HarvestProblem.UNREADABLE, "package_list is no list")
    return [name for name in result if isinstance(name, str) and name]


def read_show(body: bytes) -> Record:
    """Read the answer of package_show; raises SourceUnreadable."""
    result = _result(body)
    if not isinstance(result, dict):
        raise SourceUnreadable(HarvestProblem.UNREADABLE, "package_show has no record")
    return record_of(result)


def record_of(package: dict[str, Any], size_bytes: int = 0) -> Record:
    """Return a package as a record; what it lacks is for whoever takes it over to refuse."""
    return Record(_word(package.get("id")), _word(package.get("name")), package, size_bytes)


def is_public(package: dict[str, Any]) -> bool:
    """Tell whether a package is public where it comes from."""
    return package.get("private") is not True and package.get("state") not in _PRIVATE


def modified_of(package: dict[str, Any]) -> str:
    """Return when a record changed last, as the catalogue writes it: without a zone, in UTC; "" where it says none."""
    found = _INSTANT.match(_word(package.get("metadata_modified")))
    return found[0] if found else ""


def _result(body: bytes) -> Any:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SourceUnreadable(HarvestProblem.UNREADABLE, f"no JSON: {error}") from error
    if not isinstance(answer, dict) or answer.get("success") is not True:
        raise SourceUnreadable(HarvestProblem.UNREADABLE, "the action did not succeed")
    return answer.get("result")


def _word(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
