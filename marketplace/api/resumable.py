"""Uploads in pieces, resumable: tus 1.0 with creation, expiration, checksum and termination."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import Any

from flask import Response, request

from marketplace.api import uploads
from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.problems import BadRequest, UnsupportedMediaType
from marketplace.api.schemas import uploads as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog import queries as catalog
from marketplace.catalog.uploads import queries
from marketplace.catalog.uploads.rules import UploadDraft
from marketplace.delivery import http_dates
from marketplace.delivery.checksums import ALGORITHMS, Announced
from marketplace.delivery.errors import ChecksumMismatch, DigestMismatch
from marketplace.exchange import uploading
from marketplace.identity.permissions import Permission
from marketplace.kit import settings
from marketplace.kit.errors import Invalid, Refusal
from marketplace.kit.transaction import transaction

blp = blueprint("uploads", "/v1", "Files in pieces, by the tus protocol: an upload goes on where it broke.")
VERSION = "1.0.0"
PIECE = "application/offset+octet-stream"
OPAQUE = "application/octet-stream"
METADATA_LENGTH_MAX = 4096
COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class TusVersionUnknown(Refusal):
    """A request that speaks no version of the protocol that is spoken here (tus 1.0, Core: Tus-Resumable)."""

    slug, status = "tus-version-unknown", 412
    title, title_ja = "Another version of tus", "tusの版が異なります"
    cause = "Tus-Resumable is missing, or names another version of the protocol than 1.0.0."
    cure = "Send Tus-Resumable: 1.0.0, or upload the file at once with PUT."
    cause_ja = "Tus-Resumable がないか、1.0.0 ではないプロトコルの版が示されています。"
    cure_ja = "Tus-Resumable: 1.0.0 を付けて送るか、PUT でファイル全体を一度に送ってください。"


def _field(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    return {
        "in": "header",
        "name": name,
        "required": required,
        "schema": {"type": "string"},
        "description": description,
    }


RESUMABLE = _field("Tus-Resumable", "1.0.0")


@blp.route("/releases/<release_id>/uploads", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(201, schemas.UploadView)
@blp.doc(
    parameters=[
        RESUMABLE,
        _field("Upload-Length", "size of the whole file in bytes"),
        _field("Upload-Metadata", "`filename`, and where known `filetype` and `sha256` (hex), each with its base64"),
    ]
)
def begin(release_id: str) -> Any:
    """Begin an upload into a draft release; Location is where its pieces go.

    A SHA-256 in the metadata is compared with the whole file once all of it is there.
    """
    _speak()
    draft = _draft(release_id)
    with transaction():
        upload = uploading.begin(actor(), draft)
        return created(upload, f"/v1/uploads/{upload.id}", **_stand(upload))


@blp.route("/releases/<release_id>/uploads")
@guarded(Permission.DATASETS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.UploadPage)
def list_uploads(query: dict[str, Any], release_id: str) -> Any:
    """List the uploads into a release that have not expired, newest first."""
    return queries.list_uploads(catalog.get_visible_release(actor(), release_id).id, **query)


@blp.route("/uploads/<upload_id>")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.UploadView)
def read(upload_id: str) -> Any:
    """Read how far an upload is; HEAD says it in Upload-Offset and Upload-Length."""
    if request.method == "HEAD":
        _speak()
    upload = queries.get_visible_upload(actor(), upload_id)
    headers = {"Upload-Length": str(upload.size_bytes), "Cache-Control": "no-store"}
    if upload.announced:
        headers["Upload-Metadata"] = upload.announced
    return upload, 200, headers | _stand(upload)


@blp.route("/uploads/<upload_id>", methods=["PATCH"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(204)
@blp.doc(
    parameters=[
        RESUMABLE,
        _field("Upload-Offset", "where the piece begins: what HEAD says"),
        _field("Upload-Checksum", "`sha256` or `sha1`, and the base64 of the piece's digest", required=False),
        _field("Content-Digest", "sha-256=:<base64>: of the piece", required=False),
    ],
    requestBody={"required": True, "content": {PIECE: {"schema": {"type": "string", "format": "binary"}}}},
)
def go_on(upload_id: str) -> Any:
    """Append a piece; with the last one the file is in its release.

    Of a piece that breaks off, what arrived is kept, unless a digest was announced: then all of it or nothing.
    """
    _speak()
    if request.mimetype != PIECE:
        raise UnsupportedMediaType(f"A piece of an upload is {PIECE}.")
    offset, announced = _count("Upload-Offset"), _announced()
    with uploads.place():
        uploading.go_on(actor(), upload_id, offset, uploads.chunks(), announced)
    upload = queries.get_visible_upload(actor(), upload_id)
    return "", 204, _stand(upload)


@blp.route("/uploads/<upload_id>", methods=["DELETE"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(204)
@blp.doc(parameters=[RESUMABLE])
def give_up(upload_id: str) -> Any:
    """Give up an upload: its bytes are removed; a file that it has become stays."""
    _speak()
    uploading.give_up(actor(), upload_id)
    return "", 204


@blp.after_request
def name_the_protocol(response: Response) -> Response:
    """Say in every answer which protocol is spoken, and to OPTIONS what of it (tus 1.0, Core)."""
    response.headers["Tus-Resumable"] = VERSION
    if request.method == "OPTIONS" or response.status_code == TusVersionUnknown.status:
        response.headers["Tus-Version"] = VERSION
    if request.method == "OPTIONS":
        response.headers["Tus-Extension"] = "creation,expiration,checksum,termination"
        response.headers["Tus-Max-Size"] = str(settings.current().upload_size_bytes_max)
        response.headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    return response


def _speak() -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise TusVersionUnknown


def _stand(upload: Any) -> dict[str, str]:
    stand = {"Upload-Offset": str(upload.offset_bytes)}
    # What has come to its end no longer expires for its sender.
    return stand if upload.file_id else stand | {"Upload-Expires": http_dates.write(upload.expires_at)}


def _draft(release_id: str) -> UploadDraft:
    announced = request.headers.get("Upload-Metadata", "")
    said = _metadata(announced)
    sha256 = said.get("sha256")
    if sha256 is not None and not SHA256.fullmatch(sha256):
        raise _unreadable("Upload-Metadata", "sha256 must be 64 hex digits")
    if "filename" not in said:
        raise _unreadable("Upload-Metadata", "filename is needed")
    media_type, size_bytes = said.get("filetype") or OPAQUE, _count("Upload-Length")
    return UploadDraft(
        release_id, said["filename"], media_type, size_bytes, sha256.lower() if sha256 else None, announced
    )


def _metadata(announced: str) -> dict[str, str]:
    """Read pairs of a key and the base64 of its value, or of a key alone; the rest is whatever the client likes."""
    if len(announced) > METADATA_LENGTH_MAX:
        raise _unreadable("Upload-Metadata", f"must have at most {METADATA_LENGTH_MAX:,} characters")
    said: dict[str, str] = {}
    for pair in filter(None, map(str.strip, announced.split(","))):
        key, _, encoded = pair.partition(" ")
        try:
            said[key] = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise _unreadable("Upload-Metadata", "must be keys, each with the base64 of UTF-8 text") from error
    return said


def _announced() -> Announced | None:
    """Return the digest of the piece that is compared: that of the protocol, else that of RFC 9530."""
    given = request.headers.get("Upload-Checksum")
    if given is None:
        sha256 = uploads.announced_sha256(("Content-Digest",))
        return None if sha256 is None else Announced("sha256", bytes.fromhex(sha256), DigestMismatch)
    algorithm, _, encoded = given.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise BadRequest(f"Upload-Checksum is compared for {_listed(ALGORITHMS)}.")
    try:
        digest = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise BadRequest(f"Upload-Checksum is no {algorithm} in base64.")
    return Announced(algorithm, digest, ChecksumMismatch)


def _count(field: str) -> int:
    given = request.headers.get(field, "").strip()
    if not COUNT.fullmatch(given):
        raise _unreadable(field, "must be a number of bytes")
    return int(given)


def _unreadable(field: str, fault: str) -> Invalid:
    return Invalid(errors=[{"pointer": f"/{field}", "detail": fault}])


def _listed(words: Iterable[str]) -> str:
    return " and ".join(words)
