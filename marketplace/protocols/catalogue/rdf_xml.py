"""RDF written as RDF/XML (https://www.w3.org/TR/rdf-syntax-grammar/), node by node. Pure."""

from collections.abc import Callable, Iterable, Iterator

from marketplace.protocols.catalogue.rdf import PREFIXES, Iri, Literal, Node, full

_DESCRIPTION = "rdf:Description"


def written(nodes: Iterable[Node]) -> Iterator[str]:
    """Yield the document piece by piece, each thing within what speaks of it."""
    names = "".join(f'\n  xmlns:{prefix}="{name}"' for prefix, name in PREFIXES.items())
    yield f'<?xml version="1.0" encoding="utf-8"?>\n<rdf:RDF{names}>\n'
    for one in nodes:
        pieces: list[str] = []
        _write(one, pieces.append)
        yield "".join(pieces)
    yield "</rdf:RDF>\n"


def _write(one: Node, put: Callable[[str], None]) -> None:
    element, *others = one.types or (_DESCRIPTION,)
    put(f"<{element} rdf:about={_quoted(one.iri)}>" if one.iri else f"<{element}>")
    for name in others:
        put(f"<rdf:type rdf:resource={_quoted(full(name))}/>")
    for predicate, value in one.said:
        if isinstance(value, Iri):
            put(f"<{predicate} rdf:resource={_quoted(value.value)}/>")
        elif isinstance(value, Literal):
            put(f"<{predicate}{_kind(value)}>{_escaped(value.value)}</{predicate}>")
        else:
            put(f"<{predicate}>")
            _write(value, put)
            put(f"</{predicate}>")
    put(f"</{element}>\n")


def _kind(value: Literal) -> str:
    if value.language:
        return f" xml:lang={_quoted(value.language)}"
    return f" rdf:datatype={_quoted(full(value.datatype))}" if value.datatype else ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> str:
    quoted = _escaped(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return f'"{quoted}"'
