"""What the exchange does at its gateway, step by step: in our sandbox and, with a test key, at Stripe itself."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import pytest

from marketplace.billing import queries
from marketplace.billing.disputes import queries as disputes
from marketplace.billing.errors import GatewayObjectMissing, GatewayRefused, IdempotencyKeyReused
from marketplace.billing.gateways import wire
from marketplace.billing.gateways.reports import RefundReport
from marketplace.billing.states import FactKind
from marketplace.exchange import dispute, pages, payment, purchase
from marketplace.exchange.purchase import Purchase
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail
from tests.factories import market, money
from tests.live import wait_until
from tests.live_stripe.keys import NoTestKey, require_test_key
from tests.live_stripe.shop import Shop

T = TypeVar("T")


def lately() -> datetime:
    """Some minutes ago, whatever the gateway's clock says."""
    return clock.now() - timedelta(minutes=5)


def learnt(what: str, found: Callable[[], T]) -> T:
    """Let the exchange ask for events and work on them until something is so, and return it."""

    def look() -> T:
        payment.backfill()
        payment.work_inbox()
        db.session.expire_all()
        return found()

    answer: T = wait_until(what, look)
    return answer


def ordered() -> Purchase:
    """An order of 5,500 yen, on its payment page."""
    return market.ordered(market.buyer(), market.offered(market.listed()))


def state_of(made: Purchase) -> str:
    db.session.expire_all()
    return queries.require_order(made.order.id).state


def fulfilled(made: Purchase) -> Purchase:
    """The order with its grant and invoice, once the exchange has heard of its payment."""
    learnt("the order to be fulfilled", lambda: state_of(made) == "fulfilled")
    return purchase.read(money.owner(made), made.order.id)


def refund(shop: Shop, intent_id: str, amount: int, key: str) -> RefundReport:
    return shop.gateway.create_refund(
        refund_id=key, payment_intent_id=intent_id, amount_minor=amount, idempotency_key=key
    )


def test_a_page_is_opened_found_and_closed(shop: Shop) -> None:
    begun = lately()
    page = shop.open(payment_id="pay_looked_for")
    assert page.url.startswith("http")
    report = shop.gateway.fetch_checkout(page.session_id)
    assert (report.status, report.payment_status, report.amount_minor, report.currency) == (
        "open",
        "unpaid",
        500,
        "JPY",
    )
    assert report.payment_id == "pay_looked_for"
    assert shop.gateway.find_checkout("pay_looked_for", begun) is not None
    assert shop.gateway.expire_checkout(page.session_id).status == "expired"
    assert shop.gateway.expire_checkout(page.session_id).status == "expired"


def test_the_same_key_opens_one_page_and_another_request_under_it_is_refused(shop: Shop) -> None:
    key, at = f"key-{secrets.token_hex(8)}", clock.now() + timedelta(hours=1)
    first = shop.open(key=key, payment_id="pay_1", expires_at=at)
    assert shop.open(key=key, payment_id="pay_1", expires_at=at) == first
    with pytest.raises(IdempotencyKeyReused):
        shop.open(600, key=key, payment_id="pay_1", expires_at=at)


@pytest.mark.parametrize("rail", [Rail.KONBINI, Rail.BANK_TRANSFER])
def test_a_page_of_a_delayed_rail_is_opened(shop: Shop, rail: Rail) -> None:
    customer = shop.gateway.create_customer(
        organization_id="org_1", name="札幌データ株式会社", idempotency_key=f"cus-{secrets.token_hex(8)}"
    )
    try:
        page = shop.open(5500, rails=(rail,), customer=customer)
    except GatewayRefused as refused:
        pytest.skip(f"this account has no {rail.value}: {refused.members}")
    assert shop.gateway.expire_checkout(page.session_id).status == "expired"


def test_a_payment_goes_back_in_parts_and_never_more_than_came(shop: Shop) -> None:
    intent_id, run = shop.charge(1000), secrets.token_hex(8)
    first = refund(shop, intent_id, 400, f"r1-{run}")
    assert refund(shop, intent_id, 400, f"r1-{run}").refund_id == first.refund_id, "one key, one refund"
    second = refund(shop, intent_id, 600, f"r2-{run}")
    with pytest.raises(GatewayRefused):
        refund(shop, intent_id, 1, f"r3-{run}")
    assert shop.gateway.fetch_refund(first.refund_id).labels == {"refund_id": f"r1-{run}"}
    listed = shop.gateway.list_refunds(intent_id)
    assert {one.refund_id for one in listed} == {first.refund_id, second.refund_id}
    assert sum(one.amount_minor for one in listed) == 1000


def test_the_balance_tells_of_the_payment_and_its_fee(shop: Shop) -> None:
    begun = lately()
    intent_id = shop.charge(1000)
    moved = next(one for one in shop.gateway.list_balance_transactions(begun) if intent_id in one.names)
    assert moved.type in {"charge", "payment"}
    assert moved.net_minor == moved.amount_minor - moved.fee_minor
    assert moved.fee_minor > 0


def test_events_are_polled_without_any_public_address(shop: Shop) -> None:
    begun = lately()
    intent_id = shop.charge(1000)
    assert not shop.event(begun, "payment_intent.succeeded", id=intent_id)["livemode"]


def test_an_order_is_paid_on_its_page_and_fulfilled_once(shop: Shop) -> None:
    made = ordered()
    shop.pay(made.payment.session_id)
    bought = fulfilled(made)
    assert money.grant_state(bought) == "active"
    assert money.invoice(bought).state == "paid"
    assert money.payment_of(bought).charge_id
    assert money.balances()["Assets:Clearing:Stripe"] == 5_500
    payment.backfill()
    payment.work_inbox()
    assert money.balances()["Assets:Clearing:Stripe"] == 5_500, "told of again, it is booked once"


def test_an_order_whose_3d_secure_is_not_answered_opens_nothing_and_can_be_given_up(shop: Shop) -> None:
    made = ordered()
    shop.be_asked_for_3d_secure(made.payment.session_id)
    report = shop.gateway.fetch_checkout(made.payment.session_id)
    assert (report.status, report.payment_status, report.intent_status) == ("open", "unpaid", "requires_action")
    payment.backfill()
    payment.work_inbox()
    assert state_of(made) == "placed"
    pages.close(made.payment.id)
    assert state_of(made) == "expired"
    assert purchase.read(money.owner(made), made.order.id).grant_id is None
    assert money.balances() == {}


def test_a_card_that_does_not_pass_3d_secure_is_declined_and_moves_nothing(shop: Shop) -> None:
    begun = lately()
    intent_id = shop.fail_3d_secure(1000)
    (failed,) = wire.read_event(shop.event(begun, "payment_intent.payment_failed", id=intent_id)).facts
    assert (failed.kind, failed.amount_minor) == (FactKind.INTENT_FAILED, 1000)
    assert not any(intent_id in one.names for one in shop.gateway.list_balance_transactions(begun))
    with pytest.raises(GatewayRefused):
        refund(shop, intent_id, 1000, f"r-{secrets.token_hex(8)}")


@pytest.mark.parametrize(("outcome", "access"), [("won", "active"), ("lost", "revoked")])
def test_access_to_a_disputed_order_rests_until_the_bank_has_decided(shop: Shop, outcome: str, access: str) -> None:
    begun, made = lately(), ordered()
    shop.pay_and_dispute(made.payment.session_id)
    bought = fulfilled(made)
    intent_id = str(money.payment_of(bought).payment_intent_id)
    name = shop.event(begun, "charge.dispute.created", payment_intent=intent_id)["data"]["object"]["id"]

    def stands() -> str:
        dispute.learn(name, "evt_of_the_test")
        with transaction():
            found = disputes.lock_by_gateway(name)
            return found.state if found else ""

    wait_until("the dispute to be open", lambda: stands() == "opened")
    assert money.grant_state(bought) == "suspended"
    assert money.balances()["Assets:DisputesHeld"] == 5_500
    shop.decide(name, outcome)
    wait_until("the bank's decision", lambda: stands() == outcome and not money.in_transit())
    assert money.grant_state(bought) == access


def test_a_transfer_goes_once_and_is_found_again(shop: Shop) -> None:
    account, run = shop.connected_account(), secrets.token_hex(8)
    begun, intent_id = lately(), shop.charge(1000)
    charge_id = shop.event(begun, "charge.succeeded", payment_intent=intent_id)["data"]["object"]["id"]
    asked = {
        "transfer_id": f"pyo_{run}",
        "destination": account,
        "amount_minor": 600,
        "idempotency_key": f"transfer-{run}",
        "source_charge_id": charge_id,
    }
    sent = shop.gateway.create_transfer(**asked)
    assert shop.gateway.create_transfer(**asked).transfer_id == sent.transfer_id, "one key, one transfer"
    found = shop.gateway.fetch_transfer(sent.transfer_id)
    assert (found.destination, found.amount_minor, found.amount_reversed_minor) == (account, 600, 0)
    listed = [one for one in shop.gateway.list_transfers(destination=account) if one.labels == found.labels]
    assert [one.transfer_id for one in listed] == [sent.transfer_id]


def test_what_is_not_there_is_missing(shop: Shop) -> None:
    for ask in (shop.gateway.fetch_checkout, shop.gateway.expire_checkout):
        with pytest.raises(GatewayObjectMissing):
            ask("cs_test_none")
    with pytest.raises(GatewayObjectMissing):
        shop.gateway.fetch_refund("re_none")


@pytest.mark.parametrize(
    "key",
    [None, "", "sk_live_" + "x" * 24, "rk_live_" + "x" * 24, "rk_test_" + "x" * 24, "pk_test_x", "sk_test_sandbox"],
)
def test_no_other_key_than_one_of_test_mode_is_ever_used(key: str | None) -> None:
    with pytest.raises(NoTestKey):
        require_test_key({} if key is None else {"STRIPE_API_KEY": key})


def test_a_key_of_test_mode_is_used() -> None:
    key = "sk_test_" + "x" * 24
    assert require_test_key({"STRIPE_API_KEY": key}) == key
