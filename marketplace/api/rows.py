"""Pages of rows of the tables that a grant opens."""

from typing import Any

from flask import Response, current_app, request

from marketplace.api import streams
from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas.rows import RowQuery
from marketplace.exchange import rows
from marketplace.identity.permissions import Permission

blp = blueprint("rows", "/v1/grants", "Filtered and projected pages of the tables that a grant opens.")
_OF_TYPE = {media_type.partition(";")[0]: name for name, media_type in rows.MEDIA_TYPES.items()}
_PAGE = {
    "type": "object",
    "required": ["release_id", "columns", "rows", "next_cursor"],
    "properties": {
        "release_id": {"type": "string"},
        "columns": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
            },
        },
        "rows": {"type": "array", "items": {"type": "object"}},
        "next_cursor": {"type": ["string", "null"]},
    },
}


@blp.route("/<grant_id>/files/<name>/rows", methods=["POST"])
@guarded(Permission.FILES_FETCH)
@blp.arguments(RowQuery)
@blp.doc(
    responses={
        "200": {
            "description": "A page of rows",
            "headers": {
                "Next-Cursor": {"description": "the cursor of the next page", "schema": {"type": "string"}},
            },
            "content": {media_type: {} for media_type in _OF_TYPE} | {"application/json": {"schema": _PAGE}},
        },
    },
)
def read(asked: dict[str, Any], grant_id: str, name: str) -> Response:
    """Read a page of rows by a structured query. Charged are the bytes and rows of pages that arrive, each page once.

    ``Next-Cursor``, which is ``next_cursor`` in JSON, leads to the next page of the same query; the last has none.
    """
    wanted = asked | {"format": asked.get("format") or _accepted()}
    page = rows.open_page(actor(), grant_id, name, wanted, dict(request.headers.items()))
    response = streams.respond(current_app, page.answer)
    if page.next_cursor:
        response.headers["Next-Cursor"] = page.next_cursor
    return response


def _accepted() -> str:
    return _OF_TYPE[request.accept_mimetypes.best_match(list(_OF_TYPE), "application/json")]
