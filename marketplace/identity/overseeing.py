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
    Permission.INCIDENTS_READ: Rule(
        "market:read", _OVERSEERS, "read incidents and what they touch", roles=roles.OVERSIGHT
    ),
    Permission.INCIDENTS_OPERATE: Rule(
        "market:operate",
        _OPERATOR,
        "open incidents, let grants rest, tell who is affected, report and close",
        changes=True,
        roles=roles.JUDGING,
        step_up=True,
    ),
    Permission.INCIDENT_NOTICES_READ: Rule(
        "organization:read", _EVERYONE, "read notices of incidents to one's own; overseers read all", roles=roles.ANYONE
    ),
    Permission.INCIDENT_NOTICES_ACKNOWLEDGE: Rule(
        "organization:manage",
        _EVERYONE - {Capacity.AUDITOR},
        "take note of a notice of an incident to one's own",
        changes=True,
        roles=roles.RESPONSIBLE | roles.JUDGING,
    ),
    Permission.HOLDS_READ: Rule("market:read", _OVERSEERS, "read legal holds", roles=roles.OVERSIGHT),
    Permission.HOLDS_PLACE: Rule(
        "market:operate",
        _OPERATOR,
        "put a legal hold on what must not be deleted, and lift it",
        changes=True,
        roles=roles.JUDGING,
        step_up=True,
    ),
}
