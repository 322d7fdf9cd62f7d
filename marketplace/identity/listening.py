"""Who may do what about webhooks and agents: rows of the one table."""

from marketplace.identity import roles
from marketplace.identity.deeds import Permission, Rule
from marketplace.identity.states import Capacity

_TRADING = frozenset({Capacity.PROVIDER, Capacity.BUYER, Capacity.OPERATOR})

ROWS: dict[Permission, Rule] = {
    Permission.AGENTS_READ: Rule(
        "organization:read",
        frozenset({Capacity.BUYER}),
        "see what agents of one's organization may fetch in a day",
        roles=roles.TRADE_READ | roles.FETCHING,
    ),
    Permission.AGENTS_BOUND: Rule(
        "organization:manage",
        frozenset({Capacity.BUYER}),
        "set what agents of one's organization may fetch in a day, signed in with a browser",
        changes=True,
        roles=roles.FINANCING,
        step_up=True,
    ),
    Permission.WEBHOOKS_READ: Rule(
        "organization:read",
        _TRADING,
        "read one's webhook endpoints and what was sent to them",
        roles=roles.BUILDING_READ,
    ),
    Permission.WEBHOOKS_MANAGE: Rule(
        "organization:manage",
        _TRADING,
        "register, change, test and remove webhook endpoints",
        changes=True,
        roles=roles.BUILDING,
    ),
}
