"""The rows of the permission table for private groups and ratings."""

from marketplace.identity import roles
from marketplace.identity.deeds import Permission, Rule
from marketplace.identity.states import Capacity

_EVERYONE = frozenset(Capacity)
ROWS: dict[Permission, Rule] = {
    Permission.GROUPS_READ: Rule(
        "groups:read",
        _EVERYONE,
        "see one's private groups, and in the catalogue what is listed to them",
        roles=roles.ANYONE,
    ),
    Permission.GROUPS_MANAGE: Rule(
        "groups:write",
        frozenset({Capacity.PROVIDER}),
        "make private groups, name, invite and remove their members",
        changes=True,
        roles=roles.LISTING,
    ),
    Permission.GROUPS_JOIN: Rule(
        "groups:write",
        frozenset({Capacity.PROVIDER, Capacity.BUYER}),
        "join a private group that one is invited to, and leave it",
        changes=True,
        roles=roles.BUYING_OR_LISTING,
    ),
    Permission.RATINGS_GIVE: Rule(
        "ratings:write",
        frozenset({Capacity.BUYER}),
        "rate what one bought, change and withdraw it",
        changes=True,
        roles=roles.BUYING,
    ),
    Permission.RATINGS_REPLY: Rule(
        "ratings:write",
        frozenset({Capacity.PROVIDER}),
        "reply to ratings of one's own datasets",
        changes=True,
        roles=roles.LISTING,
    ),
    Permission.RATINGS_MODERATE: Rule(
        "market:operate",
        frozenset({Capacity.OPERATOR}),
        "hide ratings for a stated reason, and show them again",
        changes=True,
        roles=roles.JUDGING,
    ),
}
