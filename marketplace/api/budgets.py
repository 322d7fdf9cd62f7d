"""Budgets: how many yen a buyer lets its metered usage come to."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, expected_version, guarded, version_tag
from marketplace.api.openapi import IF_MATCH
from marketplace.api.schemas import budgets as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.billing.budgets import queries, service
from marketplace.billing.budgets.rules import BudgetDraft
from marketplace.billing.budgets.states import BudgetPeriod
from marketplace.exchange import spending
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("budgets", "/v1/budgets", "Budgets: how many yen a buyer lets its metered usage come to.")


@blp.route("", methods=["POST"])
@guarded(Permission.BUDGETS_SET)
@blp.arguments(schemas.BudgetDraft)
@blp.response(201, schemas.BudgetView)
def set_budget(draft: dict[str, Any]) -> Any:
    """Set a budget for all one's grants, or for some; this month's usage counts from its first day."""
    grant_ids = draft.pop("grant_ids")
    period = BudgetPeriod(draft.pop("period"))
    wanted = BudgetDraft(**draft, period=period, grant_ids=None if grant_ids is None else tuple(grant_ids))
    with transaction():
        budget = spending.set_budget(actor(), wanted)
    return created(budget, f"/v1/budgets/{budget.id}", ETag=version_tag(budget.version))


@blp.route("")
@guarded(Permission.BUDGETS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.BudgetPage)
def list_budgets(query: dict[str, Any]) -> Any:
    """List one's own budgets, newest first, with what they have come to and the alerts of the running period."""
    return queries.list_budgets(actor(), **query)


@blp.route("/<budget_id>")
@guarded(Permission.BUDGETS_READ)
@blp.response(200, schemas.BudgetView)
def read(budget_id: str) -> Any:
    """Read a budget. Its version is in ETag, to be sent back in If-Match with a change."""
    budget = queries.view(queries.get_budget(actor(), budget_id))
    return budget, 200, {"ETag": version_tag(budget.version)}


@blp.route("/<budget_id>", methods=["PATCH"])
@guarded(Permission.BUDGETS_SET)
@blp.arguments(schemas.BudgetChanges)
@blp.response(200, schemas.BudgetView)
@blp.doc(parameters=[IF_MATCH])
def change(changes: dict[str, Any], budget_id: str) -> Any:
    """Rename a budget or set another limit, if it is still at the version in If-Match."""
    with transaction():
        budget = queries.view(service.change_budget(actor(), budget_id, expected_version(), **changes))
    return budget, 200, {"ETag": version_tag(budget.version)}


@blp.route("/<budget_id>", methods=["DELETE"])
@guarded(Permission.BUDGETS_SET)
@blp.response(204)
def remove(budget_id: str) -> Any:
    """Remove a budget with all that was counted against it; downloads count against the others alone."""
    with transaction():
        service.remove_budget(actor(), budget_id)
    return "", 204
