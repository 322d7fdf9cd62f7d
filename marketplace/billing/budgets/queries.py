"""Reading budgets: by their organization, and those that a fetch counts against."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select, text

from marketplace.billing.budgets.models import Budget, BudgetAlert, BudgetCount, BudgetOrder
from marketplace.billing.budgets.rules import period_of
from marketplace.billing.budgets.states import BudgetPeriod
from marketplace.identity.actors import Actor
from marketplace.kit import clock, pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page

_LOCK_OF_GRANT = text("""
SELECT id FROM budget
 WHERE organization_id = :organization_id AND (grant_ids IS NULL OR CAST(:grant_id AS text) = ANY(grant_ids))
 ORDER BY id FOR UPDATE
""")


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A budget with what it has come to in the running period, and the alerts of that period.

    ``yen_held`` is what running downloads may add, those of earlier months included.
    """

    id: str
    name: str
    limit_yen: int
    period: str
    grant_ids: list[str] | None
    version: int
    created_at: datetime
    running_period: str
    yen_used: int
    yen_held: int
    alerts: Sequence[BudgetAlert]

    @property
    def yen_left(self) -> int:
        """What may still be asked for."""
        return max(self.limit_yen - self.yen_used - self.yen_held, 0)


def get_budget(actor: Actor, budget_id: str) -> Budget:
    """Return a budget of the caller's organization; NotFound for everyone else."""
    budget = db.session.get(Budget, budget_id, populate_existing=True) if is_id(budget_id) else None
    if budget is None or budget.organization_id != actor.organization_id:
        raise NotFound
    return budget


def lock_budget(actor: Actor, budget_id: str) -> Budget:
    """Return a budget of the caller's organization, and hold it until the transaction ends; raises NotFound."""
    own = (Budget.id == get_budget(actor, budget_id).id,)
    held = select(Budget).where(*own).with_for_update()
    budget = db.session.scalar(held, execution_options={"populate_existing": True})
    if budget is None:
        raise NotFound
    return budget


def count_budgets(organization_id: str) -> int:
    """Return how many budgets an organization has."""
    return db.session.scalar(select(func.count()).where(Budget.organization_id == organization_id)) or 0


def list_budgets(actor: Actor, *, cursor: str | None = None, size: int = pages.SIZE_DEFAULT) -> Page[BudgetView]:
    """List the budgets of the caller's organization, newest first."""
    query = select(Budget).where(Budget.organization_id == actor.organization_id).order_by(Budget.id.desc())
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Budget.id < (str(key[0]) if is_id(str(key[0])) else ""))
    rows = db.session.scalars(query.limit(size + 1), execution_options={"populate_existing": True}).all()
    page = pages.cut(rows, size, lambda budget: [budget.id])
    return Page([view(budget) for budget in page.items], page.next_cursor)


def lock_of_grant(organization_id: str, grant_id: str | None) -> Sequence[Budget]:
    """Return the budgets that usage of a grant counts against, and hold them, always in the same order.

    Those of an order that has no grant yet are the ones for all grants. For nearly all grants there is none, and this
    is all that a download costs them: past the ORM.
    """
    asked = {"organization_id": organization_id, "grant_id": grant_id}
    ids = db.session.connection().execute(_LOCK_OF_GRANT, asked).scalars().all()
    if not ids:
        return []
    held = select(Budget).where(Budget.id.in_(ids)).order_by(Budget.id)
    return db.session.scalars(held, execution_options={"populate_existing": True}).all()


def lock_of_order(order_id: str) -> Sequence[Budget]:
    """Return the budgets in which an order is counted, and hold them, always in the same order."""
    counted = select(BudgetOrder.budget_id).where(BudgetOrder.order_id == order_id)
    held = select(Budget).where(Budget.id.in_(counted)).order_by(Budget.id).with_for_update()
    return db.session.scalars(held, execution_options={"populate_existing": True}).all()


def held_before(budget_id: str, period: str) -> int:
    """Return what downloads that began in earlier periods hold of a budget."""
    earlier = (BudgetCount.budget_id == budget_id, BudgetCount.period < period)
    return int(db.session.scalar(select(func.coalesce(func.sum(BudgetCount.yen_held), 0)).where(*earlier)) or 0)


def view(budget: Budget, month: date | None = None) -> BudgetView:
    """Return a budget with what it has come to in the running period."""
    period = period_of(BudgetPeriod(budget.period), month or clock.today())
    of_period = select(BudgetCount.yen_used, BudgetCount.yen_held).where(
        BudgetCount.budget_id == budget.id, BudgetCount.period == period
    )
    row = db.session.execute(of_period).one_or_none()
    used, held = (row.yen_used, row.yen_held) if row else (0, 0)
    alerts = select(BudgetAlert).where(BudgetAlert.budget_id == budget.id, BudgetAlert.period == period)
    return BudgetView(
        id=budget.id,
        name=budget.name,
        limit_yen=budget.limit_yen,
        period=budget.period,
        grant_ids=budget.grant_ids,
        version=budget.version,
        created_at=budget.created_at,
        running_period=period,
        yen_used=used,
        yen_held=held + held_before(budget.id, period),
        alerts=db.session.scalars(alerts.order_by(BudgetAlert.percent)).all(),
    )
