"""Overrides of others' trades: proposed by one person of the operator's, carried out when another approves."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import casework as schemas
from marketplace.exchange import overriding
from marketplace.identity.judging import require
from marketplace.identity.overrides import queries, rules, service
from marketplace.identity.overrides.states import OverrideDeed
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("overrides", "/v1/overrides", "Overrides: what an operator does to others' trades, by two people.")


@blp.route("", methods=["POST"])
@guarded(Permission.OVERRIDES_DECIDE)
@blp.arguments(schemas.OverrideDraft)
@blp.response(201, schemas.OverrideView)
def propose(draft: dict[str, Any]) -> Any:
    """Propose a refund, a correction or the end of a suspension; it runs out after 72 hours.

    `arguments` is the body that the deed's own address takes: `/v1/invoices/{id}/refunds`,
    `/v1/deliveries/{id}/corrections`, or nothing to lift a suspension.
    """
    deed = OverrideDeed(draft["deed"])
    require(actor(), rules.PERMISSIONS[deed])
    arguments = dict(schemas.ARGUMENTS[deed]().load(draft["arguments"]))
    with transaction():
        override = overriding.propose(actor(), deed, draft["about"], arguments, draft["reason"])
    return created(override, f"/v1/overrides/{override.id}")


@blp.route("")
@guarded(Permission.AUDIT_READ)
@blp.arguments(schemas.OverrideQuery, location="query")
@blp.response(200, schemas.OverridePage)
def list_overrides(query: dict[str, Any]) -> Any:
    """List proposed overrides, newest first."""
    return queries.list_overrides(**query)


@blp.route("/<override_id>")
@guarded(Permission.AUDIT_READ)
@blp.response(200, schemas.OverrideView)
def read(override_id: str) -> Any:
    """Read a proposed override and what became of it."""
    return queries.get_override(override_id)


@blp.route("/<override_id>/approve", methods=["POST"])
@guarded(Permission.OVERRIDES_DECIDE)
@blp.response(200, schemas.OverrideView)
def approve(override_id: str) -> Any:
    """Approve what somebody else proposed, which carries it out; if the deed is refused, the proposal stays open."""
    caller = actor()
    require(caller, rules.PERMISSIONS[OverrideDeed(queries.get_override(override_id).deed)])
    with transaction():
        return overriding.carry_out(caller, override_id)


@blp.route("/<override_id>/withdraw", methods=["POST"])
@guarded(Permission.OVERRIDES_DECIDE)
@blp.response(200, schemas.OverrideView)
def withdraw(override_id: str) -> Any:
    """Withdraw a proposal, or refuse it as somebody else."""
    with transaction():
        return service.withdraw(actor(), override_id)
