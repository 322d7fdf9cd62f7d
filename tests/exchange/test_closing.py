"""What the calendar asks for, by the nightly job and by command: sales become drawable when their hold period is over."""

from datetime import timedelta

import pytest
from flask import Flask

from marketplace.billing import ledger_checks, ledger_queries, postings, sales
from marketplace.exchange import closing
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, settings
from tests.factories import money


def test_the_night_after_the_hold_period_lets_the_provider_draw_and_the_nights_after_do_nothing(app: Flask) -> None:
    made = money.sold(app, 5000)
    provider = made.order.provider_organization_id
    pending, available = postings.provider_pending(provider), postings.provider_available(provider)
    earned = ledger_queries.balance_of(pending)
    assert earned < 0
    hold = timedelta(days=settings.current().hold_days)
    with clock.stopped(clock.now() + hold - timedelta(days=1)):
        closing.release_nightly()
    assert ledger_queries.balance_of(available) == 0
    for _night in range(2):
        with clock.stopped(clock.now() + hold):
            closing.release_nightly()
        assert ledger_queries.balance_of(available) == earned
    assert ledger_queries.balance_of(pending) == 0
    assert closing.release(SYSTEM, clock.today() + 2 * hold) == 0
    assert ledger_checks.check_all() == []


def test_many_sales_are_released_in_several_transactions(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sales.release_due, "__defaults__", (2,))
    for _one in range(3):
        money.sold(app)
    with clock.stopped(clock.now() + timedelta(days=settings.current().hold_days)):
        assert closing.release(SYSTEM, clock.today()) == 3
    assert ledger_checks.check_all() == []
