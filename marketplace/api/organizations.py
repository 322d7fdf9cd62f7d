"""Organizations: applying, being judged, and their members."""

from typing import Any

from flask import Response, request

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import identity as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.exchange import overriding
from marketplace.identity import members, queries, service
from marketplace.identity.joining import approving
from marketplace.identity.joining import service as joining
from marketplace.identity.joining.rules import Contact
from marketplace.identity.login import invitations
from marketplace.identity.overrides.states import OverrideDeed
from marketplace.identity.permissions import Permission
from marketplace.identity.rules import ApplicationDraft, MemberDraft
from marketplace.identity.states import Capacity, MemberRole, OrganizationKind, OrganizationState, Trust
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction

CLIENT_COLUMNS = (
    "id", "organization_id", "name", "scopes", "authentication_method", "jwks", "jwks_uri", "redirect_uris",
    "grant_types", "dpop_bound", "par_required", "state", "created_at",
)  # fmt: skip
blp = blueprint("organizations", "/v1/organizations", "Who takes part.")


@blp.route("", methods=["POST"])
@guarded(Permission.ORGANIZATION_APPLY)
@blp.arguments(schemas.OrganizationDraft)
@blp.response(201, schemas.ApplicationView)
def apply(draft: dict[str, Any]) -> Any:
    """Apply to take part. The answer holds the only showing of the first client's secret.

    The contact is mailed a link, with which the application is confirmed within 48 hours; before that nobody looks at
    it.
    """
    contact = Contact(draft.pop("contact_name"), draft.pop("contact_email"))
    typed = {
        "kind": OrganizationKind(draft["kind"]),
        "capacities": frozenset(Capacity(capacity) for capacity in draft["capacities"]),
    }
    with transaction():
        admission = joining.apply(ApplicationDraft(**draft | typed), contact, request.remote_addr or "")
        answer = {"organization": admission.organization, "client": with_secret(admission.client, admission.secret)}
        return created(answer, f"/v1/organizations/{admission.organization.id}")


@blp.route("")
@guarded(Permission.ORGANIZATION_LIST)
@blp.arguments(schemas.OrganizationQuery, location="query")
@blp.response(200, schemas.OrganizationPage)
def list_organizations(query: dict[str, Any]) -> Any:
    """List organizations, newest first."""
    state = query.pop("state", None)
    return queries.list_organizations(state=OrganizationState(state) if state else None, **query)


@blp.route("/<organization_id>")
@guarded(Permission.ORGANIZATION_READ_OWN)
@blp.response(200, schemas.OrganizationView)
def read_organization(organization_id: str) -> Any:
    """Read one's own organization; overseers read any. `me` stands for one's own."""
    return queries.get_visible_organization(actor(), _resolved(organization_id))


@blp.route("/<organization_id>/verify", methods=["POST"])
@guarded(Permission.ORGANIZATION_JUDGE)
@blp.arguments(schemas.Approval)
@blp.response(200, schemas.OrganizationView)
def verify(approval: dict[str, str], organization_id: str) -> Any:
    """Verify an applicant, or lift a suspension.

    An application of high risk needs a `reason`, and two different people; it stays `applied` after the first.
    """
    with transaction():
        overriding.refuse_alone(actor(), OverrideDeed.REINSTATEMENT, organization_id)
        return approving.approve(actor(), organization_id, approval.get("reason"))


@blp.route("/<organization_id>/trust", methods=["POST"])
@guarded(Permission.ORGANIZATION_JUDGE)
@blp.arguments(schemas.TrustGiven)
@blp.response(200, schemas.OrganizationView)
def trust(given: dict[str, str], organization_id: str) -> Any:
    """Qualify a verified organization for what asks for more trust, or take that back."""
    with transaction():
        return approving.trust(actor(), organization_id, Trust(given["trust"]))


@blp.route("/<organization_id>/suspend", methods=["POST"])
@guarded(Permission.ORGANIZATION_JUDGE)
@blp.arguments(schemas.Reason)
@blp.response(200, schemas.OrganizationView)
def suspend(reason: dict[str, str], organization_id: str) -> Any:
    """Suspend an organization for a stated reason; its tokens die at once."""
    with transaction():
        return service.suspend_organization(actor(), organization_id, reason["reason"])


@blp.route("/<organization_id>/members")
@guarded(Permission.MEMBERS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.MemberPage)
def list_members(query: dict[str, Any], organization_id: str) -> Any:
    """List the members of one's own organization."""
    return queries.list_members(_own(organization_id), **query)


@blp.route("/<organization_id>/members", methods=["POST"])
@guarded(Permission.MEMBERS_MANAGE)
@blp.arguments(schemas.MemberDraft)
@blp.response(201, schemas.MemberView)
def add_member(draft: dict[str, Any], organization_id: str) -> Any:
    """Add a member to one's own organization."""
    with transaction():
        member = MemberDraft(name=draft["name"], role=MemberRole(draft["role"]), email=draft.get("email"))
        return service.add_member(actor(), _own(organization_id), member)


@blp.route("/<organization_id>/members/<member_id>/invite", methods=["POST"])
@guarded(Permission.MEMBERS_MANAGE)
@blp.response(204)
def invite_member(organization_id: str, member_id: str) -> Response:
    """Mail a member the link with which they set up their sign-in; earlier links stop working."""
    _own(organization_id)
    with transaction():
        invitations.invite(actor(), member_id)
    return Response(status=204)


@blp.route("/<organization_id>/members/<member_id>", methods=["PATCH"])
@guarded(Permission.MEMBERS_MANAGE)
@blp.arguments(schemas.MemberChange)
@blp.response(200, schemas.MemberView)
def change_member(change: dict[str, str], organization_id: str, member_id: str) -> Any:
    """Give a member another role; it counts from their next request on. The last owner stays one."""
    _own(organization_id)
    with transaction():
        return members.change_role(actor(), member_id, MemberRole(change["role"]))


@blp.route("/<organization_id>/members/<member_id>", methods=["DELETE"])
@guarded(Permission.MEMBERS_MANAGE)
@blp.response(204)
def remove_member(organization_id: str, member_id: str) -> Response:
    """Remove a member with its personal data, and end all that it let programs do. The last owner stays."""
    _own(organization_id)
    with transaction():
        members.remove_member(actor(), member_id)
    return Response(status=204)


def with_secret(client: Any, secret: str) -> dict[str, Any]:
    """Return a client as it is shown once, with its secret if it keeps one."""
    shown = {name: getattr(client, name) for name in CLIENT_COLUMNS}
    return shown | ({"secret": secret} if secret else {})


def _own(organization_id: str) -> str:
    if _resolved(organization_id) != actor().organization_id:
        raise NotFound
    return actor().organization_id


def _resolved(organization_id: str) -> str:
    return actor().organization_id if organization_id == "me" else organization_id
