"""Consents: what a person lets a program do for one organization."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.identity.oauth import demands
from marketplace.identity.permissions import scopes_for, scopes_of
from marketplace.identity.states import Capacity, MemberRole


@dataclass(frozen=True, slots=True)
class Consent:
    """Who lets a program do what, and how surely it was they: ``acr`` and when they last proved it."""

    member_id: str
    organization_id: str
    scope: str
    grant_ids: tuple[str, ...] | None
    acr: str
    authenticated_at: datetime


def within(scope: str, capacities: frozenset[Capacity], role: MemberRole) -> str | None:
    """Return what of a scope a member in this role can give for an organization with these capacities, or None."""
    useful = scopes_for(capacities) & scopes_of(role)
    given = useful & frozenset(scope.split())
    if not given:
        return None
    return " ".join(sorted(given | (frozenset(scope.split()) & {demands.HOUR_SCOPE})))
