"""Whether the one table allows a caller a deed, and if not, why."""

from marketplace.identity.actors import Actor
from marketplace.identity.errors import (
    CapacityMissing,
    InsufficientScope,
    NotAuthenticated,
    NotDelegated,
    RoleMissing,
    StepUpRequired,
    TokenNarrowed,
)
from marketplace.identity.permissions import NARROWED, PERMISSIONS, STEP_UP_SECONDS, Permission, Rule
from marketplace.identity.states import Assurance
from marketplace.kit import clock
from marketplace.kit.errors import Refusal


def require(actor: Actor | None, permission: Permission) -> Actor | None:
    """Return the actor if the table allows the deed, None where it is public and nobody signed in.

    Raises NotAuthenticated (401), InsufficientScope, CapacityMissing, TokenNarrowed, NotDelegated or RoleMissing
    (403), or StepUpRequired (401, RFC 9470).
    """
    rule = PERMISSIONS[permission]
    if actor is not None and actor.delegated is not None and permission not in actor.delegated:
        raise NotDelegated
    if rule.scope is None:
        return actor
    if actor is None:
        raise NotAuthenticated
    if rule.scope not in actor.scopes:
        raise InsufficientScope(f"The token lacks the scope {rule.scope}.", scope=rule.scope)
    if rule.capacities and not rule.capacities & actor.capacities:
        raise CapacityMissing
    if actor.grant_ids is not None and permission not in NARROWED:
        raise TokenNarrowed
    if actor.role is not None:
        _require_of_person(actor, rule)
    return actor


def allows(actor: Actor | None, permission: Permission) -> bool:
    """Tell whether the table allows the deed, where less is shown to whoever it is not allowed instead of a refusal."""
    try:
        require(actor, permission)
    except Refusal:
        return False
    return True


def _require_of_person(actor: Actor, rule: Rule) -> None:
    if actor.role not in rule.roles:
        raise RoleMissing
    if rule.step_up and not has_stepped_up(actor):
        raise StepUpRequired


def has_stepped_up(actor: Actor) -> bool:
    """Tell whether somebody has proved a second factor within the last minutes."""
    if actor.assurance in {None, Assurance.AAL1} or actor.authenticated_at is None:
        return False
    return (clock.now() - actor.authenticated_at).total_seconds() <= STEP_UP_SECONDS
