"""The addresses of a dataset's other descriptions, and of the samples that they speak of."""

from typing import Any

import orjson
from flask import Blueprint, Response

from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import NotFound
from marketplace.protocols.catalogue import answering, cadde, croissant, data_package, reading, samples
from marketplace.protocols.catalogue.endpoint import guarded
from marketplace.protocols.catalogue.entries import Document, Entry
from marketplace.protocols.catalogue.routes import site
from marketplace.protocols.catalogue.site import FORMATS

blp = Blueprint("catalogue_beside", __name__)
_PAGE = "/catalog/<dataset_id>"
_WRITTEN = {
    croissant.NAME: (croissant.MEDIA_TYPE, croissant.metadata),
    data_package.NAME: (data_package.MEDIA_TYPE, data_package.package),
    cadde.NAME: (cadde.MEDIA_TYPE, cadde.package),
}


@blp.get(f"{_PAGE}/{croissant.NAME}", defaults={"name": croissant.NAME})
@blp.get(f"{_PAGE}/{data_package.NAME}", defaults={"name": data_package.NAME})
@blp.get(f"{_PAGE}/{cadde.NAME}", defaults={"name": cadde.NAME})
@guarded(Permission.CATALOG_READ)
def describe(dataset_id: str, name: str) -> Response:
    """Read a dataset as schema.org and Croissant, as a Frictionless data package, or as CKAN and CADDE have it."""
    found = reading.entry(dataset_id)
    media_type, mapping = _WRITTEN[name]

    def written() -> bytes:
        return orjson.dumps(mapping(found, site()))

    return answering.answer(
        media_type, written, [name, dataset_id, str(found.changed_at)], found.changed_at, alone=True
    )


@blp.get(f"{_PAGE}/releases/<release_id>/samples/<name>.csv")
@guarded(Permission.CATALOG_READ)
def sample(dataset_id: str, release_id: str, name: str) -> Response:
    """Read the first rows of a table as CSV, those that its page shows."""
    found = samples.find(reading.entry(dataset_id), release_id, name)
    if found is None:
        raise NotFound
    # What is shown may change though the file never does: more is masked, say, or less.
    return answering.answer("text/csv; charset=utf-8; header=present", found.csv, found.sha256(), None)


class Harmless(str):
    """A text without any sign that HTML knows, which a template need not escape."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the text as it is."""
        return str(self)


def structured_data(document: Document) -> Harmless:
    """Return a public document as the content of a script of its page."""
    entry = Entry(document, clock.parse(document["published_at"]))
    return Harmless(croissant.script(entry, site()))


def alternates(document: Document) -> list[dict[str, Any]]:
    """Return where else the same is said, for the head of its page."""
    here, dataset_id = site(), document["id"]
    rdf = [{"type": kind, "href": here.document(dataset_id, suffix)} for suffix, kind in FORMATS.items()]
    return [*rdf, *({"type": kind, "href": here.beside(dataset_id, name)} for name, (kind, _) in _WRITTEN.items())]
