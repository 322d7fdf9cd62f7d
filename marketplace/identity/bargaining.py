"""The rows of the permission table for discounts, coupons and budgets."""

from marketplace.identity import roles
from marketplace.identity.deeds import Permission, Rule
from marketplace.identity.states import Capacity

ROWS: dict[Permission, Rule] = {
    Permission.DISCOUNTS_READ: Rule(
        "orders:read",
        frozenset({Capacity.BUYER, Capacity.OPERATOR, Capacity.AUDITOR}),
        "read one's eligibilities; overseers read all",
        roles=roles.TRADE_READ,
    ),
    Permission.DISCOUNTS_APPLY: Rule(
        "orders:write",
        frozenset({Capacity.BUYER}),
        "apply to be judged eligible for discounts",
        changes=True,
        roles=roles.BUYING,
    ),
    Permission.DISCOUNTS_JUDGE: Rule(
        "market:operate",
        frozenset({Capacity.OPERATOR}),
        "grant or refuse eligibility on the evidence",
        changes=True,
        roles=roles.JUDGING,
    ),
    Permission.COUPONS_READ: Rule(
        "licensing:read",
        frozenset({Capacity.PROVIDER, Capacity.OPERATOR, Capacity.AUDITOR}),
        "read one's coupons; overseers read all",
        roles=roles.LISTING_READ,
    ),
    Permission.COUPONS_ISSUE: Rule(
        "licensing:write", frozenset({Capacity.PROVIDER}), "issue and end coupons", changes=True, roles=roles.LISTING
    ),
    Permission.BUDGETS_READ: Rule(
        "organization:read",
        frozenset({Capacity.BUYER}),
        "read one's budgets and what they have come to",
        roles=roles.TRADE_READ,
    ),
    Permission.BUDGETS_SET: Rule(
        "organization:manage",
        frozenset({Capacity.BUYER}),
        "set, change and remove one's budgets",
        changes=True,
        roles=roles.FINANCING,
    ),
}
