"""Whatever is bought, paid, fetched and settled in whatever order: books, grants, usage and record agree."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from marketplace.app import create_app
from marketplace.audit import sequencer, verification
from marketplace.billing import ledger_queries
from marketplace.exchange import purchase, settlement
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.licensing.states import PriceKind, ReleaseScope
from tests.conftest import MakeSettings
from tests.factories import market

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)
# Ahead of the real clock by less than what verification calls back-dated.
STEP = timedelta(seconds=2)

spans = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE), st.integers(0, SIZE))
deeds = st.one_of(
    st.tuples(st.just("order"), st.integers(0, 2), st.integers(0, 1)),
    st.tuples(st.just("pay"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("learn")),
    st.tuples(st.just("fetch"), st.integers(0, 9), spans),
    st.tuples(st.just("settle")),
    st.tuples(st.just("publish")),
    st.tuples(st.just("sequence")),
)


class World:
    """One seller with three offers, two buyers, and what they have done."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.on = market.listed(content=CONTENT)
        self.buyers = [market.buyer() for _ in range(2)]
        self.offers = [
            market.offered(self.on, PriceKind.FREE, scope=ReleaseScope.ALL),
            market.offered(self.on, PriceKind.ONE_OFF, 777),
            market.offered(self.on, PriceKind.PER_UNIT, 3 * 2**18),
        ]
        self.made: list[tuple[Actor, str]] = []
        self.steps = 0

    def do(self, name: str, *facts: object) -> None:
        """Do one deed a moment after the last one."""
        self.steps += 1
        with clock.stopped(clock.now() + self.steps * STEP):
            getattr(self, name)(*facts)

    def order(self, offer: int, who: int) -> None:
        """Order one of the offers."""
        made = market.ordered(self.buyers[who], self.offers[offer])
        self.made.append((self.buyers[who], made.order.id))

    def pay(self, n: int, accepted: bool) -> None:
        """Press a button on the page of an order that has one."""
        if self.made:
            who, order_id = self.made[n % len(self.made)]
            made = purchase.read(who, order_id)
            if made.payment is not None:
                market.visit(self.app, made, "pay" if accepted else "decline")

    def learn(self) -> None:
        """Hear from the gateway."""
        market.learn()

    def fetch(self, n: int, span: tuple[int, int, int]) -> None:
        """Fetch a range under a grant, and lose the connection somewhere."""
        if self.made:
            who, order_id = self.made[n % len(self.made)]
            grant_id = purchase.read(who, order_id).grant_id
            if grant_id is not None:
                first, length, acked = span
                market.fetched(who, grant_id, acked=acked, Range=f"bytes={first}-{first + length - 1}")

    def settle(self) -> None:
        """Bill what was fetched before."""
        settlement.settle(SYSTEM)

    def publish(self) -> None:
        """Add a release of the same bytes, which cost nothing twice."""
        market.release_of(self.on.provider, self.on.dataset_id, CONTENT)

    def sequence(self) -> None:
        """Place what the record holds."""
        sequencer.sequence_all()


@pytest.fixture(scope="module")
def trading(clone: Callable[[], str], make_settings: MakeSettings) -> Iterator[Callable[[], World]]:
    """Make worlds on one database that only these examples use."""
    app = create_app(make_settings(clone()))

    @contextmanager
    def world() -> Iterator[World]:
        with app.app_context():
            yield World(app)
            db.session.remove()

    yield world
    with app.app_context():
        db.engine.dispose()


def rows(statement: str, **values: object) -> list[tuple]:
    return [tuple(row) for row in db.session.execute(text(statement), values)]


PAID_WITHOUT_ONE_GRANT = """
SELECT o.id FROM purchase_order o WHERE o.state = 'fulfilled' AND 1 <> (SELECT count(*) FROM access_grant g WHERE g.order_id = o.id)
UNION ALL SELECT o.id FROM purchase_order o WHERE o.state <> 'fulfilled' AND EXISTS (SELECT FROM access_grant g WHERE g.order_id = o.id)
"""
PAID_WITHOUT_ONE_INVOICE = """
SELECT o.id FROM purchase_order o WHERE o.state = 'fulfilled'
   AND (o.amount_gross_yen > 0)::int <> (SELECT count(*) FROM invoice i WHERE i.order_id = o.id AND i.state = 'paid')
"""
USAGE_BESIDE_COVERAGE = """
SELECT q.grant_id, q.used_bytes,
       (SELECT coalesce(sum(bytes_new), 0) FROM usage_event e WHERE e.grant_id = q.grant_id),
       (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM coverage c, unnest(c.ranges) r WHERE c.grant_id = q.grant_id)
  FROM quota q
"""
BILLED_BESIDE_CLAIMED = """
SELECT g.id, (SELECT coalesce(sum(quantity_to - quantity_from), 0) FROM rated_line l WHERE l.grant_id = g.id),
       (SELECT coalesce(sum(e.bytes_new), 0) FROM usage_claim c JOIN usage_event e ON e.id = c.event_id WHERE e.grant_id = g.id)
  FROM access_grant g JOIN offer o ON o.id = g.offer_id WHERE o.price_kind = 'per_unit'
"""


def check(world: World) -> None:
    """Everything that must hold at any time."""
    balance = ledger_queries.trial_balance()
    assert balance.total_minor == 0
    assert rows(PAID_WITHOUT_ONE_GRANT) == []
    assert rows(PAID_WITHOUT_ONE_INVOICE) == []
    assert all(used == events == covered for _grant, used, events, covered in rows(USAGE_BESIDE_COVERAGE))
    assert all(billed == claimed for _grant, billed, claimed in rows(BILLED_BESIDE_CLAIMED))
    for who in world.buyers:
        (owed,) = rows(
            "SELECT coalesce(sum(amount_gross_yen), 0) FROM invoice"
            " WHERE recipient_organization_id = :id AND state = 'open'",
            id=who.organization_id,
        )
        assert ledger_queries.balance_of(f"Assets:Receivable:{who.organization_id}") == owed[0]
    sequencer.sequence_all()
    verdict = verification.verify()
    assert verdict.sound, verdict.findings
    assert verdict.unplaced == 0


# Not shrunk: an example costs seconds.
@settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(deeds, min_size=4, max_size=14))
def test_books_grants_usage_and_record_agree_after_any_trades(
    trading: Callable[[], World], sequence: list[tuple]
) -> None:
    with trading() as world:
        for name, *facts in sequence:
            world.do(name, *facts)
        check(world)
        # In the end, what was paid is fulfilled and what was fetched is billed.
        world.learn()
        world.do("settle")
        check(world)
