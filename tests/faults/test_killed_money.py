"""`kill -9` between any two steps of money on its way back or on: refunds, disputes, settlements, payouts."""

import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.access.models import Grant
from marketplace.app import install
from marketplace.billing.disputes.models import Dispute
from marketplace.billing.earning_models import Earning
from marketplace.billing.ledger_models import LedgerTxn
from marketplace.billing.models import Invoice, Payment
from marketplace.billing.payouts import queries as paying
from marketplace.billing.payouts import service as drawing
from marketplace.billing.payouts.errors import NothingToTransfer, SecondPersonNeeded
from marketplace.billing.payouts.models import Payout, PayoutItem
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.models import Refund
from marketplace.exchange import closing, payout, refund
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind, Rail
from marketplace.metering import queries as usage
from marketplace.sandbox import controls
from marketplace.sandbox.models import SandboxObject
from tests.factories import market, money, payouts
from tests.faults import shop as trade
from tests.faults.deaths import elsewhere, killed_everywhere
from tests.faults.shop import Shop, open_shop
from tests.faults.world import count

ACCOUNT = "acct_1SandboxSapporo"
HELD_OVER = timedelta(days=60)


@pytest.fixture
def shop(own_database: Flask) -> Shop:
    return open_shop(own_database)


@pytest.fixture
def operator(shop: Shop) -> Actor:
    return payouts.operator()


@pytest.fixture
def two_approve(shop: Shop) -> None:
    """Two persons have to approve what is sold here."""
    whole = shop.app.config["MUSUBI_SETTINGS"]
    shop.app.config["MUSUBI_SETTINGS"] = replace(whole, payout_approval_yen=10_000)
    install(shop.app)


@pytest.fixture
def by_transfer(shop: Shop) -> None:
    """Payouts go through the gateway."""
    whole = shop.app.config["MUSUBI_SETTINGS"]
    shop.app.config["MUSUBI_SETTINGS"] = replace(whole, stripe_connect="transfers")
    install(shop.app)
    payouts.account_of(shop.provider.organization_id, connect_account_id=ACCOUNT)
    with clock.stopped(clock.now() - timedelta(days=30)):  # at the gateway money may be moved on after some days
        money.sold(shop.app, 2_000_000)


def sold(shop: Shop, offer: Any, rail: Rail = Rail.CARD) -> str:
    """A fulfilled order whose money has come."""
    order_id = str(shop.order(offer, str(uuid.uuid4()))["id"])
    if rail is Rail.CARD:
        trade.choose(trade.session_of(order_id), rail)
        trade.learn()
    else:
        trade.transfer(trade.number_of(order_id), 22_000)
    return order_id


def one(query: Any) -> Any:
    """What is committed of one row."""
    db.session.rollback()
    return db.session.scalars(query, execution_options={"populate_existing": True}).one()


def found(kind: str, **named: str) -> list[SandboxObject]:
    """What the gateway has of a kind, by its fields."""
    fields = [SandboxObject.document[name].as_string() == value for name, value in named.items()]
    with transaction():
        return list(db.session.scalars(select(SandboxObject).where(SandboxObject.kind == kind, *fields)))


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "comes back"])
def test_a_refund_survives_a_kill_after_any_step(shop: Shop, arrives: bool) -> None:
    offer = shop.offer(Rail.CARD)
    controls.hold_refunds()

    def give_back(order_id: str) -> None:
        with transaction():
            invoice = db.session.scalars(select(Invoice.id).where(Invoice.order_id == order_id)).one()
            (refund_id,) = refund.give_back(SYSTEM, invoice, None, Why(f"test:{order_id}"))
        refund.pursue()
        with transaction():
            name = refunds.require_refund(refund_id).gateway_refund_id or ""
        if db.session.get_one(SandboxObject, name).document["status"] == "pending":
            db.session.rollback()
            with elsewhere():
                controls.settle_refund(name) if arrives else controls.fail_refund(name)
        db.session.rollback()
        refund.pursue()
        trade.learn()

    def check(order_id: str) -> None:
        made = one(select(Refund).where(Refund.sale_ref == order_id))
        assert made.state == ("succeeded" if arrives else "failed")
        intent = one(select(Payment.payment_intent_id).where(Payment.order_id == order_id))
        assert len(found("refund", payment_intent=intent)) == 1
        assert one(select(Grant.state).where(Grant.order_id == order_id)) == ("revoked" if arrives else "active")
        assert trade.papers_of(order_id) == [*(["credit_note"] if arrives else []), "invoice", "receipt"]
        booked = {"refund", "refund_settled"} if arrives else {"refund", "refund_failed"}
        kinds = {kind for kind in booked if count(LedgerTxn, LedgerTxn.idem == f"{kind}:{made.id}") == 1}
        assert kinds == booked

    seen = killed_everywhere(lambda: sold(shop, offer), give_back, check)
    assert {"asked: exchange.refund._ask", "committed: exchange.refund._learn_report"} <= seen
    trade.assert_whole()


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_survives_a_kill_after_any_step(shop: Shop, outcome: str) -> None:
    offer = shop.offer(Rail.CARD)

    def contest(order_id: str) -> None:
        charge = one(select(Payment.charge_id).where(Payment.order_id == order_id))
        if not found("dispute", charge=charge):
            with elsewhere():
                controls.open_dispute(charge)
        trade.learn()
        (opened,) = found("dispute", charge=charge)
        if opened.document["status"] not in {"won", "lost"}:
            with elsewhere():
                controls.close_dispute(opened.id, outcome)
        trade.learn()

    def check(order_id: str) -> None:
        contested = one(select(Dispute).where(Dispute.sale_ref == order_id))
        assert (contested.state, contested.lost_yen) == (outcome, trade.GROSS_YEN if outcome == "lost" else 0)
        state = one(select(Grant.state).where(Grant.order_id == order_id))
        assert state == ("revoked" if outcome == "lost" else "active")
        assert trade.papers_of(order_id) == [*(["credit_note"] if outcome == "lost" else []), "invoice", "receipt"]

    seen = killed_everywhere(lambda: sold(shop, offer), contest, check)
    assert {"asked: exchange.dispute.learn", "committed: exchange.dispute.learn"} <= seen
    trade.assert_whole()


def test_a_settlement_survives_a_kill_after_any_step(shop: Shop) -> None:
    offer = shop.offer(Rail.INVOICE, kind=PriceKind.PER_UNIT, amount_yen=2**20)
    buyer = shop.buyer.organization_id

    def use() -> str:
        grant_id = market.ordered(shop.buyer, offer).grant_id or ""
        market.fetched(shop.buyer, grant_id, acked=1000)
        return grant_id

    def settle(grant_id: str) -> None:
        now = clock.now()
        with clock.stopped(now + timedelta(minutes=1)):
            closing.close(SYSTEM, clock.now())
        trade.transfer(*bill_of(grant_id))
        with clock.stopped(now + HELD_OVER):
            closing.close(SYSTEM, clock.now())

    def bill_of(grant_id: str) -> tuple[str, int]:
        with transaction():
            of_grant = select(Invoice).where(Invoice.lines.contains([{"grant_id": grant_id}]))
            bill = db.session.scalars(of_grant).one()
            return bill.number, bill.amount_gross_yen

    def check(grant_id: str) -> None:
        number, gross = bill_of(grant_id)
        bill = one(select(Invoice).where(Invoice.number == number))
        assert (bill.state, bill.paid_yen, bill.recipient_organization_id) == ("paid", gross, buyer)
        with transaction():
            assert usage.claimed_bytes(grant_id) == bill.amount_net_yen
        assert count(LedgerTxn, LedgerTxn.ref == bill.id, LedgerTxn.kind == "hold_over") == 1

    seen = killed_everywhere(use, settle, check)
    assert {"committed: exchange.settlement.bill", "committed: exchange.closing._release_some"} <= seen
    trade.assert_whole()


@pytest.mark.parametrize("comes_back", [False, True], ids=["arrives", "comes back"])
def test_a_payout_by_bank_survives_a_kill_after_any_step(
    shop: Shop, operator: Actor, two_approve: None, comes_back: bool
) -> None:
    offer = shop.offer(Rail.INVOICE, amount_yen=20_000)
    payouts.account_of(shop.provider.organization_id)
    persons = (operator, payouts.colleague(operator))

    def earn() -> str:
        order_id = sold(shop, offer, Rail.INVOICE)
        payouts.released()
        return order_id

    def pay(order_id: str) -> None:
        if comes_back and not any(made.failure for made in of_order(order_id)):
            drive()
            with transaction():
                (last,) = of_order(order_id)[-1:]
                payout.note_failed(operator, last.id, "口座なし")
        drive()

    def drive() -> None:
        with transaction():
            payout.draw_all(SYSTEM)
        for person in persons:
            for payout_id in ids_in("created"):
                with transaction(), suppress(SecondPersonNeeded):
                    drawing.approve(person, payout_id)
        with transaction(), suppress(NothingToTransfer):
            drawing.put_in_file(operator, clock.today())
        for payout_id in ids_in("sent"):
            with transaction():
                payout.note_paid(operator, payout_id, clock.today())

    def check(order_id: str) -> None:
        tried = of_order(order_id)
        assert [made.state for made in tried] == [*(["failed"] if comes_back else []), "paid"]
        assert {made.amount_yen for made in tried} == {19_800}
        for made in tried:
            assert sorted(paying.approvers_of(made.id)) == sorted(str(person.client_id) for person in persons)

    killed_everywhere(earn, pay, check)
    trade.assert_whole()


def ids_in(state: str) -> list[str]:
    """The payouts in a state."""
    with transaction():
        return list(db.session.scalars(select(Payout.id).where(Payout.state == state)))


def of_order(order_id: str) -> list[Payout]:
    """The payouts that settled what an order earned, in their order."""
    query = (
        select(Payout)
        .join(PayoutItem, PayoutItem.payout_id == Payout.id)
        .join(Earning, Earning.id == PayoutItem.earning_id)
        .where(Earning.ref == order_id)
        .order_by(Payout.id)
    )
    db.session.rollback()
    return list(db.session.scalars(query, execution_options={"populate_existing": True}))


def test_a_payout_at_the_gateway_survives_a_kill_after_any_step(shop: Shop, operator: Actor, by_transfer: None) -> None:
    offer = shop.offer(Rail.CARD, amount_yen=20_000)

    def earn() -> str:
        order_id = sold(shop, offer)
        payouts.released()
        return order_id

    def pay(_order_id: str) -> None:
        with transaction():
            payout.draw_all(operator)
        payout.pursue()
        trade.learn()

    def check(order_id: str) -> None:
        (made,) = of_order(order_id)
        assert (made.state, made.way) == ("paid", "connect")
        (transfer,) = [one for one in found("transfer") if one.document["metadata"].get("transfer_id") == made.id]
        assert (transfer.id, transfer.document["amount"]) == (made.gateway_transfer_id, made.amount_yen)

    seen = killed_everywhere(earn, pay, check)
    assert {"committed: exchange.payout.transfer", "asked: exchange.payout._send"} <= seen
    trade.assert_whole()
