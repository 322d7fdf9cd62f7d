"""A suspension counts from the next request on, wherever the suspended organization holds something."""

from datetime import timedelta

from flask import Flask

from marketplace.identity.states import Assurance, MemberRole
from marketplace.kit import clock
from tests.api.people import member_of
from tests.api.trade import Market, call, market_of, ok, refused, row_counts
from tests.identity.oauth.people import PUBLIC, is_refused, opens, party
from tests.web.people import Browser, asking, program, signed_in, someone


def suspend(market: Market, organization_id: str) -> None:
    ok(market.operator.post(f"/v1/organizations/{organization_id}/suspend", {"reason": "規約違反"}))


def lift(market: Market, organization_id: str) -> None:
    ok(market.operator.post(f"/v1/organizations/{organization_id}/verify"))


def test_orders_downloads_and_tokens_of_programs_and_members_end(app: Flask) -> None:
    market = market_of(app)
    goods = market.goods()
    grant, offer = market.bought(goods)["grant_id"], market.offer(goods.dataset_id)
    member = member_of(market.buyer, "aal2")
    for who in (market.buyer, member):
        assert market.fetch(grant, who=who).status_code == 200
    suspend(market, market.buyer.organization_id)
    before = row_counts()
    for who in (market.buyer, member):
        refused(market.order(offer, who), 401, "invalid-token")
        refused(market.fetch(grant, who=who), 401, "invalid-token")
        refused(who.get("/v1/organizations/me"), 401, "invalid-token")
    assert row_counts() == before


def test_a_programs_secret_buys_no_token_any_more(app: Flask) -> None:
    market = market_of(app)
    form = {"grant_type": "client_credentials", "client_id": market.buyer.client_id}
    form["client_secret"] = "mk_sk_known-to-the-test"
    assert ok(call(app, "POST", "/oauth/token", data=form))["access_token"]
    suspend(market, market.buyer.organization_id)
    assert is_refused(call(app, "POST", "/oauth/token", data=form), 401, "invalid_client")


def test_neither_a_refresh_token_nor_a_code_of_a_member_is_changed(app: Flask) -> None:
    market, whose = market_of(app), party(**PUBLIC)
    tokens = ok(call(app, "POST", "/oauth/token", data=whose.exchange_form(whose.code())))
    later = whose.code()
    assert opens(app, tokens["access_token"]) == 200
    suspend(market, whose.organization.id)
    assert opens(app, tokens["access_token"]) == 401
    for form in (whose.refresh_form(tokens["refresh_token"]), whose.exchange_form(later)):
        assert is_refused(call(app, "POST", "/oauth/token", data=form), 400, "invalid_grant")
    lift(market, whose.organization.id)
    assert opens(app, tokens["access_token"]) == 401, "what was ended stays ended"
    form = whose.refresh_form(tokens["refresh_token"])
    assert is_refused(call(app, "POST", "/oauth/token", data=form), 400, "invalid_grant")


def test_a_device_that_was_allowed_before_gets_nothing(app: Flask) -> None:
    market, who, client = market_of(app), someone(), program()
    asked = {"client_id": client.id, "scope": "organization:read"}
    codes = ok(call(app, "POST", "/oauth/device_authorization", data=asked))
    browser = signed_in(app, who, Assurance.AAL2)
    browser.get("/device")
    browser.post("/device", {"user_code": codes["user_code"]})
    yes = {"user_code": codes["user_code"], "decision": "allow", "member_id": who.member.id}
    assert "Allowed" in browser.post("/device/answer", yes).text
    suspend(market, who.organization.id)
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": codes["device_code"]}
    with clock.stopped(clock.now() + timedelta(seconds=10)):
        assert is_refused(call(app, "POST", "/oauth/token", data=form | {"client_id": client.id}), 400, "invalid_grant")
    lift(market, who.organization.id)
    assert is_refused(call(app, "POST", "/oauth/token", data=form | {"client_id": client.id}), 400, "invalid_grant")


def test_somebody_signed_in_acts_for_it_no_more(app: Flask) -> None:
    market, who, client = market_of(app), someone(MemberRole.OWNER), program()
    browser: Browser = signed_in(app, who, Assurance.AAL2)
    consent = browser.get(asking(client)).headers["Location"]
    assert who.organization.name_en in browser.get(consent).text
    suspend(market, who.organization.id)
    page = browser.get("/account")
    assert page.status_code == 200
    assert who.organization.name_en not in page.text
    assert who.organization.name_en not in browser.get(consent).text
