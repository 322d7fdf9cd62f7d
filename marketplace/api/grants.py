"""Grants, and fetching the files they open."""

from typing import Any
from urllib.parse import quote

from flask import Response, current_app, request

from marketplace.access import queries
from marketplace.access import service as access
from marketplace.access.rules import standing
from marketplace.api import passing, streams
from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import trade as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.api.schemas.identity import Reason
from marketplace.api.schemas.sharing import DeltaSharingProfile
from marketplace.exchange import download
from marketplace.identity.actors import Actor
from marketplace.identity.permissions import Permission
from marketplace.kit import clock, settings
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import UseApplication
from marketplace.metering import queries as metering

blp = blueprint("grants", "/v1/grants", "What was bought, and its files.")
COLUMNS = (
    "id", "organization_id", "provider_organization_id", "order_id", "offer_id", "dataset_id", "terms_sha256",
    "starts_at", "expires_at", "revoked_at", "revoked_reason",
)  # fmt: skip
LIMITS = (
    "limit_bytes", "used_bytes", "reserved_bytes", "limit_downloads", "used_downloads", "limit_rows", "used_rows",
    "reserved_rows", "limit_requests", "used_requests", "limit_streams", "open_deliveries",
)  # fmt: skip


@blp.route("")
@guarded(Permission.GRANTS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.GrantPage)
def list_grants(query: dict[str, Any]) -> dict[str, Any]:
    """List the grants one is a party to, newest first; overseers see all."""
    page = queries.list_grants(actor(), **query)
    return {"items": [_shown(grant) for grant in page.items], "next_cursor": page.next_cursor}


@blp.route("/<grant_id>")
@guarded(Permission.GRANTS_READ)
@blp.response(200, schemas.GrantView)
def read(grant_id: str) -> dict[str, Any]:
    """Read a grant and how much of it is used."""
    return _shown(queries.get_grant(actor(), grant_id))


@blp.route("/<grant_id>/revoke", methods=["POST"])
@guarded(Permission.GRANTS_REVOKE)
@blp.arguments(Reason)
@blp.response(200, schemas.GrantView)
def revoke(reason: dict[str, str], grant_id: str) -> dict[str, Any]:
    """Revoke a grant for a stated reason: the next request under it is refused, and what runs is broken off."""
    with transaction():
        return _shown(access.revoke(actor(), grant_id, reason["reason"]))


@blp.route("/<grant_id>/delta-sharing-profile")
@guarded(Permission.FILES_FETCH)
@blp.response(200, DeltaSharingProfile)
def delta_sharing_profile(grant_id: str) -> Any:
    """Get the profile file with which pandas, Spark and others read the tables of one's grants (Delta Sharing).

    Its secret is yours to fill in: the exchange tells a secret once, when the client is registered, and never again.
    """
    caller = actor()
    if queries.get_grant(caller, grant_id).organization_id != caller.organization_id:
        raise NotFound
    return _profile_of(caller), 200, {"Content-Disposition": 'attachment; filename="musubi.share"'}


def _profile_of(caller: Actor) -> dict[str, Any]:
    base_url = settings.current().base_url
    # The program by which a person asks is not the one that will read.
    client_id = caller.client_id if caller.member_id is None else None
    return {
        "share_credentials_version": 2,
        "type": "oauth_client_credentials",
        "endpoint": f"{base_url}/delta-sharing",
        "token_endpoint": f"{base_url}/oauth/token",
        "client_id": client_id or "<client_id of your program>",
        "client_secret": "<client_secret of your program>",
        "scope": "data:read",
    }


@blp.route("/<grant_id>/files")
@guarded(Permission.GRANTS_READ)
@blp.response(200, schemas.GrantFileView(many=True))
def list_files(grant_id: str) -> list[dict[str, Any]]:
    """List the files that a grant opens, newest release first."""
    return [
        {
            "release_id": file.release_id,
            "name": file.file_name,
            "media_type": file.media_type,
            "sha256": file.sha256,
            "size_bytes": file.size_bytes,
            "held_by": "exchange" if file.origin_url is None else "provider",
            "url": f"/v1/grants/{grant_id}/files/{quote(file.file_name)}?release_id={file.release_id}",
        }
        for file in queries.list_entitled_files(actor(), grant_id)
    ]


@blp.route("/<grant_id>/files/<name>", methods=["GET"])
@guarded(Permission.FILES_FETCH)
@blp.doc(
    parameters=[
        {"in": "query", "name": "release_id", "schema": {"type": "string"}},
        {
            "in": "header",
            "name": "Musubi-Purpose",
            "schema": {"type": "string", "enum": [code.value for code in UseApplication]},
            "description": "what the data are for, which the accepted terms must permit",
        },
    ],
    responses={
        "200": {"description": "The whole file", "content": {"*/*": {}}},
        "206": {"description": "The range asked for", "content": {"*/*": {}}},
        "307": {"description": "The file is fetched from the store or provider that holds it; send no token there"},
        "304": {"description": "Not modified"},
        "412": {"description": "A precondition failed"},
        "416": {"description": "The range lies beyond the file"},
    },
)
def fetch(grant_id: str, name: str) -> Response:
    """Fetch a file, or a range of it (RFC 9110). Charged is the union of the bytes that arrive.

    ETag is the SHA-256 of the file. HEAD, 304, 412 and 416 cost nothing; nor does a byte fetched twice.
    """
    wanted = download.Wanted(
        grant_id, name, request.args.get("release_id"), request.method, dict(request.headers.items())
    )
    download.bring(actor(), wanted)
    with transaction():
        answer = download.open_delivery(actor(), wanted)
    response = streams.respond(current_app, answer)
    passing.offer(current_app, actor(), answer)
    return response


def _shown(grant: Any) -> dict[str, Any]:
    quota = metering.get_quota(grant.id)
    return {name: getattr(grant, name) for name in COLUMNS} | {
        "state": standing(grant.state, grant.expires_at, clock.now()),
        "quota": {name: getattr(quota, name) for name in LIMITS},
    }
