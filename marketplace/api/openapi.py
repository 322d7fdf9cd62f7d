"""The OpenAPI 3.1 description of the interface."""

from typing import Any

from flask import Flask
from flask_smorest import Api

from marketplace import __version__
from marketplace.identity.permissions import PERMISSIONS

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details. `type` is a page with cause and cure.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "cure": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


class OurApi(Api):  # type: ignore[misc] # flask-smorest is untyped
    """flask-smorest without its own error bodies: every failure is a problem (marketplace.api.problems)."""

    def _register_error_handlers(self, **_kwargs: Any) -> None:
        """Leave the handlers to marketplace.api.problems."""


def describe(app: Flask, base_url: str) -> Api:
    """Attach the description to the application; blueprints are added by the caller."""
    app.config.update(
        API_TITLE="Musubi data exchange",
        API_VERSION=f"v1 ({__version__})",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = OurApi(app)
    api.spec.components.schema("Problem", PROBLEM)
    scopes = {rule.scope: rule.meaning for rule in PERMISSIONS.values() if rule.scope}
    flows = {"clientCredentials": {"tokenUrl": f"{base_url}/oauth/token", "scopes": scopes}}
    api.spec.components.security_scheme("oauth2", {"type": "oauth2", "flows": flows})
    api.spec.options["servers"] = [{"url": base_url}]
    return api
