"""Mounting the catalogue's formats on an application, and leading who asks a page for one of them to its address."""

from typing import Final

from flask import Flask, Response, redirect, request

from marketplace.protocols.catalogue import beside, finding, routes
from marketplace.protocols.catalogue.site import FORMATS

PAGE = "text/html"
SEARCH: Final = "web_catalog.search"
DATASET: Final = "web_catalog.show"
_BY_TYPE = {media_type: suffix for suffix, media_type in FORMATS.items()}
_FEED = {"application/atom+xml": "atom"}


def attach(app: Flask) -> None:
    """Give the application the formats; the pages of the catalogue answer for them by content negotiation."""
    for blueprint in (routes.blp, beside.blp, finding.blp):
        app.register_blueprint(blueprint)
    app.before_request(_negotiate)
    app.jinja_env.globals.update(structured_data=beside.structured_data, alternates=beside.alternates)


def _negotiate() -> Response | None:
    """Lead who would rather read RDF than a page to the document about the same (303, RFC 9110 section 15.4.4).

    Whether there is such a dataset is left to that address to say.
    """
    if request.endpoint not in {SEARCH, DATASET} or request.method not in {"GET", "HEAD"}:
        return None
    there = _BY_TYPE | (_FEED if request.endpoint == SEARCH else {})
    wanted = request.accept_mimetypes.best_match([PAGE, *there], PAGE)
    if wanted == PAGE:
        return None
    response = redirect(f"{request.path}.{there[wanted]}", 303)
    response.vary.add("Accept")
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response  # type: ignore[return-value] # werkzeug's own class of the same
