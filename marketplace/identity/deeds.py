"""What the permission table speaks of: the names of deeds, and what one may ask of its caller."""

from dataclasses import dataclass
from enum import StrEnum

from marketplace.identity.states import Capacity, MemberRole


class Permission(StrEnum):
    """The name of one deed in the table."""

    CATALOG_READ = "catalog.read"
    REGISTER_READ = "register.read"
    SYSTEM_READ = "system.read"
    ORGANIZATION_APPLY = "organization.apply"
    JOIN_READ = "organization.join_read"
    ORGANIZATION_READ_OWN = "organization.read_own"
    ORGANIZATION_LIST = "organization.list"
    ORGANIZATION_JUDGE = "organization.judge"
    REGISTRATION_RECORD = "registration.record"
    MEMBERS_READ = "members.read"
    MEMBERS_MANAGE = "members.manage"
    CLIENTS_READ = "clients.read"
    CLIENTS_MANAGE = "clients.manage"
    AGENTS_READ = "agents.read"
    AGENTS_BOUND = "agents.bound"
    WEBHOOKS_READ = "webhooks.read"
    WEBHOOKS_MANAGE = "webhooks.manage"
    DELEGATIONS_READ = "delegations.read"
    DELEGATIONS_MANAGE = "delegations.manage"
    GROUPS_READ = "groups.read"
    GROUPS_MANAGE = "groups.manage"
    GROUPS_JOIN = "groups.join"
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
    BUDGETS_READ = "budgets.read"
    BUDGETS_SET = "budgets.set"
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
    TICKETS_ISSUE = "tickets.issue"
    TICKETS_USE = "tickets.use"
    USAGE_READ = "usage.read"
    USAGE_CORRECT = "usage.correct"
    DELIVERIES_REPORT = "deliveries.report"
    SETTLEMENT_CLOSE = "settlement.close"
    LEDGER_READ = "ledger.read"
    REPORTS_READ = "reports.read"
    AUDIT_READ = "audit.read"
    DEEDS_READ = "deeds.read"
    TRADES_TRACE = "trades.trace"
    CASES_WORK = "cases.work"
    SEARCHES_SAVE = "searches.save"
    OVERRIDES_DECIDE = "overrides.decide"
    INCIDENTS_READ = "incidents.read"
    INCIDENTS_OPERATE = "incidents.operate"
    INCIDENT_NOTICES_READ = "incidents.notices_read"
    INCIDENT_NOTICES_ACKNOWLEDGE = "incidents.notices_acknowledge"
    HOLDS_READ = "holds.read"
    DEMAND_READ = "demand.read"
    DEMAND_READ_OWN = "demand.read_own"
    DEMAND_STATE = "demand.state"
    DEMAND_JOIN = "demand.join"
    DEMAND_ANSWER = "demand.answer"
    DEMAND_END = "demand.end"
    WATCHES_READ = "watches.read"
    WATCHES_SAVE = "watches.save"
    WATCHES_LEAVE = "watches.leave"
    WATCHES_LEAVE_READ = "watches.leave_read"
    HOLDS_PLACE = "holds.place"
    GATEWAY_REPORT = "gateway.report"
    SIGN_IN_READ = "sign_in.read"
    SIGN_IN = "sign_in.try"
    ACCOUNT_READ = "account.read"
    ACCOUNT_MANAGE = "account.manage"
    CONSENT_ASK = "consent.ask"
    CONSENT_READ = "consent.read"
    CONSENT_GIVE = "consent.give"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a deed asks of its caller: a scope in the token and one of the capacities.

    ``scope`` None means that the deed is public. ``capacities`` empty means that an organization
    may do it before it is verified. A person needs one of the ``roles`` as well (owners have all of them), and for
    a ``step_up`` deed a second factor proved within the last minutes. Programs act for the organization as a whole.
    ``in_person`` is for somebody who is signed in with a browser, for whichever organization: no token opens it.
    """

    scope: str | None
    capacities: frozenset[Capacity]
    meaning: str
    changes: bool = False
    roles: frozenset[MemberRole] = frozenset()
    step_up: bool = False
    in_person: bool = False
