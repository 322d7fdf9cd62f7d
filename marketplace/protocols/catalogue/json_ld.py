"""RDF written as JSON-LD 1.1 (https://www.w3.org/TR/json-ld11/), node by node. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from marketplace.protocols.catalogue.rdf import PREFIXES, Iri, Node, Value


def written(nodes: Iterable[Node]) -> Iterator[str]:
    """Yield the document piece by piece; its context is in it, so that nobody has to fetch one."""
    yield f'{{"@context":{orjson.dumps(PREFIXES).decode()},"@graph":['
    between = ""
    for one in nodes:
        yield between + orjson.dumps(tree(one)).decode()
        between = ",\n"
    yield "]}\n"


def tree(one: Node) -> dict[str, Any]:
    """Return a node with all within it as JSON-LD has it, under names with the prefixes of the context."""
    found: dict[str, Any] = {"@id": one.iri} if one.iri else {}
    if one.types:
        found["@type"] = list(one.types)
    for predicate, value in one.said:
        found.setdefault(predicate, []).append(_value(value))
    return found


def _value(value: Value) -> dict[str, Any]:
    if isinstance(value, Iri):
        return {"@id": value.value}
    if isinstance(value, Node):
        return tree(value)
    if value.language:
        return {"@value": value.value, "@language": value.language}
    return {"@value": value.value} | ({"@type": value.datatype} if value.datatype else {})
