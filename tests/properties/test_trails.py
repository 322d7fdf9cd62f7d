"""Whatever comes of random trades: each is found from every one of its ends, and its trail closes.

``TRAIL_TRADES`` sets how many trades there are to be, ``TRAIL_SEED`` from which seed on.
"""

import logging
import os
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random

from flask import Flask

from marketplace.audit import sequencer
from marketplace.billing import trail as billing
from marketplace.exchange import trail, trail_ends
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.contract.recorder import Exchange
from tests.properties import money_dice as dice
from tests.properties.money_world import World, rows
from tests.properties.test_money_machine import living, make_exchange

__all__ = ["make_exchange"]  # the fixture

log = logging.getLogger(__name__)
TRADES = int(os.environ.get("TRAIL_TRADES", "16"))
SEED = int(os.environ.get("TRAIL_SEED", "1"))
LIFE = 100


def live(world: World, die: Random, steps: int) -> None:
    """Do so many deeds at random, then let everything arrive."""
    deed_of = list(dice.DICE)
    weights = [dice.DICE[one][0] for one in deed_of]
    for _ in range(steps):
        deed = die.choices(deed_of, weights)[0]
        world.do(deed, world, *dice.DICE[deed][1](die))
    world.settle_down()


def traced(world: World, asked: str) -> trail.Trace:
    """The trace of an id, as the machine sees it."""
    with clock.stopped(world.now), transaction():
        return trail.trace(trail.MACHINE, asked, size=100)


def led_to(asked: str) -> set[str]:
    """The trades that an id leads to."""
    with transaction():
        orders = trail_ends.orders_of(trail.MACHINE, asked)
        return {line.order_id for line in billing.list_trades(trail.MACHINE, orders, None, billing.TRADES_MAX)}


def follow(world: World, order_id: str, die: Random, kinds: Counter[str]) -> list[object]:
    """Trace a trade from its order; then each of its ends must lead to it, and one of them tell the same of it.

    Whatever an id leads to is told from the order down, so that all who lead to it tell the same.
    """
    whole = traced(world, order_id).trail
    assert whole is not None
    kinds.update(node.kind.value for node in whole.nodes)
    loose: list[object] = [*whole.missing]
    ends = [name for node in whole.nodes for name in (node.id, *(entry.id for entry in node.entries))]
    loose += [("leads elsewhere", end) for end in ends if order_id not in led_to(end)]
    other = traced(world, die.choice(ends)).trail
    if other is not None and known(other) != known(whole):
        loose.append(("tells another trade", order_id))
    db.session.remove()
    return loose


def known(of: trail.Trail) -> list[tuple[str, str]]:
    """Return what a trail names."""
    return [(one.kind, one.id) for one in of.nodes]


def test_every_random_trade_closes_from_every_end(
    make_exchange: Callable[[], Flask], stripe_contract: list[Exchange]
) -> None:
    done, kinds, loose = 0, Counter[str](), []
    for seed in count(SEED):
        with living(make_exchange, seed) as world:
            die = Random(seed)
            live(world, die, LIFE)
            sequencer.sequence_all()
            trades = rows("SELECT id FROM purchase_order WHERE coalesce(term_number, 1) = 1 ORDER BY id")
            for row in trades[: TRADES - done]:
                loose += follow(world, row.id, die, kinds)
            done += len(trades[: TRADES - done])
        # What was sent is held against Stripe's contract by the machine of money, which sends the same.
        stripe_contract.clear()
        log.warning("seed %d: %d trades, %s", seed, done, dict(kinds))
        assert loose == []
        if done >= TRADES:
            break
