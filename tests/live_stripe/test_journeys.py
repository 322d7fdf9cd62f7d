"""What the exchange does at its gateway, step by step: in our sandbox and, with a test key, at Stripe itself."""

import secrets
from datetime import timedelta

import pytest

from marketplace.billing.checkout import Checkout
from marketplace.billing.errors import GatewayObjectMissing, GatewayRefused, IdempotencyKeyReused
from marketplace.kit import clock
from marketplace.licensing.states import Rail
from tests.live_stripe.conftest import Shop
from tests.live_stripe.keys import NoTestKey, require_test_key


def opened(shop: Shop, yen: int = 500, key: str | None = None, **how: object) -> Checkout:
    """A page for some yen."""
    payment_id = f"pay_{secrets.token_hex(8)}"
    asked = {
        "payment_id": payment_id,
        "amount_yen": yen,
        "description": "札幌市 人流データ",
        "success_url": f"{shop.site}/checkout/x/done",
        "cancel_url": f"{shop.site}/checkout/x/cancelled",
        "idempotency_key": key or f"checkout:{payment_id}",
        "expires_at": clock.now() + timedelta(hours=1),
        "rails": (Rail.CARD,),
    }
    return shop.gateway.create_checkout(**(asked | how))


def refund(shop: Shop, intent_id: str, amount: int, key: str):
    return shop.gateway.create_refund(
        refund_id=key, payment_intent_id=intent_id, amount_minor=amount, idempotency_key=key
    )


def test_a_page_is_opened_found_and_closed(shop: Shop) -> None:
    begun = clock.now() - timedelta(minutes=5)
    page = opened(shop, payment_id="pay_looked_for")
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
    first = opened(shop, key=key, payment_id="pay_1", expires_at=at)
    assert opened(shop, key=key, payment_id="pay_1", expires_at=at) == first
    with pytest.raises(IdempotencyKeyReused):
        opened(shop, 600, key=key, payment_id="pay_1", expires_at=at)


@pytest.mark.parametrize("rail", [Rail.KONBINI, Rail.BANK_TRANSFER])
def test_a_page_of_a_delayed_rail_is_opened(shop: Shop, rail: Rail) -> None:
    customer = shop.gateway.create_customer(
        organization_id="org_1", name="札幌データ株式会社", idempotency_key=f"cus-{secrets.token_hex(8)}"
    )
    try:
        page = opened(shop, 5500, rails=(rail,), customer=customer)
    except GatewayRefused as refused:
        pytest.skip(f"this account has no {rail.value}: {refused.members}")
    assert shop.gateway.expire_checkout(page.session_id).status == "expired"


def test_a_payment_goes_back_in_parts_and_never_more_than_came(shop: Shop) -> None:
    intent_id, run = shop.pay(1000), secrets.token_hex(8)
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
    begun = clock.now() - timedelta(minutes=5)
    intent_id = shop.pay(1000)
    moved = next(one for one in shop.gateway.list_balance_transactions(begun) if intent_id in one.names)
    assert moved.type in {"charge", "payment"}
    assert moved.net_minor == moved.amount_minor - moved.fee_minor
    assert moved.fee_minor > 0


def test_events_are_polled_without_any_public_address(shop: Shop) -> None:
    begun = clock.now() - timedelta(minutes=5)
    intent_id = shop.pay(1000)
    told = [event for event in shop.gateway.list_events(begun) if event["data"]["object"].get("id") == intent_id]
    assert "payment_intent.succeeded" in {event["type"] for event in told}
    assert not any(event["livemode"] for event in told)


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
