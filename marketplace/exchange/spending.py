"""Spending: what a fetch may cost, and what an order costs, counts against the buyer's budgets before it is had."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from marketplace.access import queries as access
from marketplace.access.models import Grant
from marketplace.access.rules import Entitlement
from marketplace.billing import queries as orders
from marketplace.billing.budgets import queries as budgets
from marketplace.billing.budgets import rules
from marketplace.billing.budgets import service as budgeting
from marketplace.billing.budgets.models import Budget
from marketplace.billing.budgets.queries import BudgetView
from marketplace.billing.budgets.rules import BudgetDraft, Worth
from marketplace.billing.budgets.service import Before, Meter
from marketplace.billing.models import Order
from marketplace.billing.orders import LAPSED
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.subscriptions import queries as subscribed
from marketplace.exchange import usage_wording
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import BillingPeriod, UsageUnit
from marketplace.metering import periods, quotas
from marketplace.metering import queries as usage
from marketplace.metering import service as metering
from marketplace.metering.service import OpenedDelivery

ORDERS_JOB = "billing.orders_in_budget"
ON_THEIR_WAY = timedelta(minutes=1)
"""How long after a budget was set its orders are looked for again: those that were being placed did not see it."""
_COUNTED = {
    UsageUnit.MIB: ("used_bytes", "reserved_bytes", "bytes_new"),
    UsageUnit.ROW: ("used_rows", "reserved_rows", "rows_new"),
    UsageUnit.REQUEST: ("used_requests", "open_deliveries", "requests"),
    UsageUnit.DOWNLOAD: ("due_downloads", None, "downloads_new"),
}
"""Where a grant's usage, what is held of it, and what single deliveries came to are counted, by the price's unit.

What running deliveries hold in downloads is counted when it is asked for: several of one content make one due.
"""


def set_budget(actor: Actor, draft: BudgetDraft) -> BudgetView:
    """Set a budget, and count what its grants have come to this month already; that refuses nothing.

    Raises BudgetsFull, or Invalid for a grant that is not the caller's.
    """
    for index, grant_id in enumerate(draft.grant_ids or ()):
        _require_own(actor, grant_id, f"/grant_ids/{index}")
    budget = budgeting.set_budget(actor, draft)
    in_use = usage.list_grants_in_use(actor.organization_id, periods.month_start(clock.now()))
    for grant_id in in_use:
        if draft.grant_ids is None or grant_id in draft.grant_ids:
            quotas.lock(grant_id)
            _count_against([budget], grant_id, enforced=False)
    _count_orders(budget)
    own = {"organization_id": budget.organization_id, "budget_id": budget.id}
    jobs.enqueue(ORDERS_JOB, scheduled_at=clock.now() + ON_THEIR_WAY, **own)
    return budgets.view(budget)


@jobs.task(ORDERS_JOB)
def count_orders(organization_id: str, budget_id: str) -> None:
    """Count in a budget the orders of the month it was set in, also those that were being placed meanwhile."""
    with transaction():
        try:
            budget = budgets.lock_budget(Actor(organization_id), budget_id)
        except NotFound:
            return
        _count_orders(budget)


def count_order(order_id: str) -> None:
    """Count an order that has just been placed in every budget it belongs to: those of its grant or for all grants.

    To be called in the transaction that places it, before anything is booked. Raises BudgetExhausted; roll back then.
    """
    order = orders.require_order(order_id)
    if order.amount_net_yen:
        for budget in budgets.lock_of_grant(order.organization_id, _grant_of(order)):
            budgeting.count_order(budget, order.id, _placed_in(order), order.amount_net_yen, enforced=True)


def recount_order(order_id: str) -> None:
    """Count what an order, and others of its subscription, have come to now that one lapsed, was paid or given back.

    To be called in the transaction that did it, before anything is booked. Nothing is refused.
    """
    for order in orders.list_orders_beside(orders.require_order(order_id)):
        for budget in budgets.lock_of_order(order.id):
            budgeting.count_order(budget, order.id, _placed_in(order), _worth_of(order), enforced=False)


def open_delivery(entitled: Entitlement, start: int, length: int, client_id: str | None) -> OpenedDelivery:
    """Open a delivery as metering does, and hold what it may cost in every budget that the grant belongs to.

    To be called in the transaction of the grant check. Raises QuotaExhausted, TooManyStreams and BudgetExhausted; roll
    back then.
    """
    opened = metering.open_delivery(entitled, start, length, client_id)
    _count(entitled.organization_id, entitled.grant_id, enforced=True)
    return opened


def require_left(organization_id: str, grant_id: str) -> None:
    """Refuse where quota or budgets leave nothing at all, before somebody outside is asked for an answer.

    What the answer costs is held when it is there. Holds the grant's accounting until the transaction ends.
    Raises QuotaExhausted, TooManyStreams and BudgetExhausted.
    """
    quotas.lock(grant_id)
    quotas.require_left(grant_id)
    held = budgets.lock_of_grant(organization_id, grant_id)
    counted = _counted(grant_id) if held else None
    if counted is None:
        return
    meter, worth = counted
    least = 0 if worth.price.unit is UsageUnit.ROW else 1
    for budget in held:
        budgeting.count(budget, meter, worth, enforced=False)
        budgeting.require_room(budget, replace(meter, units_held=meter.units_held + least), worth)


def count_ended(organization_id: str, grant_id: str) -> None:
    """Count what a grant has come to after one of its deliveries has ended; what was held and not used is free again.

    To be called in the transaction that closed it. Nothing is refused: it was delivered.
    """
    _count(organization_id, grant_id, enforced=False)


def count_corrected(organization_id: str, grant_id: str) -> None:
    """Count what a grant has come to after its usage was corrected, in this month or before.

    To be called in the transaction that corrected it. What earlier months came to is not counted again.
    """
    held = budgets.lock_of_grant(organization_id, grant_id)
    counted = _counted(grant_id) if held else None
    if counted is None:
        return
    for budget in held:
        budgeting.begin_anew(budget, counted[0])
    _count_against(held, grant_id, enforced=False)


def come_to(grant_id: str) -> int:
    """Return what a grant has come to in yen before tax, with what running downloads may add; the caller holds it."""
    counted = _counted(grant_id)
    if counted is None:
        return 0
    meter, worth = counted
    before = meter.before()
    spent = rules.spent(worth, meter.units_used - before.units, meter.units_held, before.yen)
    return spent.yen_used + spent.yen_held


def would_add(entitled: Entitlement, client_id: str | None) -> int:
    """Return what a delivery of the whole content would add to the bill at the dearest: it is held, and let go again.

    Holds the grant's accounting until the transaction ends. Raises what opening it now would.
    """
    quotas.lock(entitled.grant_id)
    before = come_to(entitled.grant_id)
    with db.session.begin_nested() as trial:
        quotas.hold(entitled, new_id("dlv"), 0, entitled.size_bytes, client_id)
        _count(entitled.organization_id, entitled.grant_id, enforced=True)
        after = come_to(entitled.grant_id)
        trial.rollback()
    return max(after - before, 0)


def is_by_request(grant: Grant) -> bool:
    """Whether the price of a grant counts requests."""
    return subscribed.price_of_order(orders.require_order(grant.order_id)).unit is UsageUnit.REQUEST


def _count_orders(budget: Budget) -> None:
    for order in orders.list_orders_since(budget.organization_id, periods.month_start(budget.created_at)):
        if budget.grant_ids is None or _grant_of(order) in budget.grant_ids:
            budgeting.count_order(budget, order.id, _placed_in(order), _worth_of(order), enforced=False)


def _count(organization_id: str, grant_id: str, *, enforced: bool) -> None:
    # The grant's accounting is held by the caller, so the state that is read here cannot change until it is kept.
    held = budgets.lock_of_grant(organization_id, grant_id)
    if held:
        _count_against(held, grant_id, enforced=enforced)


def _count_against(held: Sequence[Budget], grant_id: str, *, enforced: bool) -> None:
    counted = _counted(grant_id)
    if counted is not None:
        for budget in held:
            budgeting.count(budget, *counted, enforced=enforced)


def _counted(grant_id: str) -> tuple[Meter, Worth] | None:
    """Return how far a grant is and how it is charged; None where its usage costs nothing now."""
    grant = access.require_grant(grant_id)
    order = orders.require_order(grant.order_id)
    worth = Worth(subscribed.price_of_order(order), usage_wording.shares_off(order))
    charged_from = grant.starts_at + timedelta(days=worth.price.trial_days)
    if worth.price.unit is None or clock.now() < charged_from:
        return None
    if worth.price.unit is UsageUnit.ROW:
        quotas.hold_rows(grant_id)
    return _meter(grant, worth, worth.price.unit, charged_from), worth


def _meter(grant: Grant, worth: Worth, unit: UsageUnit, charged_from: datetime) -> Meter:
    quota = usage.get_quota(grant.id)
    used, reserved, _new = _COUNTED[unit]
    return Meter(
        grant_id=grant.id,
        month=periods.month_of(clock.now()),
        units_used=getattr(quota, used),
        units_held=getattr(quota, reserved) if reserved else quotas.count_held_downloads(grant.id),
        before=partial(_before, grant.id, worth, unit, charged_from, getattr(quota, used)),
    )


def _before(grant_id: str, worth: Worth, unit: UsageUnit, charged_from: datetime, used: int) -> Before:
    this_month = max(periods.month_start(clock.now()), charged_from)
    before_month = used - _used_since(grant_id, unit, this_month)
    if worth.price.period is BillingPeriod.MONTH:
        return Before(before_month)
    in_trial = used - _used_since(grant_id, unit, charged_from)
    return Before(in_trial, rules.charged(worth, before_month - in_trial))


def _used_since(grant_id: str, unit: UsageUnit, since: datetime) -> int:
    _used, _reserved, new = _COUNTED[unit]
    return int(getattr(usage.used_since(grant_id, since), new))


def _grant_of(order: Order) -> str | None:
    """Return the grant that a renewal carries on; other orders have none before they are placed."""
    if order.subscription_id is None:
        return None
    grant = access.find_grant_of_order(subscribed.first_order_id(order.subscription_id))
    return grant.id if grant else None


def _placed_in(order: Order) -> date:
    return periods.month_of(order.created_at)


def _worth_of(order: Order) -> int:
    """Return what an order comes to before tax: nothing where it lapsed, else what was not given back, rounded up."""
    if order.state in LAPSED:
        return 0
    invoice = orders.find_invoice_of_order(order.id)
    if invoice is None:
        return order.amount_net_yen
    return -(-order.amount_net_yen * refunds.left_yen(invoice) // invoice.amount_gross_yen)


def _require_own(actor: Actor, grant_id: str, pointer: str) -> None:
    try:
        is_own = access.get_grant(actor, grant_id).organization_id == actor.organization_id
    except NotFound:
        is_own = False
    if not is_own:
        raise Invalid(errors=[{"pointer": pointer, "detail": "is no grant of your organization"}])
