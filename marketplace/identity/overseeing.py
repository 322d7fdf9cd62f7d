"""The rows of the permission table for the record and what grows on it: overseers read, the operator works."""

from marketplace.identity import roles
from marketplace.identity.deeds import Permission, Rule
from marketplace.identity.states import Capacity

_OPERATOR = frozenset({Capacity.OPERATOR})
_OVERSEERS = _OPERATOR | {Capacity.AUDITOR}
_EVERYONE = frozenset(Capacity)
ROWS: dict[Permission, Rule] = {
    Permission.AUDIT_READ: Rule(
        "audit:read",
        _OVERSEERS,
        "search and export the record; read cases, saved searches and proposed overrides",
        roles=roles.OVERSIGHT,
    ),
    Permission.DEEDS_READ: Rule("organization:read", frozenset(), "fetch receipts of deeds", roles=roles.ANYONE),
    Permission.TRADES_TRACE: Rule(
        "trades:read",
        _EVERYONE,
        "trace trades one is a party to from end to end; overseers trace all",
        roles=roles.BOOKS_READ,
    ),
    Permission.REPORTS_READ: Rule("market:read", _OVERSEERS, "read annual reports in full", roles=roles.OVERSIGHT),
    Permission.CASES_WORK: Rule(
        "market:operate",
        _OPERATOR,
        "assign cases, write notes in them, close them",
        changes=True,
        roles=roles.JUDGING,
    ),
    Permission.SEARCHES_SAVE: Rule(
        "market:operate", _OPERATOR, "save and remove searches of the record", changes=True, roles=roles.JUDGING
    ),
    Permission.OVERRIDES_DECIDE: Rule(
        "market:operate",
        _OPERATOR,
        "propose, approve and withdraw overrides of others' trades",
        changes=True,
        roles=roles.JUDGING | roles.FINANCING,
        step_up=True,
    ),
}
