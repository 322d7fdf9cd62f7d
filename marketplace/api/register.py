"""The public register of trades: by month, by dataset, and as feeds. No buyer is named."""

from collections.abc import Callable
from typing import Any

import orjson
from flask import Response, request

from marketplace.api.endpoint import blueprint, guarded
from marketplace.api.schemas import register as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.disclosure import feeds, queries
from marketplace.identity.permissions import Permission
from marketplace.kit import settings
from marketplace.kit.canonical import digest_of

blp = blueprint("register", "/v1/register", "What was traded, for everybody to see; small numbers are hidden.")
ATOM, JSON_FEED = "application/atom+xml", "application/feed+json"


@blp.route("")
@guarded(Permission.REGISTER_READ)
@blp.response(200, schemas.RegisterView)
def list_months() -> Any:
    """List the months that were published last, newest first, with what each comes to."""
    months = queries.list_months()
    return _unless_known(_tag(months), lambda: {"items": [_shown(month) for month in months]})


@blp.route("/feed.json")
@guarded(Permission.REGISTER_READ)
@blp.response(200)
@blp.doc(responses={200: {"description": "JSON Feed 1.1", "content": {JSON_FEED: {}}}})
def read_json_feed() -> Any:
    """Read the months as a JSON Feed; the ETag changes with the next month."""
    return _feed(lambda *told: orjson.dumps(feeds.as_json(*told)), JSON_FEED)


@blp.route("/feed.atom")
@guarded(Permission.REGISTER_READ)
@blp.response(200)
@blp.doc(responses={200: {"description": "Atom (RFC 4287)", "content": {ATOM: {}}}})
def read_atom_feed() -> Any:
    """Read the months as an Atom feed; the ETag changes with the next month."""
    return _feed(feeds.as_atom, f"{ATOM}; charset=utf-8")


@blp.route("/<month>")
@guarded(Permission.REGISTER_READ)
@blp.response(200, schemas.RegisterMonthView)
def read(month: str) -> Any:
    """Read one month, such as 2026-11. It never changes."""
    found = queries.get_month(month)
    return _unless_known(found.sha256, lambda: _shown(found))


@blp.route("/<month>/lines")
@guarded(Permission.REGISTER_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.RegisterLinePage)
def list_lines(query: dict[str, Any], month: str) -> Any:
    """List the datasets that were used in a month: under which terms, by which class of buyers, how much."""
    found = queries.get_month(month)
    page = queries.list_lines(found.month, **query)
    lines = {"items": [line.document for line in page.items], "next_cursor": page.next_cursor}
    return _unless_known(found.sha256, lambda: lines)


def _shown(month: Any) -> dict[str, Any]:
    about = {name: getattr(month, name) for name in ("month", "threshold", "sha256", "published_at")}
    return {**about, **month.document}


def _feed(written: Callable[..., bytes], media_type: str) -> Any:
    months, base_url = queries.list_months(), settings.current().base_url

    def answer() -> Response:
        lines = queries.first_lines(months, feeds.LINES_MAX)
        return Response(written(months, lines, base_url), content_type=media_type)

    return _unless_known(_tag(months), answer)


def _tag(months: Any) -> str:
    # Months never change, so their names and hashes say what a list of them holds.
    return digest_of([[month.month, month.sha256] for month in months])


def _unless_known(tag: str, answer: Any) -> Any:
    headers = {"ETag": f'"{tag}"', "Cache-Control": "public, max-age=300"}
    if request.if_none_match.contains_weak(tag):
        return Response(status=304, headers=headers)
    made = answer()
    if isinstance(made, Response):
        made.headers.update(headers)
        return made
    return made, 200, headers
