"""The same journeys in the sandbox, always, and at Stripe itself, with ``STRIPE_API_KEY=sk_test_… pytest -m stripe_live``."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.exchange import facilities
from marketplace.sandbox import controls
from tests.live_stripe.keys import require_test_key

SITE = "https://exchange.example.jp"


@dataclass
class Shop:
    """A gateway, and a way to pay there at once; ``pay`` returns the payment intent's id."""

    gateway: StripeGateway
    site: str
    pay: Callable[[int], str]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Talk to Stripe only when asked to by the marker, and with a key; say so otherwise."""
    asked = "stripe_live" in (config.option.markexpr or "")
    given = "STRIPE_API_KEY" in os.environ
    if asked and given:
        return
    why = pytest.mark.skip(reason="talks to Stripe: run STRIPE_API_KEY=sk_test_… pytest -m stripe_live")
    for item in items:
        if item.get_closest_marker("stripe_live"):
            item.add_marker(why)


@pytest.fixture(params=["sandbox", pytest.param("stripe", marks=[pytest.mark.stripe_live, pytest.mark.enable_socket])])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    if request.param == "sandbox":
        request.getfixturevalue("app")
        yield Shop(facilities.current().gateway, facilities.current().settings.base_url, _pay_in_the_sandbox)
        return
    gateway = StripeGateway(api_key=require_test_key(os.environ), site_url=SITE)
    yield Shop(gateway, SITE, lambda yen: _pay_at_stripe(gateway, yen))
    gateway._client._requestor._client.close()


def _pay_in_the_sandbox(yen: int) -> str:
    from tests.live_stripe.test_journeys import opened

    shop = Shop(facilities.current().gateway, facilities.current().settings.base_url, _pay_in_the_sandbox)
    session_id = opened(shop, yen).session_id
    controls.pay(session_id)
    return shop.gateway.fetch_checkout(session_id).payment_intent_id or ""


def _pay_at_stripe(gateway: StripeGateway, yen: int) -> str:
    # Nobody clicks on Stripe's hosted page here: a test card pays an intent of its own.
    intent = gateway._client.v1.payment_intents.create(
        {
            "amount": yen,
            "currency": "jpy",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )
    return str(intent.id)
