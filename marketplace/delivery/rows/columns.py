"""The columns of a table as its profile tells them: the only names that a query may use. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.catalog.tabular import is_tabular, typing
from marketplace.delivery.rows.errors import NotTabular

OPAQUE = "opaque"
_STORED = {
    "boolean": "boolean",
    "integer": "long",
    "decimal": "double",
    "date": "date",
    "datetime": "timestamp_ntz",
    "time": "time",
    "string": "string",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its place in the file; ``kind`` is how its values compare, ``spelling`` how its texts are written.

    Kinds are the types of ``catalog.tabular``, and besides ``time`` and ``opaque`` (binary or nested values of
    Parquet, which can be shown and not compared).
    """

    name: str
    kind: str
    place: int
    spelling: str | None = None


def columns_of(profile: Mapping[str, Any] | None) -> tuple[Column, ...]:
    """Return the columns that a profile describes, each under a name of its own; raises NotTabular."""
    if not profile or not is_tabular(dict(profile)):
        raise NotTabular
    names = typing.unique([column["name"] for column in profile["columns"]])
    return tuple(
        Column(name, _kind(profile, column), place, column.get("format"))
        for place, (name, column) in enumerate(zip(names, profile["columns"], strict=True))
    )


def _kind(profile: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    if profile["format"] == "parquet":
        kind = _STORED.get(column["type"], OPAQUE)
        return "timestamp" if "tz=" in column.get("stored_type", "") and kind == "timestamp_ntz" else kind
    # What was not read to its end may hold anything further down, and texts are always right.
    return str(typing.planned(dict(column))["type"]) if profile.get("complete") else "string"
