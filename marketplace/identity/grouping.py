"""The rows of the permission table for private groups."""

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
}
