"""Deeds about budgets: setting, changing and removing them, and counting what grants come to against them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.budgets import letters, queries, rules
from marketplace.billing.budgets.errors import BudgetExhausted, BudgetsFull, BudgetStale
from marketplace.billing.budgets.models import Budget, BudgetAlert, BudgetCount, BudgetOrder, BudgetShare
from marketplace.billing.budgets.rules import BudgetDraft, Spent, Worth
from marketplace.billing.budgets.states import BudgetPeriod
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, mail
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

# A grant's holds lie in the month in which it was counted last: what it held in earlier ones goes there.
_MOVE_ON = text("""
WITH gone AS (
  SELECT month, yen_held FROM budget_share
   WHERE budget_id = :budget_id AND grant_id = :grant_id AND month < :month AND yen_held > 0),
freed AS (
  UPDATE budget_share SET yen_held = 0
   WHERE budget_id = :budget_id AND grant_id = :grant_id AND month < :month AND yen_held > 0)
UPDATE budget_count c SET yen_held = c.yen_held - sums.yen
  FROM (SELECT CASE WHEN :monthly THEN month ELSE 'none' END AS period, sum(yen_held) AS yen FROM gone GROUP BY 1) sums
 WHERE c.budget_id = :budget_id AND c.period = sums.period
""")
# What costs nothing more is let through whatever the budget has come to: its limit may have been lowered.
_COUNT = text("""
UPDATE budget_count SET yen_used = yen_used + CAST(:used AS bigint), yen_held = yen_held + CAST(:held AS bigint)
 WHERE budget_id = :budget_id AND period = :period
   AND (NOT :enforced OR CAST(:more AS bigint) <= 0
        OR yen_used + yen_held + CAST(:more AS bigint) + CAST(:held_before AS bigint) <= CAST(:limit_yen AS bigint))
RETURNING yen_used, yen_held
""")
_KEEP_SHARE = text("""
UPDATE budget_share SET yen_used = :yen_used, yen_held = :yen_held
 WHERE budget_id = :budget_id AND grant_id = :grant_id AND month = :month
""")

_BEGIN_ANEW = text("""
UPDATE budget_share SET units_before = :units_before, yen_before = :yen_before
 WHERE budget_id = :budget_id AND grant_id = :grant_id AND month = :month
""")


class Before(NamedTuple):
    """What a grant's price does not count in the running month: units, and yen that earlier months came to."""

    units: int
    yen: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Meter:
    """How far a grant is: units ever used, units held now, in the month that usage counts in.

    ``before`` is asked once a month, when the grant is first counted in it.
    """

    grant_id: str
    month: date
    units_used: int
    units_held: int
    before: Callable[[], Before]


def set_budget(actor: Actor, draft: BudgetDraft) -> Budget:
    """Set a budget for the caller's organization; raises BudgetsFull. Whose grants they are the caller has checked."""
    organization = identity.get_organization(actor.organization_id)
    if queries.count_budgets(organization.id) >= rules.BUDGETS_MAX:
        raise BudgetsFull(budgets_max=rules.BUDGETS_MAX)
    budget = Budget(
        id=new_id("bdg"),
        organization_id=organization.id,
        name=draft.name,
        limit_yen=draft.limit_yen,
        period=draft.period.value,
        grant_ids=sorted(set(draft.grant_ids)) if draft.grant_ids is not None else None,
        version=1,
        created_at=clock.now(),
    )
    db.session.add(budget)
    db.session.flush()
    facts = {"period": budget.period, "grant_ids": budget.grant_ids}
    audit.record(actor, Verb.BUDGET_SET, subject=budget.id, amount_minor=budget.limit_yen, facts=facts)
    return budget


def change_budget(
    actor: Actor, budget_id: str, expected_version: int, *, name: str | None = None, limit_yen: int | None = None
) -> Budget:
    """Rename a budget or set another limit; one below what was used refuses from now on and takes nothing back.

    Raises NotFound or BudgetStale.
    """
    budget = queries.lock_budget(actor, budget_id)
    if budget.version != expected_version:
        raise BudgetStale(version=budget.version)
    before = budget.limit_yen
    budget.name, budget.limit_yen = name or budget.name, limit_yen or budget.limit_yen
    budget.version += 1
    db.session.flush()
    facts = {"before": before, "version": budget.version}
    audit.record(actor, Verb.BUDGET_CHANGED, subject=budget.id, amount_minor=budget.limit_yen, facts=facts)
    shown = queries.view(budget)
    _alert(budget, shown.running_period, shown.yen_used + shown.yen_held)
    return budget


def remove_budget(actor: Actor, budget_id: str) -> None:
    """Remove a budget with all that was counted against it; raises NotFound."""
    budget = queries.lock_budget(actor, budget_id)
    audit.record(actor, Verb.BUDGET_REMOVED, subject=budget.id, amount_minor=budget.limit_yen)
    db.session.execute(delete(Budget).where(Budget.id == budget.id), execution_options={"synchronize_session": False})
    db.session.expunge(budget)


def count(budget: Budget, meter: Meter, worth: Worth, *, enforced: bool) -> None:
    """Set what a grant comes to this month in a budget that the caller holds, as it holds the grant's accounting.

    ``enforced`` raises BudgetExhausted where that is more than before and passes the limit; roll back then.
    """
    named = _named(budget, meter)
    db.session.execute(_MOVE_ON, named | {"monthly": budget.period == BudgetPeriod.MONTH})
    share = _share(named, meter)
    spent = _spent(share, meter, worth)
    db.session.execute(_KEEP_SHARE, named | {"yen_used": spent.yen_used, "yen_held": spent.yen_held})
    more = Spent(spent.yen_used - share.yen_used, spent.yen_held - share.yen_held)
    _add(budget, rules.period_of(BudgetPeriod(budget.period), meter.month), more, enforced=enforced)


def count_order(budget: Budget, order_id: str, placed_in: date, yen: int, *, enforced: bool) -> None:
    """Set what an order comes to in a budget that the caller holds, in the month in which it was placed.

    ``enforced`` raises BudgetExhausted where that is more than before and passes the limit; roll back then.
    """
    period = rules.period_of(BudgetPeriod(budget.period), placed_in)
    begun = insert(BudgetOrder).values(budget_id=budget.id, order_id=order_id, period=period, yen=0)
    db.session.execute(begun.on_conflict_do_nothing())
    counted = (BudgetOrder.budget_id == budget.id, BudgetOrder.order_id == order_id)
    before = db.session.execute(select(BudgetOrder.yen).where(*counted)).scalar_one()
    if yen != before:
        as_sent = {"synchronize_session": False}
        db.session.execute(update(BudgetOrder).where(*counted).values(yen=yen), execution_options=as_sent)
        _add(budget, period, Spent(yen - before, 0), enforced=enforced)


def begin_anew(budget: Budget, meter: Meter) -> None:
    """Ask again what a grant's running month does not count, since usage was corrected; counts nothing yet."""
    before = meter.before()
    facts = _named(budget, meter) | {"units_before": before.units, "yen_before": before.yen}
    db.session.execute(_BEGIN_ANEW, facts)


def require_room(budget: Budget, meter: Meter, worth: Worth) -> None:
    """Refuse what a grant would come to where that passes the limit, and count nothing.

    The caller has counted what it comes to now, and holds what that takes. Raises BudgetExhausted.
    """
    share = _share(_named(budget, meter), meter)
    spent = _spent(share, meter, worth)
    more = spent.yen_used + spent.yen_held - share.yen_used - share.yen_held
    if more > 0 and more > queries.view(budget).yen_left:
        raise _exhausted(budget, more)


def _named(budget: Budget, meter: Meter) -> dict[str, Any]:
    return {"budget_id": budget.id, "grant_id": meter.grant_id, "month": f"{meter.month:%Y-%m}"}


def _spent(share: Row[int, Decimal, int, int], meter: Meter, worth: Worth) -> Spent:
    return rules.spent(worth, meter.units_used - share.units_before, meter.units_held, share.yen_before)


def _share(named: dict[str, Any], meter: Meter) -> Row[int, Decimal, int, int]:
    columns = (BudgetShare.units_before, BudgetShare.yen_before, BudgetShare.yen_used, BudgetShare.yen_held)
    found = db.session.execute(select(*columns).filter_by(**named)).one_or_none()
    if found is not None:
        return found
    before = meter.before()
    facts = {"units_before": before.units, "yen_before": before.yen, "yen_used": 0, "yen_held": 0}
    return db.session.execute(insert(BudgetShare).values(**named, **facts).returning(*columns)).one()


def _add(budget: Budget, period: str, more: Spent, *, enforced: bool) -> None:
    begun = insert(BudgetCount).values(budget_id=budget.id, period=period, yen_used=0, yen_held=0)
    db.session.execute(begun.on_conflict_do_nothing())
    held_before = queries.held_before(budget.id, period)
    facts = {"budget_id": budget.id, "period": period, "limit_yen": budget.limit_yen, "held_before": held_before}
    asked = more.yen_used + more.yen_held
    added = {"used": more.yen_used, "held": more.yen_held, "more": asked, "enforced": enforced}
    now = db.session.execute(_COUNT, facts | added).one_or_none()
    if now is None:
        raise _exhausted(budget, asked)
    _alert(budget, period, now.yen_used + now.yen_held + held_before)


def _exhausted(budget: Budget, asked: int) -> BudgetExhausted:
    shown = queries.view(budget)
    return BudgetExhausted(
        f"This may cost {asked:,} yen before tax, and {shown.yen_left:,} of {budget.limit_yen:,} yen are left of the"
        f" budget {budget.name!r}; downloads still running hold {shown.yen_held:,}.",
        budget_id=budget.id,
        budget_name=budget.name,
        period=shown.running_period,
        limit_yen=budget.limit_yen,
        yen_left=shown.yen_left,
        yen_held=shown.yen_held,
        yen_asked=asked,
    )


def _alert(budget: Budget, period: str, yen: int) -> None:
    """Tell of each share of the limit that is reached for the first time in the period; its row makes that once."""
    for percent in rules.reached(budget.limit_yen, yen):
        row = {"budget_id": budget.id, "period": period, "percent": percent, "alerted_at": clock.now()}
        told = insert(BudgetAlert).values(**row).on_conflict_do_nothing().returning(BudgetAlert.percent)
        if db.session.execute(told).first() is not None:
            _tell(budget, period, percent, yen)


def _tell(budget: Budget, period: str, percent: int, yen: int) -> None:
    letter = letters.alert(budget.name, percent, yen, budget.limit_yen, period)
    for address in identity.list_addresses(budget.organization_id, roles.FINANCING):
        mail.send(address, letter.subject, letter.body)
    facts = {"percent": percent, "period": period, "limit_yen": budget.limit_yen}
    audit.record(SYSTEM, Verb.BUDGET_ALERTED, subject=budget.id, amount_minor=yen, facts=facts)
