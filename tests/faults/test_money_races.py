"""Stories of one customer's money at once: no deadlock, and the yen agree whoever comes first."""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from marketplace.billing import postings
from marketplace.billing.earning_models import Earning
from marketplace.billing.models import Invoice, Payment
from marketplace.billing.payouts import queries as paying
from marketplace.billing.payouts import service as drawing
from marketplace.billing.payouts.models import Payout
from marketplace.billing.receivables.models import InvoicePayment
from marketplace.billing.refunds.errors import RefundDisputed, RefundTooLarge
from marketplace.billing.refunds.models import Refund
from marketplace.exchange import (
    afterpay,
    balance,
    cancellation,
    closing,
    dispute,
    facilities,
    payment,
    payout,
    refund,
    renewal,
)
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Unavailable
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import Cancellation, PriceKind, Rail
from marketplace.sandbox import controls
from marketplace.sandbox.delivery import signature
from marketplace.sandbox.models import SandboxEvent
from marketplace.sandbox.trouble import Trouble
from tests.factories import market, money, payouts
from tests.faults import shop as trade
from tests.faults.shop import GROSS_YEN, Shop, open_shop
from tests.faults.world import at_once, count
from tests.live import wait_until

STORMS = (
    Trouble.SERVER_ERROR,
    Trouble.SERVER_ERROR_AFTER,
    Trouble.UNAVAILABLE,
    Trouble.RATE_LIMIT,
    Trouble.LOST_ANSWER,
)
HOURS_WRONG = (0, -1, 1, 0, 1, -1, 0)
REFUSED = (RefundDisputed, RefundTooLarge)


@pytest.fixture
def shop(own_database: Flask) -> Shop:
    return open_shop(own_database)


@pytest.fixture
def hasty(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway is asked again without waiting."""
    monkeypatch.setattr(facilities.current().gateway, "_sleep", lambda _seconds: None)


def place(shop: Shop, offer: Any) -> str:
    """An order whose page, where it has one, nobody has paid yet."""
    return str(shop.order(offer, trade.new_key())["id"])


def sold(shop: Shop, offer: Any) -> str:
    order_id = place(shop, offer)
    trade.choose(trade.session_of(order_id), Rail.CARD)
    trade.learn()
    return order_id


def invoice_of(order_id: str) -> str:
    with transaction():
        return db.session.scalars(select(Invoice.id).where(Invoice.order_id == order_id)).one()


def charge_of(order_id: str) -> str:
    with transaction():
        return db.session.scalars(select(Payment.charge_id).where(Payment.order_id == order_id)).one() or ""


def give_back(order_id: str, yen: int | None, request: str = "all") -> None:
    with suppress(*REFUSED), transaction():
        refund.give_back(SYSTEM, invoice_of_open(order_id), yen, Why(f"{request}:{order_id}"))


def invoice_of_open(order_id: str) -> str:
    return db.session.scalars(select(Invoice.id).where(Invoice.order_id == order_id)).one()


def draw(operator: Any) -> None:
    with transaction():
        payout.draw_all(operator)


def hours_pass(hours: int = 3) -> None:
    """Let every job of money run each hour, as it does by itself."""
    begun = clock.now()
    for hour in range(1, hours + 1):
        with clock.stopped(begun + timedelta(hours=hour)):
            every_job()


def every_job() -> None:
    """Run each job that looks after money, once."""
    for job in (payment.backfill, payment.work_inbox, payment.reconcile, payment.close_pages, refund.pursue):
        job()
    for job in (payout.pursue, renewal.renew_due, balance.work, partial(afterpay.chase_overdue, SYSTEM)):
        job()


def test_refunds_disputes_releases_and_payouts_of_one_customer_at_once_agree(shop: Shop) -> None:
    operator = payouts.operator()
    payouts.account_of(shop.provider.organization_id)
    offer = shop.offer(Rail.CARD, amount_yen=20_000)
    orders = [sold(shop, offer) for _ in range(4)]
    payouts.released()
    contested = [controls.open_dispute(charge_of(order_id))["id"] for order_id in orders[:2]]
    deeds: list[Callable[[], Any]] = [
        *(partial(give_back, order_id, yen, str(yen)) for order_id in orders[1:3] for yen in (5_000, None)),
        *(partial(dispute.learn, name, "evt_test") for name in (*contested, *contested[::-1])),
        *[partial(draw, operator)] * 2,
        *[payouts.released] * 2,
        *[payment.work_inbox] * 2,
    ]
    db.session.rollback()
    at_once(deeds, shop.app)
    for name in contested:
        controls.close_dispute(name, "lost")
    hours_pass()
    db.session.rollback()
    earned = db.session.scalar(select(func.sum(Earning.payable_yen)))
    drawn = db.session.scalar(select(func.sum(Payout.amount_yen))) or 0
    available = -money.balances().get(postings.provider_available(shop.provider.organization_id), 0)
    assert available == earned - drawn
    # The gateway sends nothing back of what is disputed: where the dispute was first, that refund has failed.
    assert count(Refund, Refund.state.not_in(["succeeded", "failed"])) == 0
    for order_id in orders:
        db.session.rollback()
        taken = db.session.scalar(select(func.sum(Earning.net_yen + Earning.tax_yen)).where(Earning.ref == order_id))
        assert 0 <= taken <= 22_000
    pay_drawn(operator)
    trade.assert_whole(later=timedelta(hours=4))


def test_who_draws_one_payout_and_who_draws_all_never_wait_for_each_other(shop: Shop) -> None:
    operator = payouts.operator()
    first, last = sorted((payouts.earned(shop.app), payouts.earned(shop.app)))
    db.session.remove()
    with ThreadPoolExecutor(1) as pool, transaction():
        holding = paying.lock_account(last)
        all_of_them = pool.submit(in_context, shop.app, partial(draw, operator))
        wait_until("the other to wait for this account", holds_up)
        # The first posting on an account makes it: whoever has posted holds up all who make others.
        assert drawing.draw(operator, last).account["account_number"] == holding.account_number
    all_of_them.result()
    for provider in (first, last):
        assert count(Payout, Payout.organization_id == provider, Payout.amount_yen == 19_800) == 1
    pay_drawn(operator)
    trade.assert_whole()


def in_context(app: Flask, deed: Callable[[], Any]) -> Any:
    with app.app_context():
        return deed()


def holds_up() -> bool:
    """Whether another connection waits for what this one holds."""
    mine = "NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    return bool(db.session.execute(text(f"SELECT EXISTS (SELECT FROM pg_locks WHERE {mine})")).scalar())


def pay_drawn(operator: Any) -> None:
    """Have the bank carry out what is drawn."""
    with transaction():
        if db.session.scalars(select(Payout)).first() is not None:
            drawing.put_in_file(operator, clock.today())
        for one in db.session.scalars(select(Payout.id).where(Payout.state == "sent")).all():
            payout.note_paid(operator, one, clock.today())


def test_a_card_payment_a_transfer_and_a_refund_of_one_invoice_at_once_pay_it_once(shop: Shop) -> None:
    order_id = place(shop, shop.offer(Rail.INVOICE))
    invoice_id = invoice_of(order_id)
    with transaction():
        payment_id = payment.pay_invoice(shop.buyer, invoice_id)
    payment.begin(payment_id)
    with transaction():
        session_id = db.session.get_one(Payment, payment_id).session_id or ""
    trade.choose(session_id, Rail.CARD)
    payment.backfill()
    number = trade.number_of(order_id)
    deeds = [*[payment.work_inbox] * 3, *[partial(trade.transfer, number)] * 3]
    at_once([*deeds, partial(give_back, order_id, 500, "goodwill")], shop.app)
    hours_pass(1)
    db.session.rollback()
    invoice = db.session.get_one(Invoice, invoice_id, populate_existing=True)
    assert (invoice.state, invoice.paid_yen + invoice.credited_yen) == ("paid", GROSS_YEN)
    paid = db.session.scalar(select(func.sum(InvoicePayment.amount_yen)).where(InvoicePayment.invoice_id == invoice_id))
    unapplied = -money.balances().get(postings.unapplied(shop.buyer.organization_id), 0)
    assert paid == invoice.paid_yen
    assert unapplied == 2 * GROSS_YEN - paid
    trade.assert_whole(later=timedelta(hours=2))


def test_a_cancellation_and_a_renewal_of_one_subscription_at_once_never_deadlock(shop: Shop) -> None:
    price = Price(PriceKind.SUBSCRIPTION, 5_000, term_months=1)
    offer = market.offered(
        shop.listed, price=price, said={"rails": (Rail.INVOICE,), "cancellation": Cancellation.PRO_RATA}
    )
    operator, offer_id = payouts.operator(), trade.frozen(offer)
    orders = [place(shop, offer_id) for _ in range(3)]
    numbers = [trade.number_of(order_id) for order_id in orders]
    soon = clock.now() + timedelta(days=27)
    with clock.stopped(soon):
        deeds = [renewal.renew_due, *(partial(cancelled, shop, one) for one in orders)]
        pay = [partial(trade.transfer, number) for number in numbers]
        at_once([partial(stopped, soon, deed) for deed in (*deeds, *pay, renewal.renew_due)], shop.app)
        with transaction():
            for one in db.session.scalars(
                select(Refund.id).where(Refund.way == "bank", Refund.state == "created")
            ).all():
                refund.note_bank_refund(operator, one, succeeded=True)
        every_job()
    trade.assert_whole(later=timedelta(days=28))


def stopped(at: Any, deed: Callable[[], Any]) -> None:
    """Do a deed at an instant, in a thread."""
    with clock.stopped(at):
        deed()


def cancelled(shop: Shop, order_id: str) -> None:
    with transaction():
        cancellation.cancel(shop.buyer, order_id)


@pytest.mark.parametrize("seed", range(3))
def test_a_storm_at_the_gateway_heals_by_asking_again(shop: Shop, hasty: None, seed: int) -> None:
    chance = random.Random(seed)
    offer = shop.offer(Rail.CARD)
    orders = []
    for _ in range(4):
        storm(chance)
        key = trade.new_key()
        order_id = until_it_passes(lambda one=key: shop.order(offer, one)["id"])
        orders.append(order_id)
        controls.reset()
        trade.choose(trade.session_of(order_id), Rail.CARD)
        storm(chance)
        deliver(chance)
        with suppress(Unavailable):
            trade.learn()
    controls.reset()
    hours_pass(2)
    for order_id in orders:
        trade.assert_one_of_each(order_id)
    for order_id in orders[:2]:
        storm(chance)
        give_back(order_id, None)
        refund.pursue()
        deliver(chance)
        payment.work_inbox()
    controls.reset()
    hours_pass(2)
    assert count(Refund, Refund.state == "succeeded") == 2
    trade.assert_whole(later=timedelta(hours=3))


def storm(chance: random.Random) -> None:
    """Let a third of the next calls fail, each in its way."""
    for _ in range(3):
        controls.trouble(chance.choice(STORMS).value, 1)


def until_it_passes(deed: Callable[[], Any]) -> Any:
    """Try as a patient client."""
    for _ in range(10):
        with suppress(Unavailable, AssertionError):
            return deed()
    return deed()


def deliver(chance: random.Random) -> None:
    """Let webhooks come: some never, some twice, in any order."""
    with transaction():
        told = list(db.session.scalars(select(SandboxEvent.document)))
    sent = [event for event in told for _ in range(chance.choice((0, 1, 1, 2)))]
    chance.shuffle(sent)
    for event in sent:
        body = json.dumps(event).encode()
        payment.receive_event(body, signature(body, settings.current().webhook_secrets[0], clock.now()))
    payment.work_inbox()


def test_a_clock_that_jumps_an_hour_back_and_forth_does_everything_once(shop: Shop) -> None:
    monthly = Price(PriceKind.SUBSCRIPTION, 5_000, term_months=1)
    metered = shop.offer(Rail.INVOICE, kind=PriceKind.PER_UNIT, amount_yen=2**20)
    grant_id = market.ordered(shop.buyer, metered).grant_id or ""
    subscribed = place(shop, shop.offer(Rail.INVOICE, price=monthly))
    now = clock.now() + timedelta(days=25)
    with clock.stopped(now):
        market.fetched(shop.buyer, grant_id, acked=1_000)
        orders = [place(shop, shop.offer(Rail.CARD)) for _ in range(2)]
        for order_id in orders:
            trade.choose(trade.session_of(order_id), Rail.CARD)
    for wrong in HOURS_WRONG:
        with clock.stopped(now + timedelta(hours=wrong)):
            closing.close(SYSTEM, clock.now())
            every_job()
            give_back_where_paid(orders[0])
    with clock.stopped(now + timedelta(hours=3)):
        every_job()
        trade.assert_one_of_each(orders[1])
        assert count(Refund) == count(Refund, Refund.state == "succeeded") == 1
        assert count(Invoice, Invoice.kind == "usage") == 1
        with transaction():
            known = db.session.scalars(select(Invoice.order_id).where(Invoice.order_id.is_not(None))).all()
        assert len(known) == len(set(known)) == len([subscribed, *orders]) + 1
    trade.assert_whole(later=timedelta(days=26))


def give_back_where_paid(order_id: str) -> None:
    if count(Invoice, Invoice.order_id == order_id):
        give_back(order_id, None, "once")
