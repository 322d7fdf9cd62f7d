"""A dataset as a CKAN package with the items of the CADDE 4.0 catalogue (CADDE-sip/connector, doc/catalog). Pure.

Values are the Japanese words of the item list, which CADDE's own tools write and read; several are a JSON list.
"""

import json
from collections.abc import Iterator
from typing import Any

from marketplace.catalog.states import FREQUENCY_LABELS, LICENCE_LABELS, THEME_LABELS, Frequency, Licence, Theme
from marketplace.kit import clock
from marketplace.licensing.regions import region_name
from marketplace.licensing.rules import terms_document
from marketplace.licensing.terms import ANYWHERE, ITEMS, Choice, DataPeriod, LicencePeriod, PriceRange, UsageTerms
from marketplace.protocols.catalogue import vocabulary
from marketplace.protocols.catalogue.entries import Document, Entry, region_names
from marketplace.protocols.catalogue.site import Site

MEDIA_TYPE = "application/json"
NAME = "cadde.json"
OTHER, UNLIMITED = "その他", "制限なし"
OFFERS_KEY = "musubi_offers"
"""No item of CADDE: all offers with their terms, where the items can tell those of one."""


def package(entry: Entry, site: Site) -> dict[str, Any]:
    """Return what CKAN's package_show calls its result."""
    document = entry.document
    changed_at, issued_at = _moment(clock.text(entry.changed_at)), _moment(entry.issued_at)
    licence = document.get("licence_hint")
    return {
        "id": entry.id,
        "name": entry.id,
        "type": "dataset",
        "state": "active",
        "private": False,
        "title": entry.name(),
        "title_translated": _both(document["title_ja"], document["title_en"]),
        "notes": document["description_ja"] or document["description_en"],
        "notes_translated": _both(document["description_ja"], document["description_en"]),
        "url": site.page(entry.id),
        "version": entry.newest["label"] if entry.newest else "",
        "metadata_created": issued_at,
        "metadata_modified": changed_at,
        "maintainer": document["contact_name"],
        "maintainer_email": document["contact_email"],
        "license_id": licence or "notspecified",
        "license_title": LICENCE_LABELS[Licence(licence)].ja if licence in set(Licence) else "",
        "license_url": vocabulary.licence(licence) or "",
        "isopen": licence in _OPEN,
        "organization": organization(document["publisher"]),
        "owner_org": document["publisher"]["id"],
        "groups": [group(code) for code in document["themes"]],
        "tags": [{"name": word, "display_name": word, "state": "active"} for word in document["keywords"]],
        "num_tags": len(document["keywords"]),
        "resources": list(resources(entry, site)),
        "num_resources": len(list(entry.files())) + len(list(entry.links())),
        "extras": [{"key": key, "value": value} for key, value in extras(entry, site).items()],
    }


_OPEN = frozenset({"CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "PDM-1.0", "GJSTU-2.0"})


def organization(publisher: Document) -> dict[str, Any]:
    """Return a publisher as an organization of CKAN."""
    return {
        "id": publisher["id"],
        "name": publisher["id"],
        "title": publisher["name_ja"] or publisher["name_en"],
        "description": publisher["name_en"],
        "type": "organization",
        "is_organization": True,
        "state": "active",
    }


def group(code: str) -> dict[str, Any]:
    """Return one of the 17 fields as a group of CKAN."""
    label = THEME_LABELS[Theme(code)]
    return {"id": code, "name": code, "title": label.ja, "display_name": label.ja, "description": label.en}


def resources(entry: Entry, site: Site) -> Iterator[dict[str, Any]]:
    """Yield the files of the newest release as resources of CKAN."""
    yield from (_linked(entry, link, place) for place, link in enumerate(entry.links()))
    newest, before = entry.newest, len(list(entry.links()))
    if newest is None:
        return
    for place, file in enumerate(entry.files(), start=before):
        profile = file.get("profile") or {}
        yield {
            "id": f"{newest['id']}-{file['sha256'][:16]}-{place}",
            "package_id": entry.id,
            "position": place,
            "name": file["name"],
            "description": newest["notes"],
            "url": site.file(entry.id, newest["id"], file["name"]),
            "access_url": site.page(entry.id),
            "format": (profile.get("format") or file["name"].rpartition(".")[2]).upper(),
            "mimetype": file["media_type"],
            "size": file["size_bytes"],
            "hash": f"sha256:{file['sha256']}",
            "state": "active",
            "created": _moment(newest["published_at"]),
            "last_modified": _moment(newest["published_at"]),
            "license_url": vocabulary.licence(entry.document.get("licence_hint")) or "",
            "caddec_resource_type": "file/http",
            "caddec_contract_required": "required",
            "caddec_required": "notRequired",
            "caddec_resource_id_for_provenance": f"sha256:{file['sha256']}",
            "data_service_title": "Musubi",
            "data_service_endpoint_url": f"{site.base_url}/v1",
            "data_service_endpoint_description": f"{site.base_url}/openapi.json",
        }


def _linked(entry: Entry, link: Document, place: int) -> dict[str, Any]:
    """Return a file that lies where the dataset was taken over from."""
    return {
        "id": f"{entry.id}-link-{place}",
        "package_id": entry.id,
        "position": place,
        "name": link["name"] or "",
        "url": link["url"],
        "format": (link.get("format") or "").upper(),
        "state": "active",
        "caddec_resource_type": "file/http",
        "caddec_contract_required": "notRequired",
        "caddec_required": "notRequired",
    }


def extras(entry: Entry, site: Site) -> dict[str, str]:
    """Return the items that CKAN keeps as extras, without those of which nothing is known."""
    told = dict(_described(entry, site))
    told |= dict(_covered(entry))
    offers = entry.document.get("offers") or []
    if offers:
        terms = entry.terms.get(offers[0]["terms_sha256"])
        told |= {"haspolicy_url": site.terms(offers[0]["terms_sha256"])} | (items(terms) if terms else {})
        told["sales_info_url"] = told.get("sales_info_url") or f"{site.page(entry.id)}#offers"
        told[OFFERS_KEY] = _listed([_offer(one, entry) for one in offers])
    return {key: value for key, value in told.items() if value}


def _described(entry: Entry, site: Site) -> Iterator[tuple[str, str]]:
    document = entry.document
    publisher, name = document["publisher"], document["publisher"]["name_ja"] or document["publisher"]["name_en"]
    yield "identifier", entry.id
    yield "dataset_url", site.dataset(entry.id)
    yield "issued", entry.issued_at
    yield "modified", clock.text(entry.changed_at)
    yield "language", document["language"]
    yield "publisher_name", name
    yield "publisher_uri", site.publisher(publisher["id"])
    yield "publisher_corporate_number", publisher.get("corporate_number") or ""
    yield "creator_name", name
    yield "creator_url", site.publisher(publisher["id"])
    yield "contact_name", document["contact_name"]
    yield "contact_url", document["contact_url"]
    yield "contact_email", document["contact_email"]
    yield "frequency", FREQUENCY_LABELS[Frequency(document["frequency"])].ja
    yield "frequency_url", vocabulary.frequency(document["frequency"]) or ""
    yield "theme", _listed([THEME_LABELS[Theme(code)].ja for code in document["themes"]])
    yield "access_rights", "公開" if entry.is_free else "制限あり"
    yield "access_rights_url", vocabulary.PUBLIC if entry.is_free else vocabulary.RESTRICTED
    yield "caddec_provider_id", publisher.get("corporate_number") or publisher["id"]
    yield "caddec_dataset_id_for_detail", entry.id


def _covered(entry: Entry) -> Iterator[tuple[str, str]]:
    region = entry.document["region"]
    yield "region", region
    yield "spatial_url", vocabulary.place(region)
    yield "spatial_text", region_names(region)[0]
    if box := entry.bbox():
        west, south, east, north = box
        corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
        ring = ",".join(f"[{x},{y}]" for x, y in corners)
        yield "spatial", f'{{"type":"Polygon","coordinates":[[{ring}]]}}'
    first, last = entry.period() or ("", "")
    yield "temporal_start", first or ""
    yield "temporal_end", last or ""


def items(terms: UsageTerms) -> dict[str, str]:
    """Return the 15 items of the trading policy, by the keys that CADDE gives them in CKAN."""
    return {item.extras_key: _item(item.field, getattr(terms, item.field)) for item in ITEMS}


def _item(field: str, value: Any) -> str:
    if field == "permissible_region":
        return _listed([_region(code) for code in value])
    if isinstance(value, tuple):
        return _listed([_word(one) for one in value])
    return "" if value is None else _word(value)


def _word(value: Any) -> str:
    if isinstance(value, Choice):
        return f"{OTHER}({value.text})" if value.text is not None else str(value.code.ja)
    if isinstance(value, DataPeriod):
        return _data_period(value)
    if isinstance(value, LicencePeriod):
        return _licence_period(value)
    if isinstance(value, PriceRange):
        return f"{value.min_yen}円～" + ("" if value.max_yen is None else f"{value.max_yen}円")
    return str(getattr(value, "ja", value))


def _region(code: str) -> str:
    if code == ANYWHERE:
        return UNLIMITED
    return region_name(code, 0) if code == "JP" else f"{OTHER}({code})"


def _data_period(period: DataPeriod) -> str:
    if period.note is not None:
        return _object(effectivePeriodOfDataType="note", note=period.note)
    ends = {"startDate": _day(period.start), "endDate": _day(period.end)}
    return _object(effectivePeriodOfDataType="startEndDate", date={name: day for name, day in ends.items() if day})


def _licence_period(period: LicencePeriod) -> str:
    if period.note is not None:
        return _object(expirationPeriodType="note", note=period.note)
    if period.end is not None:
        return _object(expirationPeriodType="endDate", endDate=_day(period.end))
    return _object(expirationPeriodType="period", period=period.value, unit=period.unit)


def _offer(listed: Document, entry: Entry) -> dict[str, Any]:
    terms = entry.terms.get(listed["terms_sha256"])
    told = {name: listed[name] for name in ("id", "terms_sha256", "price", "valid_until")}
    return told | {"terms": terms_document(terms) if terms else None}


def _both(ja: str, en: str) -> dict[str, str]:
    return {language: words for language, words in (("ja", ja), ("en", en)) if words}


def _moment(at: str | None) -> str:
    """Return an instant as CKAN writes it: in UTC, without saying so."""
    return (at or "").removesuffix("Z")


def _day(day: Any) -> str:
    return day.isoformat() if day else ""


def _object(**members: Any) -> str:
    return json.dumps(members, ensure_ascii=False)


def _listed(values: list[Any]) -> str:
    return json.dumps(values, ensure_ascii=False)
