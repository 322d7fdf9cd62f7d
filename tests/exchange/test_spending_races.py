"""Sixty-four clients at once on one budget: the database decides, to the yen."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.access.rules import Entitlement
from marketplace.billing.budgets.errors import BudgetExhausted
from marketplace.billing.budgets.models import BudgetAlert, BudgetCount
from marketplace.billing.budgets.rules import BudgetDraft
from marketplace.exchange import download, spending
from marketplace.kit.db import db
from marketplace.kit.mail import Mail
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, UsageUnit
from tests.factories.budgets import buying, grant_at
from tests.factories.identity import MemberFactory
from tests.factories.metering import entitlement_of

CLIENTS = 64
TEN = Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=Decimal(10))


@pytest.mark.parametrize("grants", [1, 8])
def test_of_64_clients_exactly_as_many_succeed_as_the_budget_pays_for(own_database: Flask, grants: int) -> None:
    with transaction():
        buyer, actor = buying()
        MemberFactory(organization=buyer, role="owner", email="owner@buyer.example.jp")
        entitled = [entitlement_of(grant=grant_at(TEN, buyer)) for _ in range(grants)]
        spending.set_budget(actor, BudgetDraft("研究費", 160))
    start = Barrier(CLIENTS)

    def attempt(one: Entitlement) -> bool:
        with own_database.app_context():
            start.wait()
            try:
                with transaction():
                    opened = spending.open_delivery(one, 0, one.size_bytes, None)
            except BudgetExhausted:
                return False
            finally:
                db.session.remove()
            # All are open at the same time before the first one ends, so that nothing is given back meanwhile.
            running.append(opened.id)
            return True

    running: list[str] = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        won = list(pool.map(attempt, entitled * (CLIENTS // grants)))
    assert sum(won) == len(running) == 16
    assert counted() == (0, 160)

    def end(delivery_id: str) -> None:
        with own_database.app_context():
            download.close_delivery(delivery_id, 10, 10, "complete")
            db.session.remove()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(end, running))
    assert counted() == (160, 0)
    assert sorted(db.session.scalars(select(BudgetAlert.percent))) == [50, 80, 100]
    assert db.session.scalar(select(func.count()).select_from(Mail)) == 3


def counted() -> tuple[int, int]:
    db.session.rollback()
    row = db.session.execute(select(BudgetCount.yen_used, BudgetCount.yen_held)).one()
    return row.yen_used, row.yen_held
