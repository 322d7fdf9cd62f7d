"""The same journeys in the sandbox, always, and at Stripe itself, with ``STRIPE_API_KEY=sk_test_… pytest -m stripe_live``."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from marketplace.billing import cursors
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.exchange import facilities, payment
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from tests.live_stripe.keys import require_test_key
from tests.live_stripe.shop import Sandbox, Shop, Stripe

SITE = "https://exchange.example.jp"


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
def shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """An exchange with its gateway: the sandbox, or Stripe."""
    key = require_test_key(os.environ) if request.param == "stripe" else ""
    request.getfixturevalue("app")
    means = facilities.current()
    if not key:
        yield Sandbox(means.gateway, means.settings.base_url)
        return
    gateway = StripeGateway(api_key=key, site_url=SITE)
    settings = replace(means.settings, base_url=SITE)
    monkeypatch.setattr(facilities, "_installed", replace(means, gateway=gateway, settings=settings))
    with transaction():  # what others did on this account before is not ours
        cursors.move(payment.CURSOR, clock.now())
    yield Stripe(gateway, SITE, key)
    gateway._client._requestor._client.close()
