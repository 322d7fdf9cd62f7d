"""The tools, as they are declared to agents, and the check of what an agent sends them. Pure."""

from collections.abc import Mapping
from typing import Any

from marketplace.delivery.rows.query import OPERATORS
from marketplace.kit.errors import Invalid
from marketplace.kit.ids import is_id

ROWS_MAX, ROWS = 1000, 100
SEARCHED_MAX = 20
Schema = Mapping[str, Any]
_TYPES: dict[str, Any] = {"string": str, "integer": int, "array": list, "object": dict}


def _text(description: str, most: int = 200, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": most, "description": description, **more}


def _id(prefix: str, description: str) -> dict[str, Any]:
    return _text(description, 40, pattern=f"^{prefix}_[0-9a-f]{{32}}$")


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _tool(
    name: str, title: str, description: str, schema: Schema, *, fetches: bool = False, repeatable: bool = True
) -> dict[str, Any]:
    hints = {
        "readOnlyHint": not fetches,
        "destructiveHint": False,
        "idempotentHint": repeatable,
        "openWorldHint": False,
    }
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": schema,
        "annotations": hints | {"title": title},
    }


_DATASET = _id("ds", "id of a dataset")
_FILE = _text("name of a file of the release, as describe tells it", 255)
_RELEASE = _id("rel", "id of a release; the newest when absent")
_WHERE = _object(
    {
        "column": _text("name of a column", 1000),
        "operator": {"type": "string", "enum": list(OPERATORS), "description": "how the value compares"},
        "value": {"description": "of the column's type; a list for in, absent for is_null and not_null"},
    },
    "column",
    "operator",
)
_ORDER = _object(
    {
        "column": _text("name of a column", 1000),
        "direction": {"type": "string", "enum": ["asc", "desc"], "description": "asc when absent"},
    },
    "column",
)
_VALUES = {"type": "array", "items": _text("a value as facets count it"), "maxItems": 50}

TOOLS: tuple[dict[str, Any], ...] = (
    _tool(
        "search",
        "Search the catalogue / カタログを検索",
        "Find datasets by words in Japanese or English and by facets. Answers ids, titles, publishers, formats and"
        " price classes, the facets with their counts, and next_cursor.",
        _object(
            {
                "words": _text("words to look for; the newest come first when absent", 500),
                "filters": {
                    "type": "object",
                    "additionalProperties": _VALUES,
                    "description": "facet to values, such as {theme: [transport_tourism], price_class: [free]}",
                },
                "size": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": SEARCHED_MAX,
                    "description": "how many; 10 when absent",
                },
                "cursor": _text("next_cursor of the answer before", 1000),
            }
        ),
    ),
    _tool(
        "describe",
        "Describe a dataset / データセットの説明",
        "Tell what a dataset is: description, publisher, releases with their files and columns, offers with prices.",
        _object({"dataset_id": _DATASET}, "dataset_id"),
    ),
    _tool(
        "read_terms",
        "Read the terms / 利用条件を読む",
        "Read the terms under which a dataset is offered, in Japanese and English, by the terms_id of an offer.",
        _object({"terms_id": _id("trm", "terms_id of an offer")}, "terms_id"),
    ),
    _tool(
        "quote",
        "Quote a price / 見積り",
        "Tell what ordering an offer costs today with tax, and how usage is charged. Nothing is ordered: people order.",
        _object({"offer_id": _id("ofr", "id of an offer")}, "offer_id"),
    ),
    _tool(
        "sample",
        "Sample rows / 見本の行",
        "Show the sample rows of a file that everybody may see, masked where they may tell of people. It is free.",
        _object({"dataset_id": _DATASET, "file_name": _FILE, "release_id": _RELEASE}, "dataset_id", "file_name"),
    ),
    _tool(
        "grants",
        "List grants / 利用権の一覧",
        "List what the caller's organization may fetch: grants with their files, and what is left of the budget for"
        " agents. Needs an access token with the scope data:read.",
        _object({"dataset_id": _DATASET}),
    ),
    _tool(
        "fetch",
        "Fetch rows / 行を取得",
        "Fetch rows of a table under a grant that the caller's organization has. They are metered and may cost money,"
        " within the bytes and yen a day that a person of the organization has set for agents. The same page again is"
        " charged once. Needs an access token with the scope data:read.",
        _object(
            {
                "grant_id": _id("grt", "id of a grant, as grants tells it"),
                "file_name": _FILE,
                "release_id": _RELEASE,
                "columns": {
                    "type": "array",
                    "items": _text("name of a column", 1000),
                    "minItems": 1,
                    "maxItems": 1000,
                    "description": "all columns when absent",
                },
                "where": {"type": "array", "items": _WHERE, "maxItems": 50, "description": "all must hold"},
                "order": {"type": "array", "items": _ORDER, "maxItems": 10},
                "limit": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": ROWS_MAX,
                    "description": f"rows; {ROWS} when absent",
                },
                "cursor": _text("next_cursor of the page before", 500),
            },
            "grant_id",
            "file_name",
        ),
        fetches=True,
    ),
    _tool(
        "fetch_file",
        "Fetch a whole file / ファイル全体を取得",
        "Get an address under which one whole file of a grant is fetched by GET, without a token: within 60 seconds,"
        " and from then on with ranges, as often as it breaks, for 15 minutes. Its bytes, and what it may cost, are"
        " taken from the budget for agents at once, also if nothing is fetched. Keep the address secret. Needs an"
        " access token with the scope data:read.",
        _object(
            {"grant_id": _id("grt", "id of a grant, as grants tells it"), "file_name": _FILE, "release_id": _RELEASE},
            "grant_id",
            "file_name",
        ),
        fetches=True,
        repeatable=False,
    ),
)
SCHEMAS: dict[str, Schema] = {tool["name"]: tool["inputSchema"] for tool in TOOLS}


def check(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that are not as a tool declares them; raises Invalid, pointing at each fault."""
    faults: list[dict[str, str]] = []
    _check(SCHEMAS[name], arguments, "", faults)
    if faults:
        raise Invalid(errors=faults[:20])


def _check(schema: Schema, value: Any, at: str, faults: list[dict[str, str]]) -> None:
    kind = schema.get("type")
    if kind is None:
        return
    if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
        faults.append({"pointer": at, "detail": f"must be of type {kind}"})
    elif kind == "object":
        _check_members(schema, value, at, faults)
    elif kind == "array":
        _check_size(schema, len(value), "Items", at, faults)
        for place, one in enumerate(value[: schema.get("maxItems", len(value))]):
            _check(schema.get("items", {}), one, f"{at}/{place}", faults)
    elif kind == "string":
        _check_text(schema, value, at, faults)
    elif not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        faults.append({"pointer": at, "detail": f"must be {schema.get('minimum')} to {schema.get('maximum')}"})


def _check_members(schema: Schema, value: Mapping[str, Any], at: str, faults: list[dict[str, str]]) -> None:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    missing = [name for name in schema.get("required", ()) if name not in value]
    faults += [{"pointer": f"{at}/{name}", "detail": "is missing"} for name in missing]
    for name, one in value.items():
        if name in known or isinstance(others, dict):
            _check(known.get(name, others), one, f"{at}/{name[:100]}", faults)
        else:
            faults.append({"pointer": f"{at}/{name[:100]}", "detail": "is not known here"})


def _check_text(schema: Schema, value: str, at: str, faults: list[dict[str, str]]) -> None:
    _check_size(schema, len(value), "Length", at, faults)
    if "enum" in schema and value not in schema["enum"]:
        faults.append({"pointer": at, "detail": f"must be one of {', '.join(schema['enum'])}"})
    # Patterns are those of ids alone, which begin with their prefix.
    if "pattern" in schema and not (is_id(value) and value.startswith(schema["pattern"][1:].partition("[")[0])):
        faults.append({"pointer": at, "detail": "has not the form of such an id"})


def _check_size(schema: Schema, size: int, of: str, at: str, faults: list[dict[str, str]]) -> None:
    least, most = schema.get(f"min{of}", 0), schema.get(f"max{of}", size)
    if not least <= size <= most:
        faults.append({"pointer": at, "detail": f"may be {least} to {most} long"})
