"""Rows as CKAN's datastore gives them: metered like every page of rows, under a grant that opens the file."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from marketplace.delivery.rows.columns import Column
from marketplace.exchange import browsing, datastore
from marketplace.exchange.datastore import Opened
from marketplace.exchange.rows import Envelope, Page, Sheet
from marketplace.identity.actors import Actor
from marketplace.kit import settings
from marketplace.kit.errors import NotFound
from marketplace.protocols.ckan import asking, packages
from marketplace.protocols.ckan.refusals import help_url

ROWS = 100
_PATH = "/api/3/action/datastore_search"
_TYPES = {
    "boolean": "bool",
    "long": "int8",
    "double": "numeric",
    "date": "date",
    "timestamp_ntz": "timestamp",
    "timestamp": "timestamptz",
    "time": "time",
    "string": "text",
}
_READ: dict[str, Any] = {"long": int, "double": float, "boolean": lambda said: {"true": True, "false": False}[said]}


def search(actor: Actor, asked: Mapping[str, Any], headers: Mapping[str, str]) -> Page | dict[str, Any]:
    """Read rows of a table: ``filters``, ``fields``, ``sort``, ``limit`` and ``offset``.

    They are charged once to the grant of the caller's organization that opens the file. With ``limit=0`` nothing is
    delivered, and the answer tells the fields alone.
    """
    identifier = asking.identifier(asked, "resource_id", "id")
    opened = _open(actor, identifier)
    limit = asking.whole(asked, "limit", ROWS, settings.current().row_page_rows_max)
    skip = asking.whole(asked, "offset", 0)
    _refuse_unread(asked)
    filters = asking.mapping(asked, "filters")
    told = {"resource_id": identifier, "limit": limit, "offset": skip, "filters": filters}
    if not limit:
        whole = opened.rows_total if not filters else None
        return told | {"fields": fields(opened.columns), "records": [], "total": whole or 0}
    wanted = {"where": _where(filters, opened), "limit": limit, "skip": skip, "order": _order(asked)}
    if columns := asking.words(asked, "fields", by_comma=True):
        wanted["columns"] = columns
    return datastore.read(actor, opened, wanted, headers, _envelope(told, asked))


def info(identifier: str, columns: Sequence[Column], file: Mapping[str, Any]) -> dict[str, Any]:
    """Return what datastore_info tells of a table."""
    profile = file.get("profile") or {}
    meta = {"id": identifier, "count": profile.get("rows"), "size": file["size_bytes"], "table_type": "BASE TABLE"}
    return {"meta": meta | {"db_size": None, "idx_size": 0, "aliases": []}, "fields": fields(columns)}


def fields(columns: Sequence[Column]) -> list[dict[str, str]]:
    """Return columns with the types of PostgreSQL that CKAN names."""
    return [{"id": column.name, "type": _TYPES.get(column.kind, "text")} for column in columns]


def _open(actor: Actor, identifier: str) -> Opened:
    for release_id in browsing.releases_like(packages.stem_of(identifier) or ""):
        name = packages.file_in(identifier, release_id, datastore.file_names(release_id))
        if name is not None:
            return datastore.open_table(actor, release_id, name)
    raise NotFound


def _refuse_unread(asked: Mapping[str, Any]) -> None:
    if asked.get("q"):
        raise asking.fault("q", "Full text search is not offered; use filters")
    if asking.yes(asked, "distinct"):
        raise asking.fault("distinct", "Not offered")
    if asking.text(asked, "records_format") not in {"", "objects"}:
        raise asking.fault("records_format", "Must be objects")


def _where(filters: Mapping[str, Any], opened: Opened) -> list[dict[str, Any]]:
    kinds = {column.name: column.kind for column in opened.columns}
    found = []
    for name, value in filters.items():
        if name not in kinds:
            raise asking.fault("filters", f"The table has no column {name[:100]!r}")
        found.append(_condition(name, value, kinds[name]))
    return found


def _condition(name: str, value: Any, kind: str) -> dict[str, Any]:
    if value is None:
        return {"column": name, "operator": "is_null"}
    if isinstance(value, list):
        return {"column": name, "operator": "in", "value": [_typed(one, kind) for one in value]}
    return {"column": name, "operator": "eq", "value": _typed(value, kind)}


def _typed(value: Any, kind: str) -> Any:
    """Return a value of the column's kind where it is said as a text, which is all that GET can send."""
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or kind not in _READ:
        return value
    try:
        return _READ[kind](value.strip().lower())
    except (ValueError, KeyError, OverflowError):
        return value  # the query says what is wrong with it


def _order(asked: Mapping[str, Any]) -> list[dict[str, str]]:
    found = []
    for one in asking.words(asked, "sort", by_comma=True):
        name, _, direction = one.rpartition(" ")
        if direction.lower() not in {"asc", "desc"}:
            name, direction = one, "asc"
        found.append({"column": name.strip().strip('"'), "direction": direction.lower()})
    return found


def _envelope(told: dict[str, Any], asked: Mapping[str, Any]) -> Envelope:
    """Return what puts rows into CKAN's answer; the same page of the same query is the same bytes."""
    at = help_url("datastore_search")

    def enveloped(sheet: Sheet) -> bytes:
        counted = told["offset"] + sheet.count
        is_whole = not told["filters"] and sheet.rows_total is not None
        total = sheet.rows_total if is_whole else counted + (1 if sheet.next_cursor else 0)
        shown = {
            "include_total": asking.yes(asked, "include_total", default=True),
            "records_format": "objects",
            "fields": fields(sheet.columns),
            "_links": _links(told, asked),
            "total": total,
            "total_was_estimated": not is_whole and sheet.next_cursor is not None,
        }
        result = json.dumps(told | shown, ensure_ascii=False)[:-1].encode(errors="replace")
        begins = json.dumps({"help": at, "success": True})[:-1].encode()
        return begins + b', "result": ' + result + b', "records": ' + sheet.rows + b"}}"

    return enveloped


def _links(told: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, str]:
    same = {"resource_id": told["resource_id"], "limit": told["limit"]}
    same |= {name: value for name in ("fields", "sort") if isinstance(value := asked.get(name), str)}
    if told["filters"]:
        same["filters"] = json.dumps(told["filters"], ensure_ascii=False)
    following = told["offset"] + told["limit"]
    return {"start": f"{_PATH}?{urlencode(same)}", "next": f"{_PATH}?{urlencode(same | {'offset': following})}"}
