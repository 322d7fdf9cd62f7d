"""The addresses of the catalogue in RDF: page by page, whole, and dataset by dataset."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from marketplace.catalog import browsing, listings
from marketplace.identity.permissions import Permission
from marketplace.kit import settings
from marketplace.protocols.catalogue import answering, asking, dcat_catalogue, json_ld, rdf_xml, reading, turtle
from marketplace.protocols.catalogue.dcat_catalogue import View
from marketplace.protocols.catalogue.endpoint import guarded
from marketplace.protocols.catalogue.rdf import Node
from marketplace.protocols.catalogue.refusals import CopiesBusy
from marketplace.protocols.catalogue.site import FORMATS, Site

COPIES_AT_ONCE = 2
"""How many copies of the whole catalogue one process writes at the same time; each may take its reader minutes."""

_WRITERS: dict[str, Callable[[Iterable[Node]], Iterator[str]]] = {
    "jsonld": json_ld.written,
    "ttl": turtle.written,
    "rdf": rdf_xml.written,
}
blp = Blueprint("catalogue_rdf", __name__)
_copies = threading.BoundedSemaphore(COPIES_AT_ONCE)


@blp.get("/catalog.jsonld", defaults={"suffix": "jsonld"})
@blp.get("/catalog.ttl", defaults={"suffix": "ttl"})
@blp.get("/catalog.rdf", defaults={"suffix": "rdf"})
@guarded(Permission.CATALOG_READ)
def page(suffix: str) -> Response:
    """Read a page of the catalogue as DCAT-AP, latest registered dataset first; ``hydra:next`` leads to the next."""
    cursor, size = asking.page(request.args)
    found = browsing.page_places(cursor, size)
    total = listings.count_listings() if cursor is None else None
    changed_at = max((place.changed_at for place in found.items), default=None)

    def written() -> Iterator[str]:
        view = View(
            address(suffix, cursor, size), address(suffix, None, size),
            address(suffix, found.next_cursor, size) if found.next_cursor else None, total, size,
        )  # fmt: skip
        nodes = dcat_catalogue.nodes(reading.entries(found.items), site(), view, changed_at)
        return _WRITERS[suffix](nodes)

    about = [[[place.dataset_id, str(place.changed_at)] for place in found.items], found.next_cursor, total, size]
    return answering.answer(_media_type(suffix), written, about, changed_at)


@blp.get("/catalog/all.jsonld", defaults={"suffix": "jsonld"})
@blp.get("/catalog/all.ttl", defaults={"suffix": "ttl"})
@blp.get("/catalog/all.rdf", defaults={"suffix": "rdf"})
@guarded(Permission.CATALOG_READ)
def copy(suffix: str) -> Response:
    """Read the whole catalogue as DCAT-AP in one stream, as it is while it is read; raises CopiesBusy."""
    counted, changed_at = browsing.state()
    if not _copies.acquire(blocking=False):
        raise CopiesBusy

    def written() -> Iterator[str]:
        nodes = dcat_catalogue.nodes(reading.everything(), site(), None, changed_at)
        return _WRITERS[suffix](nodes)

    try:
        response = answering.answer(_media_type(suffix), written, [counted, str(changed_at)], changed_at)
    except BaseException:
        _copies.release()
        raise
    response.call_on_close(_copies.release)
    return response


@blp.get("/catalog/<dataset_id>.jsonld", defaults={"suffix": "jsonld"})
@blp.get("/catalog/<dataset_id>.ttl", defaults={"suffix": "ttl"})
@blp.get("/catalog/<dataset_id>.rdf", defaults={"suffix": "rdf"})
@guarded(Permission.CATALOG_READ)
def dataset(dataset_id: str, suffix: str) -> Response:
    """Read a dataset as DCAT-AP, with its distributions and its offers as ODRL policies."""
    found = reading.entry(dataset_id)

    def written() -> bytes:
        return "".join(_WRITERS[suffix](dcat_catalogue.alone(found, site()))).encode()

    about = [dataset_id, str(found.changed_at)]
    return answering.answer(_media_type(suffix), written, about, found.changed_at, alone=True)


def site() -> Site:
    """Return the addresses of this exchange; not from the request, whose Host anybody may choose."""
    return Site(settings.current().base_url)


def address(suffix: str, cursor: str | None, size: int) -> str:
    """Return the address of a page of the catalogue."""
    asked: dict[str, Any] = {"cursor": cursor} if cursor else {}
    asked |= {"size": size} if size != asking.SIZE_DEFAULT else {}
    return f"{site().catalogue_page}.{suffix}" + (f"?{urlencode(asked)}" if asked else "")


def _media_type(suffix: str) -> str:
    return FORMATS[suffix] + ("" if suffix == "jsonld" else "; charset=utf-8")
