"""Who may do what: the one table. What is not in it is refused."""

from marketplace.identity import bargaining, discovering, grouping, listening, overseeing, roles
from marketplace.identity.deeds import Permission, Rule
from marketplace.identity.states import Capacity, MemberRole

__all__ = ["PERMISSIONS", "Permission", "Rule"]  # the names are read where the table is

PROVIDER, BUYER, OPERATOR, AUDITOR = Capacity.PROVIDER, Capacity.BUYER, Capacity.OPERATOR, Capacity.AUDITOR
OVERSEERS = frozenset({OPERATOR, AUDITOR})
EVERYONE = frozenset(Capacity)

STEP_UP_SECONDS = 600
"""For so long after a second factor was proved no other is asked for."""


PERMISSIONS: dict[Permission, Rule] = {
    Permission.CATALOG_READ: Rule(None, frozenset(), "read the public catalogue, offers and terms"),
    Permission.REGISTER_READ: Rule(None, frozenset(), "read the public register and annual reports"),
    Permission.SYSTEM_READ: Rule(None, frozenset(), "read health, readiness and documentation"),
    Permission.ORGANIZATION_APPLY: Rule(None, frozenset(), "apply to take part, and confirm it", changes=True),
    Permission.JOIN_READ: Rule(None, frozenset(), "see the pages for applying to take part"),
    Permission.GATEWAY_REPORT: Rule(
        None, frozenset(), "report a payment event, authorized by the gateway's signature", changes=True
    ),
    Permission.SIGN_IN_READ: Rule(
        None, frozenset(), "see the pages for signing in, an invitation and a forgotten password"
    ),
    Permission.SIGN_IN: Rule(
        None, frozenset(), "sign in and out, accept an invitation, set a forgotten password anew", changes=True
    ),
    Permission.CONSENT_ASK: Rule(None, frozenset(), "send a browser to ask somebody for consent"),
    Permission.CONSENT_READ: Rule(None, frozenset(), "see what a program asks one to allow", in_person=True),
    Permission.CONSENT_GIVE: Rule(
        None, frozenset(), "let a program act for one's organization, or not", changes=True, in_person=True
    ),
    Permission.ACCOUNT_READ: Rule(None, frozenset(), "see one's own account and sessions", in_person=True),
    Permission.ACCOUNT_MANAGE: Rule(
        None, frozenset(), "change one's password and factors, end one's sessions", changes=True, in_person=True
    ),
    Permission.ORGANIZATION_READ_OWN: Rule(
        "organization:read", frozenset(), "read one's own organization", roles=roles.ANYONE
    ),
    Permission.ORGANIZATION_LIST: Rule("market:read", OVERSEERS, "read all organizations", roles=roles.OVERSIGHT),
    Permission.ORGANIZATION_JUDGE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "verify, trust or suspend an organization",
        changes=True,
        roles=roles.JUDGING,
        step_up=True,
    ),
    Permission.REGISTRATION_RECORD: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "record when an invoice registration number is valid",
        changes=True,
        roles=roles.JUDGING,
    ),
    Permission.MEMBERS_READ: Rule(
        "organization:read", frozenset(), "read the members of one's organization", roles=roles.ANYONE
    ),
    Permission.MEMBERS_MANAGE: Rule(
        "organization:manage",
        frozenset({PROVIDER, BUYER, OPERATOR}),
        "add, invite and remove members, change their roles",
        changes=True,
        roles=roles.OWNERS,
        step_up=True,
    ),
    Permission.CLIENTS_READ: Rule(
        "organization:read", frozenset(), "read the API clients of one's organization", roles=roles.BUILDING_READ
    ),
    Permission.CLIENTS_MANAGE: Rule(
        "organization:manage",
        frozenset({PROVIDER, BUYER, OPERATOR}),
        "register and suspend API clients",
        changes=True,
        roles=roles.BUILDING,
        step_up=True,
    ),
    Permission.DELEGATIONS_READ: Rule(
        "organization:read", frozenset(), "read who manages whose listings, of one's own", roles=roles.LISTING_READ
    ),
    Permission.DELEGATIONS_MANAGE: Rule(
        "organization:manage",
        frozenset({PROVIDER}),
        "let another organization manage one's listings, end what one gave or got",
        changes=True,
        roles=roles.OWNERS,
        step_up=True,
    ),
    Permission.DATASETS_READ: Rule(
        "catalog:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "read datasets and releases before publication",
        roles=roles.LISTING_READ,
    ),
    Permission.DATASETS_WRITE: Rule(
        "catalog:write",
        frozenset({PROVIDER}),
        "list datasets, upload files, publish and withdraw",
        changes=True,
        roles=roles.LISTING,
    ),
    Permission.PRIVACY_READ: Rule(
        "catalog:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "read what was found of people in one's files; overseers read all",
        roles=roles.LISTING_READ,
    ),
    Permission.PRIVACY_ANSWER: Rule(
        "catalog:write",
        frozenset({PROVIDER}),
        "answer what was found in one's files, state what a dataset holds of people",
        changes=True,
        roles=roles.LISTING,
    ),
    Permission.PRIVACY_SECOND: Rule(
        "privacy:second",
        frozenset({PROVIDER, OPERATOR}),
        "agree, as a second person, to what another answered",
        changes=True,
        roles=roles.LISTING_OR_JUDGING,
    ),
    Permission.ASSESSMENTS_REVIEW: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "sign impact assessments off, respond to objections, conclude",
        changes=True,
        roles=roles.JUDGING,
    ),
    Permission.ASSESSMENTS_OBJECT: Rule(
        "demand:write",
        frozenset({PROVIDER, BUYER}),
        "object to a listing while its impact assessment is open to that",
        changes=True,
        roles=roles.BUYING_OR_LISTING,
    ),
    Permission.LICENSING_READ: Rule(
        "licensing:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "list the terms one has written; overseers see all",
        roles=roles.LISTING_READ,
    ),
    Permission.LICENSING_WRITE: Rule(
        "licensing:write",
        frozenset({PROVIDER}),
        "write terms, make and withdraw offers",
        changes=True,
        roles=roles.LISTING,
    ),
    Permission.ORDERS_READ: Rule(
        "orders:read", EVERYONE, "read orders one is a party to; overseers read all", roles=roles.TRADE_READ
    ),
    Permission.ORDERS_PLACE: Rule(
        "orders:write", frozenset({BUYER}), "accept terms and place orders", changes=True, roles=roles.BUYING
    ),
    **bargaining.ROWS,
    Permission.SUBSCRIPTIONS_READ: Rule(
        "orders:read", EVERYONE, "read subscriptions one is a party to; overseers read all", roles=roles.TRADE_READ
    ),
    Permission.SUBSCRIPTIONS_CANCEL: Rule(
        "subscriptions:write",
        frozenset({PROVIDER, BUYER}),
        "cancel a subscription one is a party to, at the end of what is paid",
        changes=True,
        roles=roles.BUYING_OR_LISTING,
    ),
    Permission.ORDERS_NOTE_SLIP: Rule(
        "slips:write",
        frozenset({PROVIDER, OPERATOR}),
        "note the payment slip that paid an order outside the exchange",
        changes=True,
        roles=roles.FINANCING,
    ),
    Permission.BANK_ACCOUNT_READ: Rule(
        "invoices:read", frozenset({BUYER}), "read the account one transfers to", roles=roles.TRADE_READ
    ),
    Permission.BANK_ACCOUNT_ASK: Rule(
        "orders:write",
        frozenset({BUYER}),
        "ask for an account of one's own to transfer to",
        changes=True,
        roles=roles.BUYING_OR_FINANCING,
    ),
    Permission.BANK_READ: Rule("ledger:read", OVERSEERS, "read incoming bank transfers", roles=roles.BOOKS_READ),
    Permission.BANK_OPERATE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "assign or return bank transfers, apply money that pays nothing yet",
        changes=True,
        roles=roles.FINANCING,
        step_up=True,
    ),
    Permission.RECEIVABLES_READ: Rule(
        "invoices:read", EVERYONE, "read what one owes; overseers read what all owe", roles=roles.TRADE_READ
    ),
    Permission.RECEIVABLES_LIMIT: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "set what a buyer may owe at a time",
        changes=True,
        roles=roles.FINANCING,
    ),
    Permission.INVOICES_READ: Rule(
        "invoices:read", EVERYONE, "read invoices one is a party to; overseers read all", roles=roles.TRADE_READ
    ),
    Permission.DOCUMENTS_READ: Rule(
        "invoices:read",
        EVERYONE,
        "search and read documents one is a party to; overseers read all",
        roles=roles.TRADE_READ,
    ),
    Permission.DOCUMENTS_CORRECT: Rule(
        "documents:write",
        frozenset({PROVIDER, OPERATOR}),
        "issue a document one issued anew, corrected",
        changes=True,
        roles=roles.FINANCING,
    ),
    Permission.DOCUMENTS_ROUND: Rule(
        "documents:write",
        frozenset({PROVIDER, OPERATOR}),
        "choose how one rounds tax, for good",
        changes=True,
        roles=roles.FINANCING,
    ),
    Permission.QUOTES_ASK: Rule(
        "orders:write", frozenset({BUYER}), "ask for a quote over an offer", changes=True, roles=roles.BUYING
    ),
    Permission.ORDERS_DOCUMENT: Rule(
        "orders:write",
        frozenset({BUYER}),
        "have the papers of one's order issued",
        changes=True,
        roles=roles.BUYING_OR_FINANCING,
    ),
    Permission.GRANTS_INSPECT: Rule(
        "orders:write",
        frozenset({BUYER}),
        "certify that what a grant delivers was accepted",
        changes=True,
        roles=roles.BUYING,
    ),
    Permission.INVOICES_PAY: Rule(
        "orders:write", frozenset({BUYER}), "pay an invoice", changes=True, roles=roles.BUYING_OR_FINANCING
    ),
    Permission.ORDERS_CANCEL: Rule(
        "orders:write", frozenset({BUYER}), "give up an order before its time is over", changes=True, roles=roles.BUYING
    ),
    Permission.REFUNDS_READ: Rule(
        "invoices:read", EVERYONE, "read refunds one is a party to; overseers read all", roles=roles.TRADE_READ
    ),
    Permission.REFUNDS_MAKE: Rule(
        "refunds:write",
        frozenset({PROVIDER, OPERATOR}),
        "give back money of what one has sold",
        changes=True,
        roles=roles.FINANCING,
        step_up=True,
    ),
    Permission.REFUNDS_NOTE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "note that a refund by bank transfer was sent, or came back",
        changes=True,
        roles=roles.FINANCING,
        step_up=True,
    ),
    Permission.DISPUTES_READ: Rule(
        "invoices:read", EVERYONE, "read disputes one is a party to; overseers read all", roles=roles.TRADE_READ
    ),
    Permission.PAYOUT_ACCOUNT_READ: Rule(
        "payouts:read",
        frozenset({PROVIDER, OPERATOR}),
        "read the account that one's own money goes to",
        roles=roles.BOOKS_READ,
    ),
    Permission.PAYOUT_ACCOUNT_NAME: Rule(
        "payouts:write",
        frozenset({PROVIDER, OPERATOR}),
        "set the account that one's own money goes to",
        changes=True,
        roles=roles.FINANCING,
        step_up=True,
    ),
    Permission.PAYOUTS_READ: Rule(
        "payouts:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "read one's payouts and what one may draw; overseers read all",
        roles=roles.BOOKS_READ,
    ),
    Permission.PAYOUTS_OPERATE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "draw, approve, call off and send payouts, and note what became of them",
        changes=True,
        roles=roles.FINANCING,
        step_up=True,
    ),
    Permission.PAYOUTS_FETCH: Rule(
        "market:read",
        OVERSEERS,
        "fetch the files of bank transfers, with whole account numbers",
        roles=roles.BOOKS_READ,
        step_up=True,
    ),
    Permission.REVENUE_READ: Rule(
        "payouts:read",
        frozenset({PROVIDER, OPERATOR, AUDITOR}),
        "read what one sold, with fee and tax; overseers read all",
        roles=roles.BOOKS_READ,
    ),
    Permission.SERVICE_LEVELS_READ: Rule(
        "ledger:read", OVERSEERS, "read what was measured of service levels", roles=roles.OVERSIGHT
    ),
    Permission.SERVICE_LEVELS_MEASURE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "state what was measured of a dataset in a month",
        changes=True,
        roles=roles.JUDGING,
    ),
    Permission.GRANTS_READ: Rule(
        "grants:read", EVERYONE, "read grants one is a party to; overseers read all", roles=roles.GRANTS_SEEN
    ),
    Permission.GRANTS_REVOKE: Rule(
        "grants:write",
        frozenset({PROVIDER, OPERATOR}),
        "revoke a grant for a stated reason",
        changes=True,
        roles=roles.LISTING,
    ),
    Permission.TICKETS_ISSUE: Rule(
        "data:read",
        frozenset({BUYER}),
        "issue download tickets for the files of one's own grant",
        changes=True,
        roles=roles.FETCHING,
    ),
    Permission.FILES_FETCH: Rule(
        "data:read", frozenset({BUYER}), "fetch the files of one's own grant", roles=roles.FETCHING
    ),
    Permission.TICKETS_USE: Rule(None, frozenset(), "fetch with a download ticket, authorized by its secret"),
    Permission.USAGE_READ: Rule(
        "usage:read", EVERYONE, "read usage one is a party to; overseers read all", roles=roles.GRANTS_SEEN
    ),
    Permission.USAGE_CORRECT: Rule(
        "usage:correct", frozenset({PROVIDER, OPERATOR}), "correct metered usage", changes=True, roles=roles.FINANCING
    ),
    Permission.DELIVERIES_REPORT: Rule(
        "deliveries:report",
        frozenset({PROVIDER}),
        "report what one's own server sent of a delivery",
        changes=True,
        roles=roles.LISTING,
    ),
    Permission.SETTLEMENT_CLOSE: Rule(
        "market:operate",
        frozenset({OPERATOR}),
        "close a period and bill its usage",
        changes=True,
        roles=roles.FINANCING,
        step_up=True,
    ),
    Permission.LEDGER_READ: Rule("ledger:read", OVERSEERS, "read the ledger", roles=roles.BOOKS_READ),
    **discovering.ROWS,
    **grouping.ROWS,
    **listening.ROWS,
    **overseeing.ROWS,
}


def scopes_for(capacities: frozenset[Capacity]) -> frozenset[str]:
    """Return every scope that is of any use to an organization with these capacities."""
    return frozenset(
        rule.scope
        for rule in PERMISSIONS.values()
        if rule.scope and (not rule.capacities or rule.capacities & capacities)
    )


NARROWED = frozenset({Permission.GRANTS_READ, Permission.FILES_FETCH, Permission.TICKETS_ISSUE, Permission.USAGE_READ})
"""What a token that was narrowed to grants may still be used for."""

DELEGABLE = frozenset(
    {Permission.DATASETS_READ, Permission.DATASETS_WRITE, Permission.LICENSING_READ, Permission.LICENSING_WRITE}
)
"""What an organization may let another do in its name: its listings; never money, members, clients or grants."""


def scopes_of(role: MemberRole) -> frozenset[str]:
    """Return every scope that is of any use to a member in this role."""
    return frozenset(rule.scope for rule in PERMISSIONS.values() if rule.scope and role in rule.roles)
