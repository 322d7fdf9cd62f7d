"""The addresses of CKAN's Action API under ``/api/3/action`` and ``/api/action``."""

import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from marketplace.exchange.download import Answer
from marketplace.exchange.rows import Page
from marketplace.identity.permissions import Permission
from marketplace.protocols.ckan import actions, asking, datastore, refusals
from marketplace.protocols.ckan.endpoint import actor, guarded
from marketplace.protocols.ckan.refusals import NoCall

RESPOND = "marketplace.protocols.ckan.respond"
Respond = Callable[[Flask, Answer], Response]
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
blp = Blueprint("ckan", __name__, url_prefix="/api")
refusals.register(blp)


def attach(app: Flask, respond: Respond) -> None:
    """Give the application the protocol; ``respond`` hands the body of a metered delivery to the server."""
    app.extensions[RESPOND] = respond
    app.register_blueprint(blp)


@blp.get("/3")
@guarded(Permission.CATALOG_READ)
def version() -> Response:
    """Tell which version of the interface this is."""
    return _json({"version": 3})


@blp.route("/action/datastore_search", methods=["GET", "POST"])
@blp.route("/3/action/datastore_search", methods=["GET", "POST"])
@guarded(Permission.FILES_FETCH)
def datastore_search() -> Response:
    """Read rows of a table, charged to the grant of the caller's that opens it."""
    found = datastore.search(actor(), _asked(), dict(request.headers.items()))
    if not isinstance(found, Page):
        return _succeeded(found)
    respond: Respond = current_app.extensions[RESPOND]
    response = respond(current_app, found.answer)
    response.headers["Content-Type"] = refusals.CONTENT_TYPE
    response.headers["Cache-Control"] = "private, no-store"
    return response


@blp.route("/action/<action>", methods=["GET", "POST"])
@blp.route("/3/action/<action>", methods=["GET", "POST"])
@guarded(Permission.CATALOG_READ)
def call(action: str) -> Response:
    """Call one of the actions that everybody may call."""
    return _succeeded(actions.call(action, _asked()))


def _asked() -> dict[str, Any]:
    """Return the parameters of a call, from wherever they are; raises NoCall."""
    if request.method == "GET":
        return asking.flat(list(request.args.items(multi=True)))
    data = request.get_data()
    # Whoever sends JSON without saying so sends it as a form.
    if request.mimetype in _FORMS and not data.lstrip().startswith(b"{"):
        return asking.flat(list(request.form.items(multi=True)))
    return _decoded(data)


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise NoCall("JSON Error: Error decoding JSON data.") from error
    if not isinstance(found, dict):
        raise NoCall("Bad request - JSON Error: Request data JSON decoded to something that is not a dictionary.")
    return found


def _succeeded(result: Any) -> Response:
    return _json({"help": refusals.help_url(), "success": True, "result": result})


def _json(document: dict[str, Any]) -> Response:
    # What is told back of what was asked may hold half a sign (a lone surrogate), which UTF-8 does not have.
    body = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    return Response(body, content_type=refusals.CONTENT_TYPE)
