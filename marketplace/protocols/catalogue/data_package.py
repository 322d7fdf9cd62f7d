"""A dataset as a Frictionless Data Package (https://specs.frictionlessdata.io/data-package/). Pure.

Its resources are what everybody may read: the samples with the types of their columns, and a table of all files.
"""

from typing import Any

from marketplace.protocols.catalogue import vocabulary
from marketplace.protocols.catalogue.croissant import description_of
from marketplace.protocols.catalogue.entries import Document, Entry
from marketplace.protocols.catalogue.samples import Sample, samples
from marketplace.protocols.catalogue.site import Site

MEDIA_TYPE = "application/json"
NAME = "datapackage.json"
_TYPES = {"integer": "integer", "decimal": "number", "boolean": "boolean", "date": "date", "datetime": "datetime"}
_FILES = {
    "name": "string", "media_type": "string", "size_bytes": "integer", "sha256": "string", "rows": "integer",
    "url": "string",
}  # fmt: skip


def package(entry: Entry, site: Site) -> dict[str, Any]:
    """Return a package with the samples of the newest release and a table of its files."""
    document, newest = entry.document, entry.newest
    told = {
        "profile": "data-package",
        "name": entry.id,
        "id": site.dataset(entry.id),
        "title": entry.name(),
        "description": "\n".join(filter(None, entry.descriptions())),
        "homepage": site.page(entry.id),
        "version": newest["label"] if newest else None,
        "created": entry.issued_at,
        "keywords": document["keywords"],
        "licenses": _licences(document, site),
        "contributors": [_publisher(document["publisher"], site)],
        "resources": [*(_sample(entry, site, n, one) for n, one in enumerate(samples(entry), 1)), _files(entry, site)],
    }
    return {name: value for name, value in told.items() if value not in (None, "", [])}


def _licences(document: Document, site: Site) -> list[dict[str, str]]:
    """Return the public licence that the provider names, and the terms of the offers, which rule."""
    code = document.get("licence_hint")
    named = vocabulary.licence(code)
    found = [{"name": str(code), "path": named}] if named else []
    titles = {
        one["terms_sha256"]: one["terms_title_ja"] or one["terms_title_en"] for one in document.get("offers") or ()
    }
    return [*found, *({"title": title, "path": site.terms(sha256)} for sha256, title in titles.items())]


def _publisher(organization: Document, site: Site) -> dict[str, str]:
    name = organization["name_ja"] or organization["name_en"]
    return {"title": name, "path": site.publisher(organization["id"]), "role": "publisher"}


def _sample(entry: Entry, site: Site, number: int, sample: Sample) -> dict[str, Any]:
    name = sample.file["name"]
    fields = [
        {
            "name": column.name,
            "title": column.title or column.name,
            "description": description_of(entry, column),
            "type": _TYPES.get(column.type, "string"),
        }
        for column in sample.columns
    ]
    return {
        "profile": "tabular-data-resource",
        "name": f"sample-{number}",
        "title": name,
        "description": f"「{name}」の先頭{len(sample.rows)}行。 The first {len(sample.rows)} rows of {name}.",
        "path": site.sample(entry.id, sample.release_id, name),
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": len(sample.csv()),
        "hash": f"sha256:{sample.sha256()}",
        "schema": {"fields": fields, "missingValues": [""]},
    }


def _files(entry: Entry, site: Site) -> dict[str, Any]:
    newest = entry.newest
    rows = [
        {
            "name": file["name"],
            "media_type": file["media_type"],
            "size_bytes": file["size_bytes"],
            "sha256": file["sha256"],
            "rows": (file.get("profile") or {}).get("rows"),
            "url": site.release(entry.id, newest["id"]) if newest else None,
        }
        for file in entry.files()
    ]
    rows += [{"name": link["name"], "media_type": link.get("format"), "url": link["url"]} for link in entry.links()]
    return {
        "profile": "tabular-data-resource",
        "name": "files",
        "title": "ファイル一覧 Files",
        "description": "最新版のファイル（利用条件に同意して取得）。 Files of the newest release.",
        "data": rows or [dict.fromkeys(_FILES)],
        "schema": {"fields": [{"name": name, "type": kind} for name, kind in _FILES.items()]},
    }
