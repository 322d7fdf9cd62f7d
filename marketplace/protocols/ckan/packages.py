"""From a public document to CKAN's package and back to its parts' ids. Pure."""

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from marketplace.kit.ids import STEM_LENGTH
from marketplace.protocols.ckan import vocabulary

Document = Mapping[str, Any]
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_TABULAR = {"csv", "tsv", "xlsx", "parquet"}


def package(
    document: Document,
    files: Sequence[Mapping[str, Any]],
    changed: datetime,
    base_url: str,
    source: Mapping[str, Any] | None = None,
    described: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a public document as package_show does.

    ``files`` are those of its newest release with their ``release_id``. ``source`` is the record it was imported from:
    while it has no release here, its resources are those of the source, and what else it said stands in ``extras``,
    beside what is ``described`` by the items of CADDE.
    """
    dataset_id = document["id"]
    resources = [resource(file, dataset_id, place, base_url) for place, file in enumerate(files)]
    if not resources and source is not None:
        resources = _foreign_resources(source, dataset_id)
    tags = [vocabulary.tag(word) for word in document["keywords"] if vocabulary.is_tag(word)]
    return {
        "id": dataset_id,
        "name": dataset_id,
        "type": "dataset",
        "state": "active",
        "private": False,
        "url": f"{base_url}/catalog/{dataset_id}",
        "version": None,
        **_worded(document),
        **_licensed(document),
        "metadata_created": _moment(created_at(dataset_id)),
        "metadata_modified": _moment(changed),
        "creator_user_id": None,
        "owner_org": document["publisher"]["id"],
        "organization": vocabulary.organization(document["publisher"]),
        "groups": [vocabulary.group(theme) for theme in document["themes"]],
        "tags": tags,
        "num_tags": len(tags),
        "resources": resources,
        "num_resources": len(resources),
        "extras": _extras(document, source, described or {}, base_url),
        "relationships_as_subject": [],
        "relationships_as_object": [],
    }


def _worded(document: Document) -> dict[str, Any]:
    publisher = document["publisher"]
    return {
        "title": document["title_ja"] or document["title_en"],
        "title_translated": {"ja": document["title_ja"], "en": document["title_en"]},
        "notes": document["description_ja"] or document["description_en"],
        "notes_translated": {"ja": document["description_ja"], "en": document["description_en"]},
        "author": publisher["name_ja"] or publisher["name_en"],
        "author_email": None,
        "maintainer": document.get("contact_name") or None,
        "maintainer_email": document.get("contact_email") or None,
    }


def _licensed(document: Document) -> dict[str, Any]:
    licence = vocabulary.licence(document.get("licence_hint"))
    return {
        "isopen": licence["is_open"] if licence else False,
        "license_id": licence["id"] if licence else "notspecified",
        "license_title": licence["title"] if licence else "License not specified",
        "license_url": licence["url"] if licence else None,
    }


def resource(file: Mapping[str, Any], dataset_id: str, position: int, base_url: str) -> dict[str, Any]:
    """Return a file as resource_show does; ``url`` leads to where it is offered."""
    profile = file.get("profile") or {}
    return {
        "id": resource_id(file["release_id"], file["name"]),
        "package_id": dataset_id,
        "name": file["name"],
        "description": "",
        "format": _format(file, profile),
        "mimetype": file["media_type"].partition(";")[0],
        "mimetype_inner": None,
        "size": file["size_bytes"],
        "hash": f"sha256:{file['sha256']}" if file.get("sha256") else "",
        "url": f"{base_url}/catalog/{dataset_id}/releases/{file['release_id']}",
        "url_type": None,
        "resource_type": "file",
        "position": position,
        "state": "active",
        "datastore_active": is_tabular(profile),
        "created": _moment(created_at(file["release_id"])),
        "last_modified": None,
        "metadata_modified": _moment(created_at(file["release_id"])),
        "cache_url": None,
        "cache_last_updated": None,
        "release_id": file["release_id"],
    }


def is_tabular(profile: Mapping[str, Any]) -> bool:
    """Tell whether rows of a file can be asked for."""
    return str(profile.get("format", "")).lower() in _TABULAR and bool(profile.get("columns"))


def resource_id(owner_id: str, key: str) -> str:
    """Return the id of a file by its release and name, or of one at its source by its dataset and place.

    It is a UUID, since a CKAN that harvests takes no other: the first half is that of its owner's id, by which it is
    found again, the other a piece of a hash.
    """
    tail = hashlib.sha256(f"{owner_id}/{key}".encode()).hexdigest()[:STEM_LENGTH]
    return str(uuid.UUID(owner_id.partition("_")[2][:STEM_LENGTH] + tail))


def stem_of(identifier: str) -> str | None:
    """Return how the id begins of what a resource belongs to, None for an id that is none."""
    return identifier.replace("-", "")[:STEM_LENGTH] if _UUID.fullmatch(identifier) else None


def file_in(identifier: str, release_id: str, names: Iterable[str]) -> str | None:
    """Return which of these names of a release a resource's id means."""
    return next((name for name in names if resource_id(release_id, name) == identifier), None)


def created_at(identifier: str) -> datetime:
    """Return when a thing of ours was made, which its id says (RFC 9562 section 5.7)."""
    try:
        return datetime.fromtimestamp(int(identifier.partition("_")[2][:12], 16) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _format(file: Mapping[str, Any], profile: Mapping[str, Any]) -> str:
    return str(profile.get("format") or PurePosixPath(file["name"]).suffix.lstrip(".")).upper()


def _foreign_resources(source: Mapping[str, Any], dataset_id: str) -> list[dict[str, Any]]:
    given = source.get("resources")
    rows = [row for row in given if isinstance(row, dict)] if isinstance(given, list) else []
    return [
        row
        | {
            "id": resource_id(dataset_id, str(place)),
            "package_id": dataset_id,
            "position": place,
            "datastore_active": False,
            "source_id": row.get("id"),
        }
        for place, row in enumerate(rows)
    ]


def _extras(
    document: Document, source: Mapping[str, Any] | None, described: Mapping[str, str], base_url: str
) -> list[dict[str, str]]:
    """Return what CKAN has no field for, each key once: a key of the source that is ours too becomes ``source_…``."""
    told = {
        "frequency": document.get("frequency", ""),
        "region": document["region"],
        "price_classes": " ".join(document["price_classes"]),
        "landing_page": f"{base_url}/catalog/{document['id']}",
    } | dict(described)
    if not all(map(vocabulary.is_tag, document["keywords"])):
        told["keywords"] = json.dumps(document["keywords"], ensure_ascii=False)
    for key, value in _foreign_extras(source or {}):
        told[f"source_{key}" if key in told else key] = value
    return [{"key": key, "value": value} for key, value in told.items() if value]


def _foreign_extras(source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("id", "name", "url"):
        if isinstance(value := source.get(name), str):
            yield f"source_{name}", value
    given = source.get("extras")
    for row in given if isinstance(given, list) else []:
        if isinstance(row, dict) and row.get("key") and row.get("value") is not None:
            yield str(row["key"]), str(row["value"])


def _moment(at: datetime) -> str:
    """Write an instant as CKAN does: in UTC, without saying so."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
