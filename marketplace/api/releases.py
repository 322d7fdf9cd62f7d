"""Releases: uploading files, publishing, withdrawing."""

from typing import Any

from flask import request

from marketplace.api import uploads
from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import catalog as schemas
from marketplace.catalog import queries, service
from marketplace.exchange import listing, origins
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.privacy import service as privacy

blp = blueprint("releases", "/v1/releases", "Immutable versions of a dataset's files.")
OPAQUE = "application/octet-stream"


@blp.route("/<release_id>")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.ReleaseView)
def read(release_id: str) -> dict[str, Any]:
    """Read a release with its files and their profiles."""
    release = queries.get_visible_release(actor(), release_id)
    names = ("id", "dataset_id", "label", "notes", "state", "created_at", "published_at")
    files = [_shown(release, file) for file in queries.list_files(release.id)]
    return {name: getattr(release, name) for name in names} | {"files": files}


@blp.route("/<release_id>/files/<name>", methods=["PUT"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(201, schemas.FileView)
@blp.doc(
    parameters=[
        {"in": "header", "name": "Content-Digest", "schema": {"type": "string"}, "description": "sha-256=:<base64>:"}
    ],
    requestBody={
        "required": True,
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    },
)
def put_file(release_id: str, name: str) -> Any:
    """Stream a file into a draft release.

    `Content-Digest: sha-256=:…:` (RFC 9530) is compared with what arrives where it is given. The same
    bytes under the same name again are the same file; other bytes are refused.
    """
    media_type, announced = request.content_type or OPAQUE, uploads.announced_sha256()
    with transaction():
        # Ended before the body comes: an upload may take hours, and must hold no connection for them.
        service.expect_file(actor(), release_id, name, media_type, request.content_length or 0)
        privacy.refuse_blocked(announced or "")
    with uploads.place():
        stored = listing.receive(uploads.chunks(), announced, request.content_length)
    with transaction():
        return listing.attach(actor(), release_id, name, media_type, stored)


@blp.route("/<release_id>/files/<name>/origin", methods=["PUT"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.OriginDraft)
@blp.response(201, schemas.FileView)
def put_origin(draft: dict[str, Any], release_id: str, name: str) -> Any:
    """Declare a file that stays with you: buyers are sent to your server, with a permit that it verifies.

    Nothing is fetched from there. The same again is the same file; another hash or address is refused.
    """
    return origins.declare(actor(), release_id, name, origins.OriginDraft(**draft))


@blp.route("/<release_id>/files/<name>")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.FileView)
def read_file(release_id: str, name: str) -> Any:
    """Read what is known of a file: its hash, size and profile; never its bytes."""
    release = queries.get_visible_release(actor(), release_id)
    file = queries.find_file(release.id, name)
    if file is None:
        raise NotFound
    return _shown(release, file)


@blp.route("/<release_id>/publish", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(200, schemas.ReleaseView)
def publish(release_id: str) -> Any:
    """Seal a release and show it to everybody."""
    with transaction():
        return listing.publish(actor(), release_id)


@blp.route("/<release_id>/withdraw", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(200, schemas.ReleaseView)
def withdraw(release_id: str) -> Any:
    """Hide a release; whoever bought it keeps it."""
    with transaction():
        return listing.withdraw_release(actor(), release_id)


def _shown(release: Any, file: Any) -> dict[str, Any]:
    # Operator and auditor see what is known of a file, but no payload: its first rows are the owner's until
    # the release is published, and then the public catalogue's.
    profile = file.profile
    if profile and queries.get_dataset(release.dataset_id).organization_id != actor().organization_id:
        profile = {name: value for name, value in profile.items() if name != "preview"}
    names = ("id", "name", "media_type", "sha256", "size_bytes", "profile_state", "held_by")
    return {name: getattr(file, name) for name in names} | {"profile": profile}
