"""Ratings on pages: read by anybody, given by buyers, answered by providers, hidden by the operator."""

from datetime import date

import pytest
from flask import Flask

from marketplace.identity.models import Organization
from marketplace.identity.states import Assurance
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.reputation import service
from tests.api.trade import Goods, Market, Party, market_of, ok
from tests.web.people import Browser, signed_in, someone
from tests.web.test_pages import check


@pytest.fixture
def market(app: Flask) -> Market:
    return market_of(app)


@pytest.fixture
def goods(market: Market) -> Goods:
    made = market.goods()
    market.bought(made)
    return made


def browser_of(app: Flask, party: Party) -> Browser:
    """The browser of an owner of an organization."""
    organization = db.session.get_one(Organization, party.organization_id)
    return signed_in(app, someone(organization=organization), Assurance.AAL2)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_are_whole_in_both_languages(app: Flask, market: Market, goods: Goods, language: str) -> None:
    here = f"/catalog/{goods.dataset_id}"
    rated = {"stars": 4, "text_ja": "粒度が細かい。", "text_en": "Fine-grained.", "shows_name": True}
    rating = ok(market.buyer.call("PUT", f"/v1/datasets/{goods.dataset_id}/rating", json=rated))["id"]
    ok(market.provider.call("PUT", f"/v1/ratings/{rating}/reply", json={"text_ja": "感謝します。"}))
    with transaction():
        service.tell(market.provider.organization_id, date(2026, 10, 1))
    for who in (Browser(app), *(browser_of(app, one) for one in (market.buyer, market.provider, market.operator))):
        check(who.get(f"{here}/ratings?lang={language}"), language)
    check(Browser(app).get(f"/providers/{market.provider.organization_id}?lang={language}"), language)
    page = Browser(app).get(f"{here}?lang={language}")
    check(page, language)
    assert f"{here}/ratings" in page.text


def test_a_buyer_rates_and_withdraws_by_forms(app: Flask, market: Market, goods: Goods) -> None:
    here, buyer = f"/catalog/{goods.dataset_id}", browser_of(app, market.buyer)
    form = {"stars": "2", "text_ja": "欠測が多い。<script>", "text_en": ""}
    assert buyer.fill(f"{here}/ratings", form, f"{here}/rating").status_code == 303
    shown = Browser(app, language="ja").get(f"{here}/ratings").text
    assert "欠測が多い。&lt;script&gt;" in shown
    assert market.buyer.organization_id not in shown
    assert "平均 2.0（1件）" in shown

    assert buyer.fill(f"{here}/ratings", form | {"stars": "9"}, f"{here}/rating").status_code == 422
    buyer.fill(f"{here}/ratings", {}, f"{here}/rating/withdraw")
    assert "欠測" not in Browser(app).get(f"{here}/ratings").text


def test_the_form_is_shown_to_buyers_alone_and_taken_from_none_else(app: Flask, market: Market, goods: Goods) -> None:
    here, stranger = f"/catalog/{goods.dataset_id}", browser_of(app, market.stranger)
    assert f"{here}/rating" + '"' not in stranger.get(f"{here}/ratings").text
    stranger.get("/account")
    assert stranger.post(f"{here}/rating", {"stars": "1"}).status_code == 404
    assert "not rated yet" in Browser(app).get(f"{here}/ratings").text


def test_a_provider_replies_and_the_operator_hides_and_shows_by_forms(app: Flask, market: Market, goods: Goods) -> None:
    here = f"/catalog/{goods.dataset_id}"
    said = {"stars": 1, "text_en": "Mr Yamada is slow."}
    rating = ok(market.buyer.call("PUT", f"/v1/datasets/{goods.dataset_id}/rating", json=said))["id"]
    provider, operator = (browser_of(app, one) for one in (market.provider, market.operator))
    provider.fill(f"{here}/ratings", {"rating_id": rating, "text_en": "We are sorry."}, f"{here}/ratings/reply")
    assert "We are sorry." in Browser(app).get(f"{here}/ratings").text

    operator.fill(f"{here}/ratings", {"rating_id": rating, "reason": "a person's name"}, f"{here}/ratings/hide")
    assert "Yamada" not in Browser(app).get(f"{here}/ratings").text
    assert "a person&#39;s name" in browser_of(app, market.buyer).get(f"{here}/ratings").text
    operator.fill(f"{here}/ratings", {"rating_id": rating}, f"{here}/ratings/unhide")
    assert "Yamada" in Browser(app).get(f"{here}/ratings").text


def test_pages_of_what_is_hidden_are_not_there(app: Flask, market: Market, goods: Goods) -> None:
    group = ok(market.provider.post("/v1/groups", {"name_ja": "会"}), 201)["id"]
    ok(market.provider.call("PUT", f"/v1/datasets/{goods.dataset_id}/audience", json={"group_id": group}))
    nobody = Browser(app)
    assert nobody.get(f"/catalog/{goods.dataset_id}/ratings").status_code == 404
    assert nobody.get(f"/providers/{market.provider.organization_id}").status_code == 404
    assert nobody.get(f"/providers/{market.buyer.organization_id}").status_code == 404
    assert browser_of(app, market.provider).get(f"/catalog/{goods.dataset_id}/ratings").status_code == 200
