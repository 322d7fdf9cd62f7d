"""Who may do what: the one table. What is not in it is refused."""

from dataclasses import dataclass
from enum import StrEnum

from marketplace.identity.actors import Actor
from marketplace.identity.errors import (
    CapacityMissing,
    InsufficientScope,
    NotAuthenticated,
    RoleMissing,
    StepUpRequired,
    TokenNarrowed,
)
from marketplace.identity.states import Assurance, Capacity, MemberRole
from marketplace.kit import clock

PROVIDER, BUYER, OPERATOR, AUDITOR = Capacity.PROVIDER, Capacity.BUYER, Capacity.OPERATOR, Capacity.AUDITOR
OVERSEERS = frozenset({OPERATOR, AUDITOR})
EVERYONE = frozenset(Capacity)

_OWNER, _EDITOR, _BUYER, _FINANCE = MemberRole.OWNER, MemberRole.CATALOGUE_EDITOR, MemberRole.BUYER, MemberRole.FINANCE
_DEVELOPER, _REVIEWER, _AUDITOR = MemberRole.DEVELOPER, MemberRole.REVIEWER, MemberRole.AUDITOR
ANYONE = frozenset(MemberRole)
OWNERS = frozenset({_OWNER})
LISTING = frozenset({_OWNER, _EDITOR})
LISTING_READ = LISTING | {_DEVELOPER, _REVIEWER, _AUDITOR}
BUYING = frozenset({_OWNER, _BUYER})
FINANCING = frozenset({_OWNER, _FINANCE})
BUYING_OR_LISTING = BUYING | LISTING
BUYING_OR_FINANCING = BUYING | FINANCING
TRADE_READ = BUYING | FINANCING | {_EDITOR, _AUDITOR}
BOOKS_READ = FINANCING | {_AUDITOR}
BUILDING = frozenset({_OWNER, _DEVELOPER})
BUILDING_READ = BUILDING | {_AUDITOR}
FETCHING = BUYING | {_DEVELOPER}
GRANTS_SEEN = TRADE_READ | FETCHING
JUDGING = frozenset({_OWNER, _REVIEWER})
OVERSIGHT = JUDGING | {_FINANCE, _AUDITOR}

STEP_UP_SECONDS = 600
"""For so long after a second factor was proved no other is asked for."""


class Permission(StrEnum):
    """The name of one deed in the table."""

    CATALOG_READ = "catalog.read"
    SYSTEM_READ = "system.read"
    ORGANIZATION_APPLY = "organization.apply"
    ORGANIZATION_READ_OWN = "organization.read_own"
    ORGANIZATION_LIST = "organization.list"
    ORGANIZATION_JUDGE = "organization.judge"
    REGISTRATION_RECORD = "registration.record"
    MEMBERS_READ = "members.read"
    MEMBERS_MANAGE = "members.manage"
    CLIENTS_READ = "clients.read"
    CLIENTS_MANAGE = "clients.manage"
    DATASETS_READ = "datasets.read"
    DATASETS_WRITE = "datasets.write"
    LICENSING_READ = "licensing.read"
    LICENSING_WRITE = "licensing.write"
    ORDERS_READ = "orders.read"
    ORDERS_PLACE = "orders.place"
    DISCOUNTS_READ = "discounts.read"
    DISCOUNTS_APPLY = "discounts.apply"
    DISCOUNTS_JUDGE = "discounts.judge"
    COUPONS_READ = "coupons.read"
    COUPONS_ISSUE = "coupons.issue"
    SUBSCRIPTIONS_READ = "subscriptions.read"
    SUBSCRIPTIONS_CANCEL = "subscriptions.cancel"
    ORDERS_NOTE_SLIP = "orders.note_slip"
    BANK_ACCOUNT_READ = "bank.account_read"
    BANK_ACCOUNT_ASK = "bank.account_ask"
    BANK_READ = "bank.read"
    BANK_OPERATE = "bank.operate"
    RECEIVABLES_READ = "receivables.read"
    RECEIVABLES_LIMIT = "receivables.limit"
    INVOICES_READ = "invoices.read"
    INVOICES_PAY = "invoices.pay"
    ORDERS_CANCEL = "orders.cancel"
    REFUNDS_READ = "refunds.read"
    REFUNDS_MAKE = "refunds.make"
    REFUNDS_NOTE = "refunds.note"
    DISPUTES_READ = "disputes.read"
    PAYOUT_ACCOUNT_READ = "payouts.account_read"
    PAYOUT_ACCOUNT_NAME = "payouts.account_name"
    PAYOUTS_READ = "payouts.read"
    PAYOUTS_OPERATE = "payouts.operate"
    PAYOUTS_FETCH = "payouts.fetch"
    REVENUE_READ = "revenue.read"
    SERVICE_LEVELS_READ = "service_levels.read"
    SERVICE_LEVELS_MEASURE = "service_levels.measure"
    DOCUMENTS_READ = "documents.read"
    DOCUMENTS_CORRECT = "documents.correct"
    DOCUMENTS_ROUND = "documents.round"
    QUOTES_ASK = "quotes.ask"
    ORDERS_DOCUMENT = "orders.document"
    GRANTS_INSPECT = "grants.inspect"
    GRANTS_READ = "grants.read"
    GRANTS_REVOKE = "grants.revoke"
    FILES_FETCH = "files.fetch"
    USAGE_READ = "usage.read"
    SETTLEMENT_CLOSE = "settlement.close"
    LEDGER_READ = "ledger.read"
    AUDIT_READ = "audit.read"
    GATEWAY_REPORT = "gateway.report"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a deed asks of its caller: a scope in the token and one of the capacities.

    ``scope`` None means that the deed is public. ``capacities`` empty means that an organization
    may do it before it is verified. A person needs one of the ``roles`` as well (owners have all of them), and for
    a ``step_up`` deed a second factor proved within the last minutes. Programs act for the organization as a whole.
    """

    scope: str | None
    capacities: frozenset[Capacity]
    meaning: str
    changes: bool = False
    roles: frozenset[MemberRole] = frozenset()
    step_up: bool = False


PERMISSIONS: dict[Permission, Rule] = {
    Permission.CATALOG_READ: Rule(None, frozenset(), "read the public catalogue, offers and terms"),
    Permission.SYSTEM_READ: Rule(None, frozenset(), "read health, readiness and documentation"),
    Permission.ORGANIZATION_APPLY: Rule(None, frozenset(), "apply to take part", changes=True),
    Permission.GATEWAY_REPORT: Rule(
        None, frozenset(), "report a payment event, authorized by the gateway's signature", changes=True
    ),
    Permission.ORGANIZATION_READ_OWN: Rule(
        "organization:read",
        frozenset(),
        "read one's own organization",
        roles=ANYONE,
    ),
    Permission.ORGANIZATION_LIST: Rule(
        "market:read",
        OVERSEERS,
        "read all organizations",
        roles=OVERSIGHT,
    ),
    Permission.ORGANIZATION_JUDGE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "verify or suspend an organization",
        changes=True,
        roles=JUDGING,
        step_up=True,
    ),
    Permission.REGISTRATION_RECORD: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "record when an invoice registration number is valid",
        changes=True,
        roles=JUDGING,
    ),
    Permission.MEMBERS_READ: Rule(
        "organization:read",
        frozenset(),
        "read the members of one's organization",
        roles=ANYONE,
    ),
    Permission.MEMBERS_MANAGE: Rule(
        "organization:manage",
        frozenset({PROVIDER, BUYER, OPERATOR}),
        "add and remove members",
        changes=True,
        roles=OWNERS,
        step_up=True,
    ),
    Permission.CLIENTS_READ: Rule(
        "organization:read",
        frozenset(),
        "read the API clients of one's organization",
        roles=BUILDING_READ,
    ),
    Permission.CLIENTS_MANAGE: Rule(
        "organization:manage",
        frozenset({PROVIDER, BUYER, OPERATOR}),
        "register and suspend API clients",
        changes=True,
        roles=BUILDING,
        step_up=True,
    ),
    Permission.DATASETS_READ: Rule(
        "catalog:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "read datasets and releases before publication",
        roles=LISTING_READ,
    ),
    Permission.DATASETS_WRITE: Rule(
        "catalog:write",
        frozenset({PROVIDER}),
        "list datasets, upload files, publish and withdraw",
        changes=True,
        roles=LISTING,
    ),
    Permission.LICENSING_READ: Rule(
        "licensing:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "list the terms one has written; overseers see all",
        roles=LISTING_READ,
    ),
    Permission.LICENSING_WRITE: Rule(
        "licensing:write",
        frozenset({PROVIDER}),
        "write terms, make and withdraw offers",
        changes=True,
        roles=LISTING,
    ),
    Permission.ORDERS_READ: Rule(
        "orders:read",
        EVERYONE,
        "read orders one is a party to; overseers read all",
        roles=TRADE_READ,
    ),
    Permission.ORDERS_PLACE: Rule(
        "orders:write",
        frozenset({BUYER}),
        "accept terms and place orders",
        changes=True,
        roles=BUYING,
    ),
    Permission.DISCOUNTS_READ: Rule(
        "orders:read",
        frozenset({BUYER, OPERATOR, AUDITOR}),
        "read one's eligibilities; overseers read all",
        roles=TRADE_READ,
    ),
    Permission.DISCOUNTS_APPLY: Rule(
        "orders:write",
        frozenset({BUYER}),
        "apply to be judged eligible for discounts",
        changes=True,
        roles=BUYING,
    ),
    Permission.DISCOUNTS_JUDGE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "grant or refuse eligibility on the evidence",
        changes=True,
        roles=JUDGING,
    ),
    Permission.COUPONS_READ: Rule(
        "licensing:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "read one's coupons; overseers read all",
        roles=LISTING_READ,
    ),
    Permission.COUPONS_ISSUE: Rule(
        "licensing:write",
        frozenset({PROVIDER}),
        "issue and end coupons",
        changes=True,
        roles=LISTING,
    ),
    Permission.SUBSCRIPTIONS_READ: Rule(
        "orders:read",
        EVERYONE,
        "read subscriptions one is a party to; overseers read all",
        roles=TRADE_READ,
    ),
    Permission.SUBSCRIPTIONS_CANCEL: Rule(
        "subscriptions:write",
        frozenset({PROVIDER, BUYER}),
        "cancel a subscription one is a party to, at the end of what is paid",
        changes=True,
        roles=BUYING_OR_LISTING,
    ),
    Permission.ORDERS_NOTE_SLIP: Rule(
        "slips:write",
        frozenset({PROVIDER, OPERATOR}),
        "note the payment slip that paid an order outside the exchange",
        changes=True,
        roles=FINANCING,
    ),
    Permission.BANK_ACCOUNT_READ: Rule(
        "invoices:read",
        frozenset({BUYER}),
        "read the account one transfers to",
        roles=TRADE_READ,
    ),
    Permission.BANK_ACCOUNT_ASK: Rule(
        "orders:write",
        frozenset({BUYER}),
        "ask for an account of one's own to transfer to",
        changes=True,
        roles=BUYING_OR_FINANCING,
    ),
    Permission.BANK_READ: Rule(
        "ledger:read",
        OVERSEERS,
        "read incoming bank transfers",
        roles=BOOKS_READ,
    ),
    Permission.BANK_OPERATE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "assign or return bank transfers, apply money that pays nothing yet",
        changes=True,
        roles=FINANCING,
        step_up=True,
    ),
    Permission.RECEIVABLES_READ: Rule(
        "invoices:read",
        EVERYONE,
        "read what one owes; overseers read what all owe",
        roles=TRADE_READ,
    ),
    Permission.RECEIVABLES_LIMIT: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "set what a buyer may owe at a time",
        changes=True,
        roles=FINANCING,
    ),
    Permission.INVOICES_READ: Rule(
        "invoices:read",
        EVERYONE,
        "read invoices one is a party to; overseers read all",
        roles=TRADE_READ,
    ),
    Permission.DOCUMENTS_READ: Rule(
        "invoices:read",
        EVERYONE,
        "search and read documents one is a party to; overseers read all",
        roles=TRADE_READ,
    ),
    Permission.DOCUMENTS_CORRECT: Rule(
        "documents:write",
        frozenset({PROVIDER, OPERATOR}),
        "issue a document one issued anew, corrected",
        changes=True,
        roles=FINANCING,
    ),
    Permission.DOCUMENTS_ROUND: Rule(
        "documents:write",
        frozenset({PROVIDER, OPERATOR}),
        "choose how one rounds tax, for good",
        changes=True,
        roles=FINANCING,
    ),
    Permission.QUOTES_ASK: Rule(
        "orders:write",
        frozenset({BUYER}),
        "ask for a quote over an offer",
        changes=True,
        roles=BUYING,
    ),
    Permission.ORDERS_DOCUMENT: Rule(
        "orders:write",
        frozenset({BUYER}),
        "have the papers of one's order issued",
        changes=True,
        roles=BUYING_OR_FINANCING,
    ),
    Permission.GRANTS_INSPECT: Rule(
        "orders:write",
        frozenset({BUYER}),
        "certify that what a grant delivers was accepted",
        changes=True,
        roles=BUYING,
    ),
    Permission.INVOICES_PAY: Rule(
        "orders:write",
        frozenset({BUYER}),
        "pay an invoice",
        changes=True,
        roles=BUYING_OR_FINANCING,
    ),
    Permission.ORDERS_CANCEL: Rule(
        "orders:write",
        frozenset({BUYER}),
        "give up an order before its time is over",
        changes=True,
        roles=BUYING,
    ),
    Permission.REFUNDS_READ: Rule(
        "invoices:read",
        EVERYONE,
        "read refunds one is a party to; overseers read all",
        roles=TRADE_READ,
    ),
    Permission.REFUNDS_MAKE: Rule(
        "refunds:write",
        frozenset({PROVIDER, OPERATOR}),
        "give back money of what one has sold",
        changes=True,
        roles=FINANCING,
        step_up=True,
    ),
    Permission.REFUNDS_NOTE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "note that a refund by bank transfer was sent, or came back",
        changes=True,
        roles=FINANCING,
        step_up=True,
    ),
    Permission.DISPUTES_READ: Rule(
        "invoices:read",
        EVERYONE,
        "read disputes one is a party to; overseers read all",
        roles=TRADE_READ,
    ),
    Permission.PAYOUT_ACCOUNT_READ: Rule(
        "payouts:read",
        frozenset({PROVIDER, OPERATOR}),
        "read the account that one's own money goes to",
        roles=BOOKS_READ,
    ),
    Permission.PAYOUT_ACCOUNT_NAME: Rule(
        "payouts:write",
        frozenset({PROVIDER, OPERATOR}),
        "set the account that one's own money goes to",
        changes=True,
        roles=FINANCING,
        step_up=True,
    ),
    Permission.PAYOUTS_READ: Rule(
        "payouts:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "read one's payouts and what one may draw; overseers read all",
        roles=BOOKS_READ,
    ),
    Permission.PAYOUTS_OPERATE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "draw, approve, call off and send payouts, and note what became of them",
        changes=True,
        roles=FINANCING,
        step_up=True,
    ),
    Permission.PAYOUTS_FETCH: Rule(
        "market:read",
        OVERSEERS,
        "fetch the files of bank transfers, with whole account numbers",
        roles=BOOKS_READ,
        step_up=True,
    ),
    Permission.REVENUE_READ: Rule(
        "payouts:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "read what one sold, with fee and tax; overseers read all",
        roles=BOOKS_READ,
    ),
    Permission.SERVICE_LEVELS_READ: Rule(
        "ledger:read",
        OVERSEERS,
        "read what was measured of service levels",
        roles=OVERSIGHT,
    ),
    Permission.SERVICE_LEVELS_MEASURE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "state what was measured of a dataset in a month",
        changes=True,
        roles=JUDGING,
    ),
    Permission.GRANTS_READ: Rule(
        "grants:read",
        EVERYONE,
        "read grants one is a party to; overseers read all",
        roles=GRANTS_SEEN,
    ),
    Permission.GRANTS_REVOKE: Rule(
        "grants:write",
        frozenset({PROVIDER, OPERATOR}),
        "revoke a grant for a stated reason",
        changes=True,
        roles=LISTING,
    ),
    Permission.FILES_FETCH: Rule(
        "data:read",
        frozenset({BUYER}),
        "fetch the files of one's own grant",
        roles=FETCHING,
    ),
    Permission.USAGE_READ: Rule(
        "usage:read",
        EVERYONE,
        "read usage one is a party to; overseers read all",
        roles=GRANTS_SEEN,
    ),
    Permission.SETTLEMENT_CLOSE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "close a period and bill its usage",
        changes=True,
        roles=FINANCING,
        step_up=True,
    ),
    Permission.LEDGER_READ: Rule(
        "ledger:read",
        OVERSEERS,
        "read the ledger",
        roles=BOOKS_READ,
    ),
    Permission.AUDIT_READ: Rule(
        "audit:read",
        OVERSEERS,
        "search and export the record",
        roles=OVERSIGHT,
    ),
}


def scopes_for(capacities: frozenset[Capacity]) -> frozenset[str]:
    """Return every scope that is of any use to an organization with these capacities."""
    return frozenset(
        rule.scope
        for rule in PERMISSIONS.values()
        if rule.scope and (not rule.capacities or rule.capacities & capacities)
    )


NARROWED = frozenset({Permission.GRANTS_READ, Permission.FILES_FETCH, Permission.USAGE_READ})
"""What a token that was narrowed to grants may still be used for."""


def scopes_of(role: MemberRole) -> frozenset[str]:
    """Return every scope that is of any use to a member in this role."""
    return frozenset(rule.scope for rule in PERMISSIONS.values() if rule.scope and role in rule.roles)


def require(actor: Actor | None, permission: Permission) -> Actor | None:
    """Return the actor if the table allows the deed, None where it is public and nobody signed in.

    Raises NotAuthenticated (401), InsufficientScope, CapacityMissing, TokenNarrowed or RoleMissing (403), or
    StepUpRequired (401, RFC 9470).
    """
    rule = PERMISSIONS[permission]
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
