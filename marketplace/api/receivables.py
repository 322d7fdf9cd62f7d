"""Receivables: what buyers owe, and may owe."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import banking as schemas
from marketplace.billing.receivables import queries, service
from marketplace.identity import queries as identity
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import NotFound

blp = blueprint("receivables", "/v1/receivables", "What buyers owe on invoices (売掛金).")


@blp.route("/<organization_id>")
@guarded(Permission.RECEIVABLES_READ)
@blp.response(200, schemas.ReceivableView)
def read(organization_id: str) -> dict[str, Any]:
    """Read what one's organization owes and may owe; overseers read everyone's."""
    caller = actor()
    if organization_id != caller.organization_id and not caller.oversees:
        raise NotFound
    return _shown(organization_id)


@blp.route("/<organization_id>/limit", methods=["POST"])
@guarded(Permission.RECEIVABLES_LIMIT)
@blp.arguments(schemas.CreditLimitDraft)
@blp.response(200, schemas.ReceivableView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def limit(draft: dict[str, Any], organization_id: str) -> Any:
    """Set what a buyer may owe at a time; what it owes already stays owed."""
    caller, yen = actor(), draft["credit_limit_yen"]

    def deed() -> dict[str, Any]:
        service.set_credit_limit(caller, identity.get_organization(organization_id).id, yen)
        return {"organization_id": organization_id}

    _answer, replayed = once(draft, deed)
    return _shown(organization_id), 200, replay_mark(replayed)


def _shown(organization_id: str) -> dict[str, Any]:
    found = identity.get_organization(organization_id)
    return {
        "organization_id": found.id,
        "owed_yen": queries.owed_yen(found.id),
        "credit_limit_yen": queries.credit_limit_yen(found.id),
        "unapplied_yen": queries.unapplied_yen(found.id),
        "overdue": [invoice.number for invoice in queries.list_overdue(clock.today(), found.id)],
    }
