"""Trades of every sort for the tests of trails, and taking something away from one as nobody should be able to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from sqlalchemy import text

from marketplace.exchange import balance, banking, correcting, dispute, settlement, trail
from marketplace.exchange.purchase import Purchase
from marketplace.exchange.trail import MACHINE, Trail
from marketplace.exchange.trail_nodes import Part
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind
from marketplace.metering import receipts
from marketplace.metering.corrections import Correction
from marketplace.sandbox import controls
from tests.factories import market, money, payouts

CONTENT = bytes(range(256)) * 4


@dataclass
class Traded:
    """A trade, and both of its parties."""

    order_id: str
    buyer: Actor
    provider: Actor
    grant_id: str


def whole(asked: str, actor: Actor = MACHINE, size: int = 100) -> Trail:
    """The trail of the one trade that an id leads to."""
    with transaction():
        found = trail.trace(actor, asked, size=size).trail
    assert found is not None
    return found


def one(of: Trail, kind: Part) -> str:
    """The id of the first part of a kind."""
    return next(node.id for node in of.nodes if node.kind is kind)


def ids(of: Trail) -> list[tuple[str, str]]:
    """What a trail names."""
    return [(node.kind.value, node.id) for node in of.nodes]


def paid_out(app: Flask) -> Traded:
    """A paid order, fetched twice, a part given back, the rest paid out, a receipt signed."""
    on, buyer = market.listed(content=CONTENT), market.buyer()
    made = money.sold(app, 20_000, buyer, on)
    market.fetched(buyer, made.grant_id)
    market.fetched(buyer, made.grant_id, acked=10)
    money.refunded(made, 1_100)
    payouts.account_of(on.provider.organization_id)
    payouts.released()
    payouts.paid(payouts.operator(), on.provider.organization_id)
    delivery = one(whole(made.order.id), Part.DELIVERY)
    with transaction():
        receipts.get_receipt(buyer, delivery)
    return _traded(made, buyer, on.provider)


def settled(app: Flask) -> Traded:
    """Usage that was fetched, corrected, settled and invoiced."""
    on, buyer = market.listed(content=CONTENT), market.buyer()
    made = market.bought(app, buyer, market.offered(on, PriceKind.PER_UNIT, 3 * 2**20))
    market.fetched(buyer, made.grant_id)
    delivery = one(whole(made.order.id), Part.DELIVERY)
    with transaction():
        correcting.correct(on.provider, delivery, Correction("C-1", "ログの誤り", bytes=-24))
    settlement.settle(SYSTEM)
    return _traded(made, buyer, on.provider)


def disputed(app: Flask) -> Traded:
    """A paid order whose buyer got its money back from its bank."""
    on, buyer = market.listed(content=CONTENT), market.buyer()
    made = money.sold(app, 5_000, buyer, on)
    balance.reconcile()
    name = controls.open_dispute(money.charge_of(made))["id"]
    dispute.learn(name, "evt_opened")
    controls.close_dispute(name, "lost")
    dispute.learn(name, "evt_lost")
    return _traded(made, buyer, on.provider)


def subscribed(app: Flask) -> Traded:
    """The first month of a subscription."""
    on, buyer = market.listed(), market.buyer()
    monthly = market.offered(on, price=Price(PriceKind.SUBSCRIPTION, 3_000, term_months=1))
    return _traded(market.bought(app, buyer, monthly), buyer, on.provider)


def on_credit(app: Flask) -> Traded:
    """An order that was delivered first, and paid by bank."""
    on, buyer = market.listed(), market.buyer()
    made = money.on_credit(app, who=buyer, on=on)
    line = f"R8.11.22,5500,ヤマダ,{money.invoice(made).number},"
    banking.import_statement(SYSTEM, f"日付,入金額,振込依頼人名,摘要,仮想口座番号\n{line}\n".encode("cp932"))
    return _traded(made, buyer, on.provider)


def given(app: Flask) -> Traded:
    """An order that costs nothing, fetched."""
    on, buyer = market.listed(content=CONTENT), market.buyer()
    made = market.bought(app, buyer, market.offered(on, PriceKind.FREE))
    market.fetched(buyer, made.grant_id)
    return _traded(made, buyer, on.provider)


def _traded(made: Purchase, buyer: Actor, provider: Actor) -> Traded:
    return Traded(made.order.id, buyer, provider, str(made.grant_id))


@contextmanager
def taken_away(table: str, which: str, **values: object) -> Iterator[None]:
    """A transaction without some rows, deleted as by somebody whom no trigger and no key stops; they come back."""
    with transaction():
        db.session.execute(text("SET LOCAL session_replication_role = replica"))
        assert db.session.execute(text(f"DELETE FROM {table} WHERE {which}"), values).rowcount > 0
        db.session.expire_all()
        yield
        db.session.rollback()
