"""Cancelling before the paid time is over: unused days go back to the yen, where the offer lets it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from marketplace.access.errors import GrantRevoked
from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.billing import queries
from marketplace.billing.errors import OrderNotFound
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.errors import RefundDisputed
from marketplace.billing.subscriptions import queries as subscriptions
from marketplace.exchange import cancellation, dispute, purchase, refund, renewal, settlement
from marketplace.exchange.errors import CancellationExcluded, NothingToCancel
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import Cancellation, PriceKind, Rail
from marketplace.sandbox import controls
from tests.factories import market, money

PRO_RATA = {"cancellation": Cancellation.PRO_RATA}


def cancelled(who, made) -> list:
    with transaction():
        made_ids = cancellation.cancel(who, made.order.id)
    for refund_id in made_ids:
        refund.send(refund_id)
    return [money.found(refund_id) for refund_id in made_ids]


def refused(reason, who, made) -> None:
    before = money.balances(), money.grant_state(made)
    with pytest.raises(reason), transaction():
        cancellation.cancel(who, made.order.id)
    assert (money.balances(), money.grant_state(made)) == before


def test_the_unused_days_of_a_grant_go_back_floored_and_access_ends(app: Flask) -> None:
    buyer = market.buyer()
    made = money.sold(app, 10_000, buyer, duration_days=30, **PRO_RATA)
    with clock.stopped(clock.now() + timedelta(days=9)):
        [one] = cancelled(buyer, made)
        # Bought on day 1 and ending at the same hour 30 days later, it touches 31 days, of which 21 are left.
        assert (one.amount_yen, one.reason, one.state) == (11_000 * 21 // 31, "cancellation", "succeeded")
        with pytest.raises(GrantRevoked):
            market.fetched(buyer, made.grant_id)
        assert [again.id for again in cancelled(buyer, made)] == [one.id]
    found = record.search_entries(record.Search(subject=made.order.id), size=100).items
    assert [placed.entry.verb for placed in found].count(Verb.ORDER_CANCELLED) == 1
    assert money.in_transit() == {}
    money.assert_sound()


def test_on_the_last_day_nothing_is_left_to_give_back(app: Flask) -> None:
    buyer = market.buyer()
    made = money.sold(app, 10_000, buyer, duration_days=1, **PRO_RATA)
    with clock.stopped(clock.now() + timedelta(hours=23, minutes=59)):
        assert cancelled(buyer, made) == []
    assert money.grant_state(made) == "revoked"


def test_an_offer_that_does_not_say_so_is_not_cancelled(app: Flask) -> None:
    buyer = market.buyer()
    refused(CancellationExcluded, buyer, money.sold(app, 5_000, buyer, duration_days=30))


def test_what_is_endless_or_over_has_no_days_left(app: Flask) -> None:
    buyer = market.buyer()
    refused(NothingToCancel, buyer, money.sold(app, 5_000, buyer, **PRO_RATA))
    made = money.sold(app, 5_000, buyer, duration_days=30, **PRO_RATA)
    with clock.stopped(clock.now() + timedelta(days=31)):
        refused(NothingToCancel, buyer, made)


def test_only_the_buyer_cancels(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    made = money.sold(app, 5_000, buyer, on, duration_days=30, **PRO_RATA)
    for other in (on.provider, market.buyer()):
        refused(OrderNotFound, other, made)


def test_while_the_payment_is_disputed_it_is_not_cancelled(app: Flask) -> None:
    buyer = market.buyer()
    made = money.sold(app, 5_000, buyer, duration_days=30, **PRO_RATA)
    dispute.learn(controls.open_dispute(money.charge_of(made))["id"], "evt_1")
    refused(RefundDisputed, buyer, made)


def test_an_unpaid_invoice_is_cut_to_the_days_used(app: Flask) -> None:
    buyer = market.buyer()
    made = money.sold(app, 10_000, buyer, rails=(Rail.INVOICE,), duration_days=30, **PRO_RATA)
    with clock.stopped(clock.now() + timedelta(days=9)):
        [one] = cancelled(buyer, made)
    assert (one.way, one.amount_yen) == ("credit", 11_000 * 21 // 31)
    assert money.balances()[f"Assets:Receivable:{buyer.organization_id}"] == 11_000 - 11_000 * 21 // 31
    assert money.invoice(made).state == "open"
    money.assert_sound()


def test_a_subscription_gives_back_what_is_left_of_its_term_and_wants_no_more(app: Flask) -> None:
    buyer = market.buyer()
    price = Price(PriceKind.SUBSCRIPTION, 31_000, term_months=1)
    made = market.bought(app, buyer, market.offered(market.listed(), price=price, said=PRO_RATA))
    subscription = subscriptions.require_subscription(made.order.subscription_id)
    days = (subscription.term_to - subscription.term_from).days + 1
    with clock.stopped(clock.now() + timedelta(days=days - 5)):
        [waiting] = renewal.renew(clock.today()).order_ids
        [one] = cancelled(buyer, made)
        assert one.amount_yen == 34_100 * 4 // days
        assert renewal.renew(clock.today() + timedelta(days=60)).order_ids == ()
    ended = subscriptions.require_subscription(made.order.subscription_id)
    assert (ended.state, ended.end_cause) == ("ended", "cancelled")
    assert queries.require_order(waiting).state == "expired"
    assert purchase.read(buyer, made.order.id).order.state == "fulfilled"
    money.assert_sound()


def test_usage_until_the_cancellation_is_billed_and_none_after_it(app: Flask) -> None:
    buyer = market.buyer()
    on = market.listed(content=bytes(3 * 2**20))
    made = market.bought(app, buyer, market.offered(on, PriceKind.PER_UNIT, 300, said=PRO_RATA))
    market.fetched(buyer, made.grant_id)
    assert cancelled(buyer, made) == []
    with pytest.raises(GrantRevoked):
        market.fetched(buyer, made.grant_id)
    [invoice] = settlement.settle(SYSTEM, clock.now())
    assert invoice.amount_net_yen == 900


def test_cancelled_many_times_at_once_it_gives_back_once(own_database: Flask) -> None:
    with own_database.app_context():
        buyer = market.buyer()
        made = money.sold(own_database, 10_000, buyer, duration_days=30, **PRO_RATA)
        order_id, invoice_id = made.order.id, made.invoice_id

    def cancel(_number: int) -> list[str]:
        with own_database.app_context(), transaction():
            return cancellation.cancel(buyer, order_id)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(cancel, range(6)))
    assert len({tuple(answer) for answer in answers}) == 1
    with own_database.app_context():
        assert len(refunds.list_of_invoice(invoice_id)) == 1
