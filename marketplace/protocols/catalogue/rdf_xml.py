"""RDF written as RDF/XML (https://www.w3.org/TR/rdf-syntax-grammar/), node by node. Pure."""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from marketplace.protocols.catalogue.rdf import PREFIXES, Iri, Literal, Node, Value, full

_DESCRIPTION = "rdf:Description"


def written(nodes: Iterable[Node]) -> Iterator[str]:
    """Yield the document piece by piece, each thing within what speaks of it."""
    names = "".join(f'\n  xmlns:{prefix}="{name}"' for prefix, name in PREFIXES.items())
    yield f'<?xml version="1.0" encoding="utf-8"?>\n<rdf:RDF{names}>\n'
    for one in nodes:
        yield "".join(_node(one))
    yield "</rdf:RDF>\n"


def _node(one: Node) -> Iterator[str]:
    element, *others = one.types or (_DESCRIPTION,)
    yield f"<{element} rdf:about={quoteattr(one.iri)}>" if one.iri else f"<{element}>"
    for name in others:
        yield f"<rdf:type rdf:resource={quoteattr(full(name))}/>"
    for predicate, value in one.said:
        yield from _property(predicate, value)
    yield f"</{element}>\n"


def _property(predicate: str, value: Value) -> Iterator[str]:
    if isinstance(value, Iri):
        yield f"<{predicate} rdf:resource={quoteattr(value.value)}/>"
    elif isinstance(value, Literal):
        yield f"<{predicate}{_kind(value)}>{escape(value.value)}</{predicate}>"
    else:
        yield f"<{predicate}>"
        yield from _node(value)
        yield f"</{predicate}>"


def _kind(value: Literal) -> str:
    if value.language:
        return f" xml:lang={quoteattr(value.language)}"
    return f" rdf:datatype={quoteattr(full(value.datatype))}" if value.datatype else ""
