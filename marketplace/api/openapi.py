"""The OpenAPI 3.1 description of the interface."""

from typing import Any

from flask import Flask
from flask_smorest import Api, Blueprint

from marketplace import __version__
from marketplace.api import rendering
from marketplace.api.parsing import JsonParser
from marketplace.identity.permissions import DELEGABLE, PERMISSIONS, Permission

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


REFUSED = {
    400: "The request cannot be read, or lacks a header field that it needs",
    401: "No access token, or one that is not valid (any more)",
    403: "The token lacks the scope, or the organization the capacity",
    404: "Nothing with this address exists for the caller",
    409: "The present state does not allow this",
    412: "If-Match names another version than the present one",
    413: "The body is too large",
    415: "The body is not in a media type that is read here",
    422: "Fields break a rule; `errors` names each",
    428: "If-Match is missing",
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "a fresh UUID for each deed, and the same again for each retry; kept for 30 days",
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "schema": {"type": "string"},
    "description": "the ETag of the version that is changed",
}

ON_BEHALF_OF = {
    "in": "header",
    "name": "On-Behalf-Of",
    "required": False,
    "schema": {"type": "string"},
    "description": "the organization in whose name the caller acts, which has delegated this to the caller's own",
}


class DescribedBlueprint(Blueprint):  # type: ignore[misc] # flask-smorest is untyped
    """A blueprint that reads JSON strictly, and describes with each operation the problems it may answer with."""

    ARGUMENTS_PARSER = JsonParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(self._prepare_problems_doc)

    def add_url_rule(self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any) -> None:
        """Remember of each route whether it names a thing that may not be there."""
        view_func._apidoc["names_a_thing"] = "<" in rule  # noqa: SLF001 - flask-smorest's hook
        super().add_url_rule(rule, endpoint, view_func, **options)

    def _prepare_problems_doc(self, doc: dict[str, Any], info: dict[str, Any], **_context: Any) -> dict[str, Any]:
        if Permission(info["manual_doc"]["x-permission"]) in DELEGABLE:
            doc.setdefault("parameters", []).append(ON_BEHALF_OF)
        responses = doc.setdefault("responses", {})
        for status in _refusable(doc, info["manual_doc"]) | ({404} if info["names_a_thing"] else set()):
            responses[str(status)] = _problem(REFUSED[status])
            responses.pop(status, None)
        responses["default"] = _problem("Any other failure")
        return doc


def _refusable(doc: dict[str, Any], manual: dict[str, Any]) -> set[int]:
    permission = Permission(manual["x-permission"])
    rule = PERMISSIONS[permission]
    headers = {parameter["name"] for parameter in manual.get("parameters", []) if parameter["in"] == "header"}
    found = {401, 403} if rule.scope else {401}
    if rule.changes:
        found |= {409}
    if "requestBody" in doc or "requestBody" in manual:
        found |= {400, 413, 415, 422}
    if any(isinstance(parameter, dict) and parameter.get("in") == "query" for parameter in doc.get("parameters", [])):
        found |= {422}
    if IDEMPOTENCY_KEY["name"] in headers:
        found |= {400, 422}
    if IF_MATCH["name"] in headers:
        found |= {412, 428}
    return found


def _problem(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}


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
    app.json = rendering.JsonProvider(app)
    api = OurApi(app)
    api.spec.components.schema("Problem", PROBLEM)
    scopes = {rule.scope: rule.meaning for rule in PERMISSIONS.values() if rule.scope}
    flows = {"clientCredentials": {"tokenUrl": f"{base_url}/oauth/token", "scopes": scopes}}
    api.spec.components.security_scheme("oauth2", {"type": "oauth2", "flows": flows})
    api.spec.options["servers"] = [{"url": base_url}]
    return api
