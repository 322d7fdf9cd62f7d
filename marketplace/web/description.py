"""The OpenAPI description, arranged for reading: operations by tag, schemas by name."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

EXTENSION = "marketplace.description"
METHODS = ("get", "post", "put", "patch", "delete")
REFERENCE = "#/components/schemas/"
Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type in words; ``schema`` names the schema that describes it further."""

    text: str
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a schema, or one parameter of an operation (then ``place`` says where it stands)."""

    name: str
    kind: Kind
    required: bool
    note: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response that an operation may give."""

    status: str
    meaning: str
    media_type: str
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    anchor: str
    method: str
    path: str
    summary: str
    text: str
    permission: str
    scopes: list[str]
    parameters: list[Field]
    bodies: list[tuple[str, Kind]]
    answers: list[Answer]


class Description:
    """The description of an application, read once when somebody first asks for it."""

    def __init__(self, describe: Callable[[], Node]) -> None:
        self._describe = describe

    @functools.cached_property
    def document(self) -> Node:
        """Return the OpenAPI document."""
        return self._describe()

    @functools.cached_property
    def tags(self) -> list[tuple[str, str, list[Operation]]]:
        """Return name, description and operations of each subject, in the order of the document."""
        operations = [*self._operations()]
        return [
            (tag["name"], tag.get("description", ""), [one for name, one in operations if name == tag["name"]])
            for tag in self.document["tags"]
        ]

    @functools.cached_property
    def schemas(self) -> list[tuple[str, str, list[Field]]]:
        """Return name, description and fields of each schema that an operation reaches, by name."""
        known = self.document["components"]["schemas"]
        used = _reached(known, self.document["paths"])
        return [(name, known[name].get("description", ""), _fields(known[name])) for name in sorted(used)]

    def _operations(self) -> Iterator[tuple[str, Operation]]:
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    tag = (item[method].get("tags") or [""])[0]
                    yield tag, _operation(path, method, item[method], item.get("parameters", []))


def current() -> Description:
    """Return the description of the current application."""
    return cast("Description", current_app.extensions[EXTENSION])


def _operation(path: str, method: str, node: Node, shared: list[Node]) -> Operation:
    body = node.get("requestBody", {}).get("content", {})
    return Operation(
        anchor=_anchor(method, path),
        method=method.upper(),
        path=path,
        summary=node.get("summary", ""),
        text=node.get("description", ""),
        permission=node.get("x-permission", ""),
        scopes=[scope for each in node.get("security", []) for scopes in each.values() for scope in scopes],
        parameters=[_parameter(each) for each in [*shared, *node.get("parameters", [])] if "name" in each],
        bodies=[(media_type, _kind(content.get("schema", {}))) for media_type, content in body.items()],
        answers=[*_answers(node.get("responses", {}))],
    )


def anchor_of(call: str) -> str:
    """Return where the page of the description has a call, such as ``PATCH /v1/datasets/{dataset_id}``."""
    method, _, path = call.partition(" ")
    return _anchor(method.lower(), path)


def _anchor(method: str, path: str) -> str:
    return f"{method}-" + "".join(sign if sign.isalnum() else "-" for sign in path.strip("/"))


def _parameter(node: Node) -> Field:
    schema = node.get("schema", {})
    note = node.get("description") or _note(schema)
    return Field(node["name"], _kind(schema), node.get("required", False), note, node["in"])


def _answers(responses: Node) -> Iterator[Answer]:
    for status in sorted(responses, key=str):
        node = responses[status]
        meaning = node.get("description", "")
        content = node.get("content") or {"": {}}
        for media_type, described in content.items():
            schema = described.get("schema")
            yield Answer(str(status), meaning, media_type, _kind(schema) if schema else None)


def _fields(schema: Node) -> list[Field]:
    required = set(schema.get("required", []))
    return [
        Field(name, _kind(node), name in required, _note(node)) for name, node in schema.get("properties", {}).items()
    ]


def _kind(node: Node) -> Kind:
    if name := node.get("$ref", "").removeprefix(REFERENCE):
        return Kind(name, name)
    kinds = node.get("type", "any")
    words = kinds if isinstance(kinds, list) else [kinds]
    if "array" in words:
        inner = _kind(node.get("items", {}))
        return Kind(f"list of {inner.text}", inner.schema)
    for alternative in node.get("anyOf", []) + node.get("allOf", []):
        if "$ref" in alternative:
            return _kind(alternative)
    return Kind(" or ".join(words))


def _note(node: Node) -> str:
    """Return what is said of a value besides its type."""
    limits = (("minLength", "at least {} characters"), ("maxLength", "at most {} characters"))
    bounds = (("minimum", "from {}"), ("maximum", "to {}"))
    lists = (("minItems", "at least {} items"), ("maxItems", "at most {} items"))
    parts = [node["description"]] if node.get("description") else []
    parts += ["one of " + ", ".join(str(word) for word in node["enum"] if word is not None)] if "enum" in node else []
    parts += [text.format(node[name]) for name, text in (*limits, *bounds, *lists) if name in node]
    parts += [f"form {node['pattern']}"] if "pattern" in node else []
    parts += [f"default {node['default']}"] if node.get("default") not in (None, "") else []
    return "; ".join(parts)


def _reached(known: Node, paths: Node) -> set[str]:
    found: set[str] = set()
    waiting = [paths]
    while waiting:
        node: Any = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            name = str(node.get("$ref", "")).removeprefix(REFERENCE)
            if name in known and name not in found:
                found.add(name)
                waiting.append(known[name])
    return found
