"""Catalogues that are graphs: DCAT in JSON-LD, Turtle or RDF/XML, read as packages. For the confined process alone."""

from collections.abc import Iterator
from typing import Any

TRIPLES_MAX = 2_000_000
_FORMATS = {"ttl": "turtle", "jsonld": "json-ld", "xml": "xml", "nt": "nt"}
_EXTRAS = {"frequency": "更新頻度", "region": "lgcode"}
_VOID = ("language", "conformsTo", "accessRights", "provenance")


def notation_of(head: bytes) -> str:
    """Return in which notation a document is, by its beginning."""
    begins = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if begins.startswith((b"{", b"[")) and not begins.startswith(b"[]"):
        return "jsonld"
    return "xml" if begins.startswith((b"<?xml", b"<rdf:RDF", b"<!DOCTYPE")) else "ttl"


def parsed(data: bytes) -> Any:
    """Return the graph of a document; raises what its parser raises. Nothing is fetched: contexts must be inside."""
    import rdflib

    if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data[:4096]:
        raise ValueError("documents that define entities are not read")
    graph = rdflib.Graph()
    graph.parse(data=data, format=_FORMATS[notation_of(data[:512])])
    if len(graph) > TRIPLES_MAX:
        raise ValueError("too many triples")
    return graph


def packages(graph: Any) -> Iterator[dict[str, Any]]:
    """Yield the datasets of a catalogue as CKAN packages, by their addresses, with all that is said of them."""
    from rdflib import RDF
    from rdflib.namespace import DCAT

    for node in sorted(set(graph.subjects(RDF.type, DCAT.Dataset)), key=str):
        yield _package(graph, node)


def next_page(graph: Any) -> str:
    """Return where the next page of the catalogue is, or ""."""
    from rdflib import Namespace

    hydra = Namespace("http://www.w3.org/ns/hydra/core#")
    found = sorted(str(one) for mark in (hydra.next, hydra.nextPage) for one in graph.objects(None, mark))
    return found[0] if found else ""


def _package(graph: Any, node: Any) -> dict[str, Any]:
    from rdflib.namespace import DCAT, DCTERMS

    record_id = str(graph.value(node, DCTERMS.identifier) or node)
    titles, notes = _spoken(graph, node, DCTERMS.title), _spoken(graph, node, DCTERMS.description)
    spatial = _named(graph, node, DCTERMS.spatial)
    extras = {
        "frequency": _last(graph.value(node, DCTERMS.accrualPeriodicity)),
        "region": next((word for word in map(_digits, spatial) if word), ""),
        "spatial": " / ".join(spatial),
        "temporal": _period(graph, node),
    } | {name: " / ".join(_named(graph, node, DCTERMS[name])) for name in _VOID}
    return {
        "id": record_id, "name": record_id, "title": _first(titles),
        "title_translated": titles, "notes": _first(notes), "notes_translated": notes,
        "url": str(graph.value(node, DCAT.landingPage) or ""),
        "organization": {"title": next(iter(_named(graph, node, DCTERMS.publisher)), "")},
        **_contact(graph, node),
        "license_id": _licence(graph, node), "metadata_modified": str(graph.value(node, DCTERMS.modified) or ""),
        "tags": [{"name": str(one)} for one in sorted(set(graph.objects(node, DCAT.keyword)), key=str)],
        "groups": [{"title": name} for name in _named(graph, node, DCAT.theme)],
        "extras": [{"key": _EXTRAS.get(key, key), "value": value} for key, value in extras.items() if value],
        "resources": [_resource(graph, one) for one in sorted(graph.objects(node, DCAT.distribution), key=str)],
        "triples": _described(graph, node),
    }  # fmt: skip


def _spoken(graph: Any, node: Any, predicate: Any) -> dict[str, str]:
    found = sorted(graph.objects(node, predicate), key=lambda one: (getattr(one, "language", None) or "", str(one)))
    return {str(getattr(one, "language", None) or "ja").split("-")[0]: str(one) for one in reversed(found)}


def _first(spoken: dict[str, str]) -> str:
    return spoken.get("ja") or next(iter(spoken.values()), "")


def _named(graph: Any, node: Any, predicate: Any) -> list[str]:
    """Return what things are called: by a label or name, a code or the end of an address."""
    from rdflib import RDFS, Literal
    from rdflib.namespace import DCTERMS, FOAF, SKOS

    names = []
    for one in sorted(graph.objects(node, predicate), key=str):
        if isinstance(one, Literal):
            names.append(str(one))
            continue
        spoken = [_spoken(graph, one, mark) for mark in (SKOS.prefLabel, FOAF.name, RDFS.label, DCTERMS.title)]
        labels = next(filter(None, spoken), {})
        names.append(_first(labels) or _last(one))
    return [name for name in names if name]


def _contact(graph: Any, node: Any) -> dict[str, str]:
    from rdflib import Namespace
    from rdflib.namespace import DCAT

    vcard = Namespace("http://www.w3.org/2006/vcard/ns#")
    point = graph.value(node, DCAT.contactPoint)
    if point is None:
        return {"maintainer": "", "maintainer_email": ""}
    mail = str(graph.value(point, vcard.hasEmail) or "").removeprefix("mailto:")
    return {"maintainer": str(graph.value(point, vcard.fn) or ""), "maintainer_email": mail}


def _licence(graph: Any, node: Any) -> str:
    from rdflib.namespace import DCAT, DCTERMS

    own = graph.value(node, DCTERMS.license)
    of_files = (graph.value(one, DCTERMS.license) for one in graph.objects(node, DCAT.distribution))
    return str(own or next(filter(None, of_files), ""))


def _resource(graph: Any, node: Any) -> dict[str, Any]:
    from rdflib.namespace import DCAT, DCTERMS

    titles = _spoken(graph, node, DCTERMS.title)
    address = graph.value(node, DCAT.downloadURL) or graph.value(node, DCAT.accessURL) or ""
    form = graph.value(node, DCTERMS["format"]) or graph.value(node, DCAT.mediaType)
    size = str(graph.value(node, DCAT.byteSize) or "")
    return {
        "id": str(node), "name": _first(titles), "url": str(address),
        "format": _last(form), "size": int(size) if size.isdecimal() and len(size) < 16 else None,
        "license": str(graph.value(node, DCTERMS.license) or ""),
    }  # fmt: skip


def _period(graph: Any, node: Any) -> str:
    from rdflib.namespace import DCAT, DCTERMS

    span = graph.value(node, DCTERMS.temporal)
    ends = [str(graph.value(span, mark) or "") for mark in (DCAT.startDate, DCAT.endDate)] if span is not None else []
    return "/".join(ends) if any(ends) else ""


def _last(node: Any) -> str:
    return str(node if node is not None else "").rstrip("/#").rpartition("/")[2].rpartition("#")[2]


def _digits(text: str) -> str:
    code = text.strip()[-6:]
    return code if len(code) == 6 and code.isascii() and code.isdigit() else ""


def _described(graph: Any, node: Any) -> list[str]:
    """Return every statement about a dataset and the nameless things it speaks of, as lines of N-Triples."""
    from rdflib import BNode
    from rdflib.namespace import DCAT

    seen, waiting, lines = {node}, [node], []
    while waiting:
        subject = waiting.pop()
        for predicate, value in graph.predicate_objects(subject):
            lines.append(f"{subject.n3()} {predicate.n3()} {value.n3()} .")
            if value not in seen and (isinstance(value, BNode) or predicate == DCAT.distribution):
                seen.add(value)
                waiting.append(value)
    return sorted(lines)
