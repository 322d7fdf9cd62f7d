"""The public catalogue: reading and searching, by anybody."""

from typing import Any

from flask import Response, request

from marketplace.api.endpoint import blueprint, guarded, visitor
from marketplace.api.schemas import catalog as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog import narrowing
from marketplace.exchange import announcing, discovery, showcase
from marketplace.identity.permissions import Permission

blp = blueprint("catalog", "/v1/catalog", "The public catalogue.")


@blp.route("")
@guarded(Permission.CATALOG_READ)
@blp.arguments(schemas.CatalogQuery, location="query")
@blp.response(200, schemas.CatalogPage)
def search(query: dict[str, Any]) -> dict[str, Any]:
    """Search in Japanese or English; without words, the newest come first.

    `planned` has announced datasets (要旨) that are found beside: not to be bought yet, and counted nowhere else.
    """
    filters, cursor, size = narrowing.filters_in(query), query.get("cursor"), query.get("size", 20)
    if query["planned"] == "only":
        planned = announcing.planned(visitor(), query["q"], filters, cursor, size)
        return {"items": [], "facets": {}, "total": 0, "next_cursor": planned["next_cursor"], "planned": planned}
    found = discovery.search(visitor(), query["q"], filters, cursor, size, explain=query["explain"])
    beside = query["planned"] == "beside" and cursor is None
    return found | ({"planned": announcing.planned(visitor(), query["q"], filters)} if beside else {})


@blp.route("/suggestions")
@guarded(Permission.CATALOG_READ)
@blp.arguments(schemas.SuggestionQuery, location="query")
@blp.response(200, schemas.SuggestionList)
def suggest(query: dict[str, Any]) -> dict[str, Any]:
    """Say how what is typed may go on, written or in kana; without words, the most frequent tags."""
    return {"items": discovery.suggest(visitor(), query["q"], query["size"])}


@blp.route("/<dataset_id>")
@guarded(Permission.CATALOG_READ)
@blp.response(200)
def read(dataset_id: str) -> Any:
    """Read everything about a dataset that one sees: description, releases, profiles, previews, offers.

    One sees what is listed to everybody, and to the groups that one is in.

    ETag changes with the document; whoever sends it back in If-None-Match is spared an unchanged one.
    """
    listed = discovery.read_listing(visitor(), dataset_id)
    version = f"{listed.updated_at:%Y%m%dT%H%M%S%f}"
    kept = "private, no-cache" if listed.document.get("audience") else "no-cache"
    headers = {"ETag": f'"{version}"', "Cache-Control": kept}
    if request.if_none_match.contains_weak(version):
        return Response(status=304, headers=headers)
    return showcase.as_of_now(listed.document), 200, headers


@blp.route("/<dataset_id>/releases/<release_id>/files")
@guarded(Permission.CATALOG_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.PublicFilePage)
def list_files(query: dict[str, Any], dataset_id: str, release_id: str) -> Any:
    """List all files of a public release by name; the dataset's own document has the first of them."""
    return discovery.list_files(visitor(), dataset_id, release_id, **query)
