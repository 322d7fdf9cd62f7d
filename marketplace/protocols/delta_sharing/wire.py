"""The lines of an answer: protocol, metadata and file, as Parquet's readers or as a Delta log have them."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.exchange.sharing import Change, Snapshot
from marketplace.protocols.delta_sharing.asking import DELTA
from marketplace.protocols.delta_sharing.refusals import NotAsAgreed

NDJSON = "application/x-ndjson; charset=utf-8"
_HASHES = {"md5": 32, "sha256": 64}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a file is fetched, and until when."""

    url: str
    until: datetime


def line(action: dict[str, Any]) -> str:
    """Return one action in one line; only ASCII, since clients break lines wherever Unicode does."""
    return json.dumps(action, separators=(",", ":")) + "\n"


def head(table: str, found: Snapshot, response_format: str) -> list[dict[str, Any]]:
    """Return the actions that begin every answer: what a reader must know, and what the table is."""
    return [_protocol(found, response_format), {"metaData": _metadata(table, found, response_format)}]


def _protocol(found: Snapshot, response_format: str) -> dict[str, Any]:
    if response_format != DELTA:
        return {"protocol": {"minReaderVersion": 1}}
    # A change data feed takes writers of version 4, or one of 7 that names it.
    protocol: dict[str, Any] = {"minReaderVersion": 1, "minWriterVersion": 4}
    if any(column["type"] == "timestamp_ntz" for column in found.columns):
        features = {"readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz", "changeDataFeed"]}
        protocol = {"minReaderVersion": 3, "minWriterVersion": 7} | features
    return {"protocol": {"deltaProtocol": protocol}}


def _metadata(table: str, found: Snapshot, response_format: str) -> dict[str, Any]:
    described = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{found.content.dataset_id}/{table.casefold()}")),
        "name": table,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema_string(found.columns, response_format),
        "partitionColumns": [],
        "configuration": {"delta.enableChangeDataFeed": "true", "enableChangeDataFeed": "true"},
    }
    figures = {"version": found.version, "size": found.content.size_bytes, "numFiles": 1}
    return figures | ({"deltaMetadata": described} if response_format == DELTA else described)


def schema_string(columns: Sequence[dict[str, Any]], response_format: str) -> str:
    """Return the columns as Spark writes a schema.

    Parquet's readers know no ``timestamp_ntz`` and take such moments as the file has them.
    """
    fields = [
        {"name": column["name"], "type": _type(column["type"], response_format), "nullable": True, "metadata": {}}
        for column in columns
    ]
    return json.dumps({"type": "struct", "fields": fields}, ensure_ascii=False)


def _type(name: str, response_format: str) -> str:
    return "timestamp" if name == "timestamp_ntz" and response_format != DELTA else name


def file(found: Snapshot, address: Address, response_format: str, hashing: str | None) -> dict[str, Any]:
    """Return the action of the one file that a version is."""
    is_delta = response_format == DELTA
    common = {"id": file_id(found, hashing or ("sha256" if is_delta else "md5"))}
    until = {"expirationTimestamp": milliseconds(address.until)}
    stats = json.dumps({"numRecords": found.content.rows})
    place = {"partitionValues": {}, "size": found.content.size_bytes, "stats": stats}
    if not is_delta:
        return {"file": {"url": address.url} | common | place | until}
    moment = milliseconds(found.published_at)
    add = {"path": address.url} | place | {"modificationTime": moment, "dataChange": True}
    return {"file": common | {"size": found.content.size_bytes} | until | {"deltaSingleAction": {"add": add}}}


def change(one: Change, address: Address, response_format: str, hashing: str | None) -> dict[str, Any]:
    """Return the action of what one version brought: a file of rows as they are, or of rows with ``_change_type``."""
    is_delta, found = response_format == DELTA, one.found
    said = {"id": file_id(found, hashing or ("sha256" if is_delta else "md5")), "size": found.content.size_bytes}
    said |= {"expirationTimestamp": milliseconds(address.until), "version": found.version}
    said |= {"timestamp": milliseconds(found.published_at)}
    if not is_delta:
        return {"add" if one.before is None else "cdf": {"url": address.url, "partitionValues": {}} | said}
    place = {"path": address.url, "partitionValues": {}, "size": found.content.size_bytes}
    if one.before is None:
        action = {"add": place | {"modificationTime": said["timestamp"], "dataChange": True}}
    else:
        action = {"cdc": place | {"dataChange": False}}
    return {"file": said | {"deltaSingleAction": action}}


def file_id(found: Snapshot, hashing: str) -> str:
    """Return the id of a file, the same as long as grant and content are; raises NotAsAgreed."""
    if hashing not in _HASHES:
        raise NotAsAgreed(f"fileidhash must be md5 or sha256, not {hashing[:20]}.")
    named = f"{found.content.dataset_id}/{found.content.release_id}/{found.content.sha256}"
    return hashlib.sha256(named.encode()).hexdigest()[: _HASHES[hashing]]


def end(address: Address | None, refresh_token: str | None) -> dict[str, Any]:
    """Return the action that tells that nothing is missing."""
    said: dict[str, Any] = {} if refresh_token is None else {"refreshToken": refresh_token}
    if address is not None:
        said["minUrlExpirationTimestamp"] = milliseconds(address.until)
    return {"endStreamAction": said}


def milliseconds(at: datetime) -> int:
    """Return an instant as the protocol writes it."""
    return int(at.timestamp() * 1000)
