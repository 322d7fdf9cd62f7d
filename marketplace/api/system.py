"""Whether the exchange lives, and whether it can trade."""

from typing import Any

from flask import current_app
from marshmallow import Schema, fields

from marketplace import __version__
from marketplace.api.endpoint import blueprint, guarded
from marketplace.identity.permissions import Permission
from marketplace.kit import health
from marketplace.kit.errors import Unavailable

blp = blueprint("system", "/v1", "Health and readiness.")


class HealthView(Schema):
    """The process answers."""

    status = fields.String(required=True)
    version = fields.String(required=True)


class ReadyView(HealthView):
    """The process and all it needs answer."""

    schema_revision = fields.String(required=True)


@blp.route("/health")
@guarded(Permission.SYSTEM_READ)
@blp.response(200, HealthView)
def read_health() -> dict[str, Any]:
    """Say that the process answers."""
    return {"status": "ok", "version": __version__}


@blp.route("/ready")
@guarded(Permission.SYSTEM_READ)
@blp.response(200, ReadyView)
def read_ready() -> dict[str, Any]:
    """Say whether database, schema and store are in order; 503 when they are not."""
    trouble = health.trouble(current_app.config["MUSUBI_SETTINGS"].store_dir)
    if trouble:
        raise Unavailable(trouble)
    return {"status": "ok", "version": __version__, "schema_revision": health.revision()}
