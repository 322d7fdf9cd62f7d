"""Private groups: to whom providers list datasets that nobody else learns of."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import groups as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog.groups import queries, service
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint(
    "groups", "/v1/groups", "Private groups: organizations to whom datasets are listed, and to nobody else."
)


@blp.route("", methods=["POST"])
@guarded(Permission.GROUPS_MANAGE)
@blp.arguments(schemas.GroupDraft)
@blp.response(201, schemas.GroupView)
def make(draft: dict[str, Any]) -> Any:
    """Make a group without members."""
    with transaction():
        made = service.make_group(actor(), GroupDraft(**draft))
    return created(made, f"/v1/groups/{made.id}")


@blp.route("")
@guarded(Permission.GROUPS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.GroupPage)
def list_groups(query: dict[str, Any]) -> Any:
    """List the groups that one owns, is in, or is invited to, newest first."""
    return queries.list_groups(actor(), **query)


@blp.route("/<group_id>")
@guarded(Permission.GROUPS_READ)
@blp.response(200, schemas.GroupView)
def read(group_id: str) -> Any:
    """Read a group that one owns, is in, or is invited to."""
    return queries.get_group(actor(), group_id)


@blp.route("/<group_id>", methods=["PATCH"])
@guarded(Permission.GROUPS_MANAGE)
@blp.arguments(schemas.GroupDraft)
@blp.response(200, schemas.GroupView)
def rename(draft: dict[str, Any], group_id: str) -> Any:
    """Call one's own group something else."""
    with transaction():
        return service.rename_group(actor(), group_id, GroupDraft(**draft))


@blp.route("/<group_id>", methods=["DELETE"])
@guarded(Permission.GROUPS_MANAGE)
@blp.response(204)
def dissolve(group_id: str) -> Any:
    """End one's own group, to which no dataset is listed any more."""
    with transaction():
        service.dissolve_group(actor(), group_id)
    return "", 204


@blp.route("/<group_id>/members")
@guarded(Permission.GROUPS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.GroupMemberPage)
def list_members(query: dict[str, Any], group_id: str) -> Any:
    """List who is in one's own group, or invited to it. Its members do not learn of each other."""
    return queries.list_members(actor(), group_id, **query)


@blp.route("/<group_id>/members", methods=["POST"])
@guarded(Permission.GROUPS_MANAGE)
@blp.arguments(schemas.GroupMemberDraft)
@blp.response(200, schemas.GroupView)
def admit(draft: dict[str, Any], group_id: str) -> Any:
    """Name an organization as a member of one's own group, or invite it; twice is as once."""
    with transaction():
        return service.admit(actor(), group_id, draft["organization_id"], invited=draft["invited"])


@blp.route("/<group_id>/members/<organization_id>", methods=["DELETE"])
@guarded(Permission.GROUPS_MANAGE)
@blp.response(204)
def remove(group_id: str, organization_id: str) -> Any:
    """Take an organization out of one's own group: its next request sees nothing; what it bought stays."""
    with transaction():
        service.remove(actor(), group_id, organization_id)
    return "", 204


@blp.route("/<group_id>/accept", methods=["POST"])
@guarded(Permission.GROUPS_JOIN)
@blp.response(200, schemas.GroupView)
def accept(group_id: str) -> Any:
    """Follow an invitation."""
    with transaction():
        return service.accept(actor(), group_id)


@blp.route("/<group_id>/leave", methods=["POST"])
@guarded(Permission.GROUPS_JOIN)
@blp.response(204)
def leave(group_id: str) -> Any:
    """Leave a group, or decline to join it; what one bought stays."""
    with transaction():
        service.leave(actor(), group_id)
    return "", 204
