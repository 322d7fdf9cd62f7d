"""What is said in RDF, as a tree of nodes that each notation writes in one pass. Pure.

Not a graph in memory: a catalogue of a million datasets is written as it is read, dataset by dataset.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from marketplace.kit import clock

PREFIXES = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcatap": "http://data.europa.eu/r5r/",
    "dct": "http://purl.org/dc/terms/",
    "dqv": "http://www.w3.org/ns/dqv#",
    "eli": "http://data.europa.eu/eli/ontology#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "geo": "http://www.opengis.net/ont/geosparql#",
    "hydra": "http://www.w3.org/ns/hydra/core#",
    "musubi": "urn:musubi:odrl:1:",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
# What an IRI may not hold in Turtle (IRIREF), and what XML 1.0 may not hold at all.
_NOT_IN_IRIS = re.compile(r'[\x00-\x20<>"{}|^`\\\x7f]|[\ud800-\udfff]')
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Iri:
    """The name of a thing that is described elsewhere, or nowhere."""

    value: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A text in a language, or a value of a datatype such as ``xsd:date``; a plain text where it has neither."""

    value: str
    language: str | None = None
    datatype: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A thing with its classes and what is said of it; one without an IRI is known by its place alone."""

    types: tuple[str, ...]
    said: "tuple[tuple[str, Value], ...]" = field(default=())
    iri: str | None = None


Value: TypeAlias = Iri | Literal | Node
Said: TypeAlias = "Iterator[tuple[str, Value]]"


def node(types: str | Sequence[str], said: Said, iri_text: str | None = None) -> Node:
    """Return a node of one class or several, with all that a generator says of it."""
    return Node((types,) if isinstance(types, str) else tuple(types), tuple(said), iri_text and iri(iri_text).value)


def iri(text: str) -> Iri:
    """Return an IRI, with what none may hold percent-encoded."""
    return Iri(_NOT_IN_IRIS.sub(lambda sign: "".join(f"%{byte:02X}" for byte in _bytes(sign[0])), text))


def text(words: str, language: str | None = None) -> Literal:
    """Return a text, without the signs that XML cannot hold, so that all notations say the same."""
    return Literal(storable_in_xml(words), language)


def storable_in_xml(words: str) -> str:
    """Return a text with U+FFFD in the place of each sign that XML 1.0 cannot hold."""
    return _NOT_IN_XML.sub("\ufffd", words.replace("\r\n", "\n").replace("\r", "\n"))


def typed(value: object, datatype: str) -> Literal:
    """Return a value of a datatype of XML Schema."""
    return Literal(str(value), None, datatype)


def moment(at: str | datetime) -> Literal:
    """Return an instant, to the second, as RFC 3339 writes it in UTC."""
    found = clock.parse(at) if isinstance(at, str) else at
    return typed(clock.text(found)[:19] + "Z", "xsd:dateTime")


def both(predicate: str, ja: str, en: str) -> Said:
    """Say a text in each of the two languages in which it exists."""
    for words, language in ((ja, "ja"), (en, "en")):
        if words and words.strip():
            yield predicate, text(words, language)


def full(name: str) -> str:
    """Return the IRI that a name with a prefix stands for."""
    prefix, _, rest = name.partition(":")
    return PREFIXES[prefix] + rest


def _bytes(sign: str) -> bytes:
    return sign.encode("utf-8", "surrogatepass")
