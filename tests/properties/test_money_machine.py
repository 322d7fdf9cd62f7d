"""A random machine of money: whatever happens in whatever order, the books say what a plain model says.

A few runs by default. ``MONEY_RUNS`` and ``MONEY_STEPS`` set how many and how long those of hypothesis are,
``MONEY_OPERATIONS`` and ``MONEY_SEED`` how many deeds the long life has, from which seed on.
"""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from random import Random

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from marketplace.app import create_app
from marketplace.exchange import bookkeeping
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.conftest import MakeSettings
from tests.contract.recorder import Exchange
from tests.properties import money_deeds as deeds
from tests.properties import money_dice as dice
from tests.properties.money_checks import check_always, check_at_rest
from tests.properties.money_world import World, rows

log = logging.getLogger(__name__)
RUNS = int(os.environ.get("MONEY_RUNS", "3"))
STEPS = int(os.environ.get("MONEY_STEPS", "25"))
OPERATIONS = int(os.environ.get("MONEY_OPERATIONS", "200"))
SEED = int(os.environ.get("MONEY_SEED", "1"))
LIFE = 250
REQUESTS_CHECKED = 500
some = st.integers(0, 30)
yen = st.integers(1, 60_000)


class MoneyMachine(RuleBasedStateMachine):
    """Every deed of buyers, providers, operators, the bank, the gateway and the calendar."""

    make: Callable[[], Flask]

    @initialize(seed=st.integers(0, 2**32), orders=st.lists(st.tuples(some, some, some), min_size=3, max_size=8))
    def found(self, seed: int, orders: list[tuple[int, int, int]]) -> None:
        self.app = type(self).make()
        self.context = self.app.app_context()
        self.context.push()
        self.world = World(self.app, seed)
        for said in orders:
            self.order(*said)

    def do(self, deed: Callable[..., None], *said: object) -> None:
        self.world.do(deed, self.world, *said)

    @rule(who=some, shelf=some, rail=some)
    def order(self, who: int, shelf: int, rail: int) -> None:
        self.do(deeds.order, who, shelf, rail)

    @rule(n=some, how=st.sampled_from(dice.AT_THE_PAGE))
    def visit(self, n: int, how: str) -> None:
        self.do(deeds.visit, n, how)

    @rule(n=some, amount=yen, how=st.sampled_from(dice.AT_THE_GATEWAY))
    def transfer_to_the_gateway(self, n: int, amount: int, how: str) -> None:
        self.do(deeds.transfer_to_the_gateway, n, amount, how)

    @rule(n=some, amount=yen, how=st.sampled_from(dice.AT_THE_BANK))
    def transfer_to_the_bank(self, n: int, amount: int, how: str) -> None:
        self.do(deeds.transfer_to_the_bank, n, amount, how)

    @rule(n=some, to=some, how=st.sampled_from(dice.WITH_THE_BANK))
    def look_after_the_bank(self, n: int, to: int, how: str) -> None:
        self.do(deeds.look_after_the_bank, n, to, how)

    @rule(n=some)
    def pay_outside(self, n: int) -> None:
        self.do(deeds.pay_outside, n)

    @rule(n=some)
    def pay_an_invoice_by_card(self, n: int) -> None:
        self.do(deeds.pay_an_invoice_by_card, n)

    @rule(n=some, part=st.sampled_from([1, 2, 3, 7]), held=st.booleans(), send=st.booleans())
    def give_back(self, n: int, part: int, held: bool, send: bool) -> None:
        self.do(deeds.give_back, n, part, held, send)

    @rule(n=some, how=st.sampled_from(dice.WITH_REFUNDS))
    def follow_refunds(self, n: int, how: str) -> None:
        self.do(deeds.follow_refunds, n, how)

    @rule(n=some, part=st.sampled_from([1, 2]), how=st.sampled_from(dice.IN_DISPUTES))
    def dispute(self, n: int, part: int, how: str) -> None:
        self.do(deeds.dispute, n, part, how)

    @rule(n=some)
    def cancel(self, n: int) -> None:
        self.do(deeds.cancel, n)

    @rule(n=some, first=st.integers(0, 1023), length=st.integers(1, 1024), acked=st.integers(0, 1024))
    def fetch(self, n: int, first: int, length: int, acked: int) -> None:
        self.do(deeds.fetch, n, first, length, acked)

    @rule(back=st.sampled_from([0, 0, 1, 40]))
    def close_books(self, back: int) -> None:
        self.do(deeds.close_books, back)

    @rule(n=some, how=st.sampled_from(dice.WITH_PAYOUTS))
    def pay_out(self, n: int, how: str) -> None:
        self.do(deeds.pay_out, n, how)

    @rule(n=some, how=st.sampled_from(dice.FROM_THE_GATEWAY))
    def gateway_pays_us_out(self, n: int, how: str) -> None:
        self.do(deeds.gateway_pays_us_out, n, how)

    @rule(share=st.sampled_from([0.2, 0.5, 1.0]), workers=st.sampled_from([1, 1, 1, 2]))
    def hear(self, share: float, workers: int) -> None:
        self.do(deeds.hear, share, workers)

    @rule(job=st.sampled_from(dice.JOBS))
    def work(self, job: str) -> None:
        self.do(deeds.work, job)

    @rule(hours=st.sampled_from(dice.HOURS))
    def jump(self, hours: int) -> None:
        self.do(deeds.jump, timedelta(hours=hours))

    @rule()
    def end_of_month(self) -> None:
        self.do(deeds.end_of_month)

    @precondition(lambda self: hasattr(self, "world") and self.world.steps % 5 == 4)
    @rule()
    def everything_arrives(self) -> None:
        self.world.steps += 1
        self.world.settle_down()
        check_at_rest(self.world)

    @invariant()
    def the_books_hold(self) -> None:
        if hasattr(self, "world"):
            with clock.stopped(self.world.now):
                check_always(self.world)
            db.session.remove()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.world.settle_down()
            check_at_rest(self.world)
            assert bookkeeping.check() == []
        finally:
            db.session.remove()
            db.engine.dispose()
            self.context.pop()


@pytest.fixture
def make_exchange(clone: Callable[[], str], make_settings: MakeSettings) -> Callable[[], Flask]:
    """Make an exchange with a database of its own."""
    return lambda: create_app(make_settings(clone(), payout_minimum_yen=500, payout_approval_yen=20_000))


def test_whatever_happens_the_books_say_what_the_model_says(make_exchange: Callable[[], Flask]) -> None:
    # Not shrunk: a run costs seconds. What failed is told as a program, to be made a plain test.
    chosen = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        database=None,
    )
    machine = type("Machine", (MoneyMachine,), {"make": staticmethod(make_exchange)})
    run_state_machine_as_test(machine, settings=chosen)


@contextmanager
def living(make: Callable[[], Flask], seed: int) -> Iterator[World]:
    """A world on a database of its own."""
    app = make()
    with app.app_context():
        try:
            yield World(app, seed)
        finally:
            db.session.remove()
            db.engine.dispose()


def test_a_long_life_of_deeds_leaves_sound_books(
    make_exchange: Callable[[], Flask], stripe_contract: list[Exchange]
) -> None:
    done, told = 0, Counter[str]()
    for seed in count(SEED):
        with living(make_exchange, seed) as world:
            live(world, Random(seed), min(LIFE, OPERATIONS - done))
            done += world.steps
            told += Counter(told_of(world))
        # What is sent is held against Stripe's contract; of a very long life, only the last of it.
        del stripe_contract[:-REQUESTS_CHECKED]
        log.warning("seed %d: %d operations, %s", seed, done, dict(told))
        if done >= OPERATIONS:
            break


def told_of(world: World) -> dict[str, int]:
    """How much of everything a life had."""
    tables = ("purchase_order", "invoice", "refund", "dispute", "payout", "bank_line", "ledger_txn")
    counted = {table: rows(f"SELECT count(*) AS n FROM {table}")[0].n for table in tables}
    charges = rows("SELECT count(*) AS n FROM sandbox_object WHERE kind = 'charge' AND status = 'succeeded'")[0].n
    return {"posted": world.posted, "refused": world.refused.total(), "charges": charges, **counted}


def live(world: World, die: Random, steps: int) -> None:
    """Do so many deeds at random; what fails tells all that was done before."""
    deed_of = list(dice.DICE)
    weights = [dice.DICE[one][0] for one in deed_of]
    history = []
    try:
        for step in range(steps):
            deed = die.choices(deed_of, weights)[0]
            said = dice.DICE[deed][1](die)
            history.append((deed.__name__, *said))
            world.do(deed, world, *said)
            with clock.stopped(world.now):
                check_always(world)
            if step % 40 == 39:
                history.append(("settle_down",))
                world.settle_down()
                check_at_rest(world)
        world.settle_down()
        check_at_rest(world)
        assert bookkeeping.check() == []
    except BaseException as failure:
        failure.add_note("\n".join(map(repr, history)))
        raise
