"""Payouts at once: those who draw, refund, send and call off race on the real database, and agree to the yen."""

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import select

from marketplace.billing import postings
from marketplace.billing.payouts import service
from marketplace.billing.payouts.models import Payout, PayoutItem
from marketplace.exchange import payout
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction
from tests.factories import market, money, payouts


def available(provider: str) -> int:
    return -money.balances().get(postings.provider_available(provider), 0)


def test_of_eight_who_draw_at_once_one_draws(own_database: Flask) -> None:
    with own_database.app_context():
        operator = payouts.operator()
        provider = payouts.earned(own_database, 100_000)

    def draw(number: int) -> int:
        with own_database.app_context(), transaction():
            made = payout.draw_all(operator) if number % 2 else [service.find_draw(operator, provider)]
            return len([one for one in made if one])

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(draw, range(8))) == 1
    with own_database.app_context():
        assert len(db.session.scalars(select(PayoutItem)).all()) == 1
        assert available(provider) == 0
        money.assert_sound()


def test_a_draw_and_a_refund_at_once_agree_to_the_yen(own_database: Flask) -> None:
    with own_database.app_context():
        operator, on = payouts.operator(), market.listed()
        provider = on.provider.organization_id
        sales = [money.sold(own_database, 30_000, on=on) for _ in range(3)]
        payouts.account_of(provider)
        payouts.released()

    def race(number: int) -> None:
        with own_database.app_context():
            if number % 2:
                money.refunded(sales[number // 2], 11_000, request=f"req_{number}")
            else:
                with transaction():
                    service.find_draw(operator, provider)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(race, range(6)))
    with own_database.app_context():
        [made] = db.session.scalars(select(Payout))
        assert made.amount_yen + available(provider) == 3 * (29_700 - 9_900)
        money.assert_sound()


def test_of_those_who_send_and_call_off_at_once_one_wins(own_database: Flask) -> None:
    with own_database.app_context():
        operator = payouts.operator()
        payout_id = payouts.drawn(operator, payouts.earned(own_database)).id

    def race(number: int) -> str:
        with own_database.app_context():
            try:
                with transaction():
                    if number % 2:
                        return service.cancel(operator, payout_id).state
                    service.put_in_file(operator, clock.today())
                    return "sent"
            except Refusal as refusal:
                return refusal.slug

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(race, range(8)))
    with own_database.app_context():
        assert len(answers & {"sent", "cancelled"}) == 1, answers
        assert payouts.now(payout_id).state in answers
        money.assert_sound()
