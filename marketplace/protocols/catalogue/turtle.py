"""RDF written as Turtle (https://www.w3.org/TR/turtle/), node by node. Pure."""

import re
from collections.abc import Iterable, Iterator

from marketplace.protocols.catalogue.rdf import PREFIXES, Iri, Literal, Node, Value

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile(r'[\\"\n\r\t]')


def written(nodes: Iterable[Node]) -> Iterator[str]:
    """Yield the document piece by piece; what has a name gets statements of its own, the rest stands in its place."""
    yield "".join(f"@prefix {prefix}: <{name}> .\n" for prefix, name in PREFIXES.items())
    for one in nodes:
        waiting = [one]
        while waiting:
            yield _statements(waiting.pop(), waiting)


def _statements(one: Node, waiting: list[Node]) -> str:
    subject = f"<{one.iri}>" if one.iri else "[]"
    return f"\n{subject} {_said(one, waiting, '    ')} .\n"


def _said(one: Node, waiting: list[Node], indent: str) -> str:
    lines = [f"a {', '.join(one.types)}"] if one.types else []
    by_predicate: dict[str, list[str]] = {}
    for predicate, value in one.said:
        by_predicate.setdefault(predicate, []).append(_value(value, waiting, f"{indent}    "))
    lines += [f"{predicate} {', '.join(values)}" for predicate, values in by_predicate.items()]
    return f" ;\n{indent}".join(lines)


def _value(value: Value, waiting: list[Node], indent: str) -> str:
    if isinstance(value, Iri):
        return f"<{value.value}>"
    if isinstance(value, Literal):
        return _literal(value)
    if value.iri:
        waiting.append(value)
        return f"<{value.iri}>"
    return f"[ {_said(value, waiting, indent)} ]"


def _literal(value: Literal) -> str:
    quoted = f'"{_ESCAPED.sub(lambda sign: _ESCAPES[sign[0]], value.value)}"'
    if value.language:
        return f"{quoted}@{value.language}"
    return f"{quoted}^^{value.datatype}" if value.datatype else quoted
