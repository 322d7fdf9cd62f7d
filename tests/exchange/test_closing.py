"""What the calendar asks for, by the nightly job and by command: sales become drawable when their hold period is over."""

from datetime import timedelta

from flask import Flask

from marketplace.billing import ledger_checks, ledger_queries, postings
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
