"""A dataset as schema.org describes it, which is Croissant 1.0 as well (https://docs.mlcommons.org/croissant/). Pure.

Search engines read what is schema.org's, machine learning's loaders the records: those of the samples that everybody
may see, since files are fetched under accepted terms alone.
"""

import re
from typing import Any

import orjson

from marketplace.catalog.states import THEME_LABELS, Theme
from marketplace.protocols.catalogue import vocabulary
from marketplace.protocols.catalogue.entries import Document, Entry, region_names
from marketplace.protocols.catalogue.samples import Column, Sample, samples
from marketplace.protocols.catalogue.site import Site

MEDIA_TYPE = "application/ld+json"
NAME = "croissant.json"
DESCRIPTION_MIN, DESCRIPTION_MAX = 50, 5_000
COLUMNS_TOLD = 200
_CONTEXT = {
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {
    "integer": "sc:Integer",
    "decimal": "sc:Float",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "datetime": "sc:DateTime",
}
_STILL = frozenset({"NEVER", "UNKNOWN", "OTHER"})
_AMOUNTS = frozenset({"free", "one_off", "subscription", "package"})
_WORD = re.compile(r"[^\W\d]\w{0,99}")
# What would end a script, or begin something else within one, in HTML.
_UNSAFE = re.compile("[<>&\u2028\u2029]")


def metadata(entry: Entry, site: Site) -> dict[str, Any]:
    """Return a dataset with its samples as record sets."""
    document = entry.document
    shown = list(samples(entry))
    told = {
        "@context": _CONTEXT | {"@language": document["language"].partition("-")[0]},
        "@type": "sc:Dataset",
        "@id": site.dataset(entry.id),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        **_described(entry, site),
        "version": f"{document.get('releases_total') or 0}.0.0",
        "distribution": [_file_object(entry, site, number, one) for number, one in enumerate(shown, start=1)],
        "recordSet": [_record_set(entry, number, one) for number, one in enumerate(shown, start=1)],
        "hasPart": [*(_whole_file(entry, site, file) for file in entry.files()), *map(_linked_file, entry.links())],
        "offers": [_offer(one, site, entry) for one in document.get("offers") or ()],
    }
    return {name: value for name, value in told.items() if value not in ([], None, "")}


def script(entry: Entry, site: Site) -> str:
    """Return the same for a script element of a page, which no text in it can end."""
    text = orjson.dumps(metadata(entry, site)).decode()
    return _UNSAFE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _described(entry: Entry, site: Site) -> dict[str, Any]:
    document = entry.document
    return {
        "name": entry.name(),
        "alternateName": document["title_en"] if document["title_ja"] else "",
        "description": description(entry),
        "url": site.page(entry.id),
        "identifier": entry.id,
        "inLanguage": document["language"],
        "keywords": [*document["keywords"], *(_theme(code) for code in document["themes"])],
        "license": _licence(document, site),
        "isAccessibleForFree": entry.is_free,
        "publisher": _publisher(document["publisher"], site),
        "creator": _publisher(document["publisher"], site),
        "datePublished": entry.issued_at[:10],
        "dateModified": entry.changed_at.isoformat(timespec="seconds"),
        "spatialCoverage": _places(entry),
        "temporalCoverage": _period(entry),
        "isLiveDataset": document["frequency"] not in _STILL,
        "includedInDataCatalog": {"@type": "sc:DataCatalog", "name": "Musubi", "url": site.catalogue_page},
        "citeAs": f"{document['publisher']['name_ja']}「{entry.name()}」 {site.page(entry.id)}",
        "variableMeasured": document["columns"][:COLUMNS_TOLD],
    }


def description(entry: Entry) -> str:
    """Return 50 to 5,000 characters, as search engines ask: both languages, and columns where that is too little."""
    document = entry.document
    said = "\n".join(filter(None, (document["description_ja"].strip(), document["description_en"].strip())))
    if len(said) < DESCRIPTION_MIN:
        publisher, columns = document["publisher"], "、".join(document["columns"][:20])
        more = (
            said, f"{document['title_ja']} {document['title_en']}".strip(),
            f"提供者 Publisher: {publisher['name_ja']} {publisher['name_en']}".strip(),
            f"項目 Columns: {columns}" if columns else "",
            "結び データ取引所のデータセット。 A dataset of this data exchange.",
        )  # fmt: skip
        said = "\n".join(filter(None, more))
    return said[:DESCRIPTION_MAX]


def _theme(code: str) -> str:
    label = THEME_LABELS[Theme(code)]
    return f"{label.ja} {label.en}"


def _licence(document: Document, site: Site) -> list[str]:
    """Return the public licence that the provider names, and the terms of the offers, which rule."""
    named = vocabulary.licence(document.get("licence_hint"))
    terms = dict.fromkeys(site.terms(one["terms_sha256"]) for one in document.get("offers") or ())
    return [*([named] if named else []), *terms]


def _publisher(organization: Document, site: Site) -> dict[str, Any]:
    told = {
        "@type": "sc:Organization",
        "@id": site.publisher(organization["id"]),
        "name": organization["name_ja"] or organization["name_en"],
        "alternateName": organization["name_en"],
        "identifier": organization.get("corporate_number"),
        "url": site.catalogue_page,
    }
    return {name: value for name, value in told.items() if value}


def _places(entry: Entry) -> list[dict[str, Any]]:
    ja, en = region_names(entry.document["region"])
    place: dict[str, Any] = {
        "@type": "sc:Place", "name": ja, "alternateName": en, "sameAs": vocabulary.place(entry.document["region"]),
    }  # fmt: skip
    if box := entry.bbox():
        west, south, east, north = box
        place["geo"] = {"@type": "sc:GeoShape", "box": f"{south} {west} {north} {east}"}
    return [place]


def _period(entry: Entry) -> str:
    covered = entry.period()
    return f"{covered[0] or '..'}/{covered[1] or '..'}" if covered else ""


def _file_object(entry: Entry, site: Site, number: int, sample: Sample) -> dict[str, Any]:
    name = sample.file["name"]
    return {
        "@type": "cr:FileObject",
        "@id": f"sample-{number}.csv",
        "name": f"{name} (sample)",
        "description": f"「{name}」の先頭{len(sample.rows)}行。 The first {len(sample.rows)} rows of {name}.",
        "contentUrl": site.sample(entry.id, sample.release_id, name),
        "encodingFormat": "text/csv",
        "contentSize": f"{len(sample.csv())} B",
        "sha256": sample.sha256(),
    }


def description_of(entry: Entry, column: Column) -> str:
    """Return what is known of a column in words: its name, what its provider says of it, and its unit."""
    note = entry.note_of(column.title)
    names = ("label_ja", "label_en", "description_ja", "description_en")
    said = [column.title or column.name, *(note.get(name, "") for name in names)]
    unit = f"単位 unit: {note['unit']}" if note.get("unit") else ""
    return " / ".join(filter(None, [*said, unit]))


def _record_set(entry: Entry, number: int, sample: Sample) -> dict[str, Any]:
    name = f"sample-{number}"
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{_id_of(column.name, place)}",
            "name": column.name,
            "description": description_of(entry, column),
            "dataType": _TYPES.get(column.type, "sc:Text"),
            "source": {"fileObject": {"@id": f"{name}.csv"}, "extract": {"column": column.name}},
        }
        for place, column in enumerate(sample.columns, start=1)
    ]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": sample.file["name"], "field": fields}


def _id_of(name: str, place: int) -> str:
    """Return what loaders call a column in each record: its name where that can stand in an IRI, else its place."""
    return name if _WORD.fullmatch(name) else str(place)


def _whole_file(entry: Entry, site: Site, file: Document) -> dict[str, Any]:
    newest = entry.newest or {}
    return {
        "@type": "sc:DataDownload",
        "name": file["name"],
        "url": site.release(entry.id, newest["id"]),
        "encodingFormat": file["media_type"],
        "contentSize": f"{file['size_bytes']} B",
        "sha256": file["sha256"],
    }


def _linked_file(link: Document) -> dict[str, Any]:
    told = {"@type": "sc:DataDownload", "name": link["name"] or link["url"], "contentUrl": link["url"]}
    return told | ({"encodingFormat": link["format"]} if link.get("format") else {})


def _offer(offer: Document, site: Site, entry: Entry) -> dict[str, Any]:
    told = {
        "@type": "sc:Offer",
        "@id": site.offer(offer["id"]),
        "name": offer["terms_title_ja"],
        "alternateName": offer["terms_title_en"],
        "url": f"{site.page(entry.id)}#offers",
        "availability": "https://schema.org/InStock",
        "validThrough": offer.get("valid_until"),
        "seller": {"@id": site.publisher(entry.document["publisher"]["id"])},
    }
    if offer["price_kind"] in _AMOUNTS:
        told |= {"price": str(offer["amount_yen"]), "priceCurrency": "JPY"}
    return {name: value for name, value in told.items() if value is not None}
