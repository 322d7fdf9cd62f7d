"""The rows of the permission table for demand: what buyers need, who joins them, who answers."""

from marketplace.identity import roles
from marketplace.identity.deeds import Permission, Rule
from marketplace.identity.states import Capacity

_PROVIDER, _BUYER, _OPERATOR = Capacity.PROVIDER, Capacity.BUYER, Capacity.OPERATOR
ROWS: dict[Permission, Rule] = {
    Permission.DEMAND_READ: Rule(
        None, frozenset(), "read data requests, their answers, and what comparable deals cost"
    ),
    Permission.DEMAND_READ_OWN: Rule(
        "demand:read",
        frozenset(Capacity),
        "read the data requests one stated or follows, and what one was told of them",
        roles=roles.ANYONE,
    ),
    Permission.DEMAND_STATE: Rule(
        "demand:write",
        frozenset({_BUYER}),
        "state a data request, say that it is met",
        changes=True,
        roles=roles.BUYING,
    ),
    Permission.DEMAND_JOIN: Rule(
        "demand:write",
        frozenset({_BUYER, _PROVIDER}),
        "follow data requests and announced datasets, pledge for requests, cite datasets",
        changes=True,
        roles=roles.BUYING_OR_LISTING,
    ),
    Permission.DEMAND_ANSWER: Rule(
        "demand:answer",
        frozenset({_PROVIDER}),
        "answer data requests with a teaser, a quote or a listed dataset",
        changes=True,
        roles=roles.LISTING,
    ),
    Permission.WATCHES_READ: Rule(
        "demand:read",
        frozenset(Capacity),
        "read the saved searches of one's organization and what came that they find",
        roles=roles.ANYONE,
    ),
    Permission.WATCHES_SAVE: Rule(
        "demand:write",
        frozenset({_BUYER, _PROVIDER}),
        "save searches of the catalogue to hear what is new, and end them",
        changes=True,
        roles=roles.BUYING_OR_LISTING,
    ),
    Permission.WATCHES_LEAVE_READ: Rule(None, frozenset(), "see the page that ends letters by their own link"),
    Permission.WATCHES_LEAVE: Rule(
        None, frozenset(), "end a saved search, or letters about requests, by the key in a letter", changes=True
    ),
    Permission.DEMAND_END: Rule(
        "demand:write",
        frozenset({_BUYER, _OPERATOR}),
        "close or merge one's own data request; the operator any",
        changes=True,
        roles=roles.BUYING | roles.JUDGING,
    ),
}
