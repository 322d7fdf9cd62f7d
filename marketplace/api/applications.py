"""Applications: what waits for the operator, with what the checks found."""

from typing import Any

from flask import Response

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import identity as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.identity.actors import Actor
from marketplace.identity.joining import assessing, queries
from marketplace.identity.joining.queries import Shown
from marketplace.identity.permissions import Permission
from marketplace.identity.states import Capacity
from marketplace.kit.transaction import transaction

blp = blueprint("applications", "/v1/applications", "Applications to take part, as the operator looks at them.")


@blp.route("")
@guarded(Permission.ORGANIZATION_LIST)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.WaitingApplicationPage)
def list_applications(query: dict[str, Any]) -> dict[str, Any]:
    """List the applications that wait for a yes or a no, newest first.

    `POST /v1/organizations/{id}/verify` and `…/suspend` say it.
    """
    caller = actor()
    page = queries.list_waiting(**query)
    return {"items": [_shown(caller, one) for one in page.items], "next_cursor": page.next_cursor}


@blp.route("/<organization_id>/look-up", methods=["POST"])
@guarded(Permission.ORGANIZATION_JUDGE)
@blp.response(204)
def look_up(organization_id: str) -> Response:
    """Have the public registers asked once more, such as after one did not answer."""
    with transaction():
        assessing.look_up_again(organization_id)
    return Response(status=204)


def _shown(caller: Actor, one: Shown) -> dict[str, Any]:
    application = one.application
    contact = {"contact_name": application.contact_name, "contact_email": application.contact_email}
    return {
        "organization": one.organization,
        "checked_at": application.checked_at,
        "risk": application.risk,
        "grounds": application.grounds,
        "findings": one.findings,
        "approvals": one.approvals,
    } | (contact if Capacity.OPERATOR in caller.capacities else {})
