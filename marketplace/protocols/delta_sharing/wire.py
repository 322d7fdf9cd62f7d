"""The lines of an answer: protocol, metadata and file, as Parquet's readers or as a Delta log have them."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketplace.exchange.sharing import Change, FileAction, Snapshot
from marketplace.protocols.delta_sharing.asking import DELTA
from marketplace.protocols.delta_sharing.refusals import NotAsAgreed

NDJSON = "application/x-ndjson; charset=utf-8"
_HASHES = {"md5": 32, "sha256": 64}
_HASHED = {False: "md5", True: "sha256"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a file is fetched, and until when."""

    url: str
    until: datetime


def line(action: dict[str, Any]) -> str:
    """Return one action in one line; only ASCII, since clients break lines wherever Unicode does."""
    return json.dumps(action, separators=(",", ":")) + "\n"


def head(table: str, found: Snapshot, response_format: str, others: Sequence[Snapshot] = ()) -> list[dict[str, Any]]:
    """Return the actions that begin every answer: what a reader must know, and what the table is.

    ``others`` are versions that the answer goes on to, which a reader must know how to read as well.
    """
    return [_protocol([found, *others], response_format), metadata(table, found, response_format)]


def _protocol(found: Sequence[Snapshot], response_format: str) -> dict[str, Any]:
    if response_format != DELTA:
        return {"protocol": {"minReaderVersion": 1}}
    # A change data feed takes writers of version 4, or one of 7 that names it.
    protocol: dict[str, Any] = {"minReaderVersion": 1, "minWriterVersion": 4}
    if any(column["type"] == "timestamp_ntz" for one in found for column in one.columns):
        features = {"readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz", "changeDataFeed"]}
        protocol = {"minReaderVersion": 3, "minWriterVersion": 7} | features
    return {"protocol": {"deltaProtocol": protocol}}


def metadata(table: str, found: Snapshot, response_format: str) -> dict[str, Any]:
    """Return the action that tells what a version of a table is."""
    described = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{found.content.dataset_id}/{table.casefold()}")),
        "name": table,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema_string(found.columns, response_format),
        "partitionColumns": [],
        "configuration": {"delta.enableChangeDataFeed": "true", "enableChangeDataFeed": "true"},
    }
    figures = {"version": found.version, "size": found.content.size_bytes, "numFiles": 1}
    return {"metaData": figures | ({"deltaMetadata": described} if response_format == DELTA else described)}


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
    common = {"id": file_id(found, hashing or _HASHED[is_delta])}
    until = {"expirationTimestamp": milliseconds(address.until)}
    place = {"partitionValues": {}, "size": found.content.size_bytes, "stats": _stats(found)}
    if not is_delta:
        return {"file": {"url": address.url} | common | place | until}
    moment = milliseconds(found.published_at)
    add = {"path": address.url} | place | {"modificationTime": moment, "dataChange": True}
    return {"file": common | {"size": found.content.size_bytes} | until | {"deltaSingleAction": {"add": add}}}


def file_action(one: FileAction, address: Address, response_format: str, hashing: str | None) -> dict[str, Any]:
    """Return the action of a file that came into its table with a version, or left it then."""
    told = _told(one.file, one.at, address, response_format, hashing)
    moment, stats = told["timestamp"], {"stats": _stats(one.file)}
    place: dict[str, Any] = {"partitionValues": {}, "size": told["size"]}
    if response_format != DELTA:
        plain = {"url": address.url} | place | told
        return {"add": plain | stats} if one.is_added else {"remove": plain}
    place |= {"path": address.url, "dataChange": True}
    single = {"remove": place | {"deletionTimestamp": moment, "extendedFileMetadata": True}}
    if one.is_added:
        single = {"add": place | {"modificationTime": moment} | stats}
    return {"file": told | {"deltaSingleAction": single}}


def change(one: Change, address: Address, response_format: str, hashing: str | None) -> dict[str, Any]:
    """Return the action of what one version brought: a file of rows as they are, or of rows with ``_change_type``."""
    if one.before is None:
        return file_action(FileAction(one.found, one.found), address, response_format, hashing)
    told = _told(one.found, one.found, address, response_format, hashing)
    if response_format != DELTA:
        return {"cdf": {"url": address.url, "partitionValues": {}} | told}
    place = {"path": address.url, "partitionValues": {}, "size": told["size"]}
    return {"file": told | {"deltaSingleAction": {"cdc": place | {"dataChange": False}}}}


def _told(file: Snapshot, at: Snapshot, address: Address, response_format: str, hashing: str | None) -> dict[str, Any]:
    return {
        "id": file_id(file, hashing or _HASHED[response_format == DELTA]),
        "size": file.content.size_bytes,
        "expirationTimestamp": milliseconds(address.until),
        "version": at.version,
        "timestamp": milliseconds(at.published_at),
    }


def _stats(found: Snapshot) -> str:
    return json.dumps({"numRecords": found.content.rows})


def file_id(found: Snapshot, hashing: str) -> str:
    """Return the id of a file, the same as long as its content is, whichever releases hold it; raises NotAsAgreed."""
    if hashing not in _HASHES:
        raise NotAsAgreed(f"fileidhash must be md5 or sha256, not {hashing[:20]}.")
    named = f"{found.content.dataset_id}/{found.content.sha256}"
    return hashlib.sha256(named.encode()).hexdigest()[: _HASHES[hashing]]


def end(address: Address | None, **tokens: str | None) -> dict[str, Any]:
    """Return the action that tells that nothing is missing, with the tokens of what may be asked next."""
    said: dict[str, Any] = {name: token for name, token in tokens.items() if token is not None}
    if address is not None:
        said["minUrlExpirationTimestamp"] = milliseconds(address.until)
    return {"endStreamAction": said}


def milliseconds(at: datetime) -> int:
    """Return an instant as the protocol writes it."""
    return int(at.timestamp() * 1000)
