"""A suspended seller sells nothing more; what it has sold stays sold."""

import pytest
from flask import Flask

from marketplace.exchange import payment, purchase
from marketplace.exchange.errors import SellerSuspended
from marketplace.identity import service as identity
from marketplace.identity.actors import SYSTEM
from marketplace.kit.transaction import transaction
from tests.factories import market


def suspend(organization_id: str) -> None:
    with transaction():
        identity.suspend_organization(SYSTEM, organization_id, "調査中")


def test_nothing_is_ordered_of_a_suspended_seller(app: Flask) -> None:
    del app
    on, buyer = market.listed(), market.buyer()
    offer = market.offered(on)
    suspend(on.provider.organization_id)

    with pytest.raises(SellerSuspended), transaction():
        purchase.place_order(buyer, offer.id, offer.terms_sha256)

    with transaction():
        identity.verify_organization(SYSTEM, on.provider.organization_id)
    assert market.ordered(buyer, offer).order.state == "placed"


def test_an_order_placed_before_the_suspension_is_honoured(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    made = market.ordered(buyer, market.offered(on))
    suspend(on.provider.organization_id)

    assert market.visit(app, made).status_code == 303
    payment.backfill()
    payment.work_inbox()

    paid = purchase.read(buyer, made.order.id)
    assert paid.order.state == "fulfilled"
    assert market.fetched(buyer, paid.grant_id).status == 200
