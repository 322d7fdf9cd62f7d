"""The record as a transparency log: what everybody may see of it, in the form that other people's programs read."""

from http import HTTPStatus
from typing import Any

from flask import Flask, Response
from marshmallow import Schema, fields

from marketplace.api.endpoint import blueprint, guarded
from marketplace.api.schemas.base import Instant
from marketplace.audit import checkpoints, service, tiles
from marketplace.audit.adopted import queries as adopted
from marketplace.audit.adopted import receipts
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import NotFound

blp = blueprint("transparency", "/audit", "The record as a transparency log (C2SP tlog-tiles): hashes, signed.")
DEEDS = "Musubi-Audit-Id"
"""The header field of an answer that names the entries of the deeds which the request has done."""

CHECKPOINT_SECONDS = 1
TILE_SECONDS = 365 * 24 * 3600
_TEXT, _BYTES = "text/plain", "application/octet-stream"


class LogKeyView(Schema):
    """A key that checkpoints were signed with, in the form of C2SP signed-note."""

    vkey = fields.String(required=True)
    first_used_at = Instant(required=True)


def register(app: Flask) -> None:
    """Have every answer name the deeds that stand behind it."""

    @app.after_request
    def tell(response: Response) -> Response:
        if response.status_code < HTTPStatus.BAD_REQUEST and (deeds := service.written()):
            response.headers[DEEDS] = ", ".join(deeds)
        return response


@blp.route("/checkpoint")
@guarded(Permission.SYSTEM_READ)
@blp.doc(responses={"200": {"description": "A signed note (C2SP tlog-checkpoint)", "content": {_TEXT: {}}}})
def read_checkpoint() -> Response:
    """Fetch the newest checkpoint: name, size and root of the tree, under the signatures of log and witnesses."""
    checkpoint = checkpoints.latest()
    if checkpoint is None:
        raise NotFound
    answer = Response(checkpoints.written(checkpoint), mimetype=_TEXT)
    answer.cache_control.public = True
    answer.cache_control.max_age = CHECKPOINT_SECONDS
    return answer


@blp.route("/adopted/<adopted_id>/checkpoint")
@guarded(Permission.SYSTEM_READ)
@blp.doc(responses={"200": {"description": "A signed note (C2SP tlog-checkpoint)", "content": {_TEXT: {}}}})
def read_adopted_checkpoint(adopted_id: str) -> Response:
    """Fetch the last checkpoint of a log that this exchange has taken over from a former operator."""
    return Response(receipts.note_of(adopted.get_record(adopted_id)), mimetype=_TEXT)


@blp.route("/tile/<path:tile_path>")
@guarded(Permission.SYSTEM_READ)
@blp.doc(responses={"200": {"description": "Up to 256 hashes of 32 bytes", "content": {_BYTES: {}}}})
def read_tile(tile_path: str) -> Response:
    """Fetch a tile of the tree: hashes of complete subtrees, at LEVEL/INDEX as C2SP tlog-tiles writes them."""
    return _tile(tile_path, public=True)


@blp.route("/tile/entries/<path:tile_path>")
@guarded(Permission.AUDIT_READ)
@blp.doc(responses={"200": {"description": "Up to 256 entries, each after its length", "content": {_BYTES: {}}}})
def read_entries(tile_path: str) -> Response:
    """Fetch up to 256 entries as their leaves commit to them, each after its length in two bytes."""
    return _tile(f"entries/{tile_path}", public=False)


@blp.route("/keys")
@guarded(Permission.SYSTEM_READ)
@blp.response(200, LogKeyView(many=True))
def read_keys() -> Any:
    """Read every key that checkpoints were ever signed with. Trust those that somebody else has told you as well."""
    return checkpoints.list_keys()


def _tile(path: str, *, public: bool) -> Response:
    tile = tiles.read_path(path)
    body = tiles.content(tile) if tile is not None and (tile.level is None) is not public else None
    if body is None:
        raise NotFound
    answer = Response(body, mimetype=_BYTES)
    answer.cache_control.max_age = TILE_SECONDS
    answer.cache_control.immutable = True
    if public:
        answer.cache_control.public = True
    else:
        answer.cache_control.private = True
    return answer
