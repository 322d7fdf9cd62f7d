"""Whole ways through the pages: signing in, consenting, and what the program then gets."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.audit.models import Entry
from marketplace.identity.login import invitations, recovery
from marketplace.identity.login.models import LoginSession
from marketplace.identity.models import ApiClient, Member
from marketplace.identity.permissions import PERMISSIONS
from marketplace.identity.states import Assurance, MemberRole
from marketplace.kit import clock, mail
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.web import roles, scopes
from tests.api.trade import call, market_of
from tests.factories.identity import MemberFactory, OrganizationFactory, actor_of
from tests.web.people import (
    PASSWORD,
    Browser,
    asking,
    change,
    code_now,
    enter,
    program,
    set_up_generator,
    signed_in,
    someone,
    told,
)


def consent_page(browser: Browser, client: ApiClient, **asked: str) -> str:
    """Follow a program's address to the page that asks."""
    address = browser.get(asking(client, **asked)).headers["Location"]
    assert browser.get(address).status_code == 200
    return str(address)


def as_member(app: Flask, token: str, path: str = "/v1/organizations/me") -> int:
    return call(app, "GET", path, headers={"Authorization": f"Bearer {token}"}).status_code


def test_password_code_consent_and_the_program_acts_for_the_member(app: Flask) -> None:
    who, client, browser = someone(password=PASSWORD), program(), Browser(app)
    secret, _codes = set_up_generator(app, who)
    consent = browser.get(asking(client, scope="organization:read grants:read")).headers["Location"]
    sign_in = browser.get(consent).headers["Location"]
    browser.get(sign_in)
    with clock.stopped(clock.now() + timedelta(minutes=1)):
        asked = browser.post("/sign-in", {"email": who.person.email, "password": PASSWORD, "next": consent})
        assert asked.headers["Location"] == "/sign-in/code"
        assert browser.cookie() is None
        entered = browser.fill("/sign-in/code", {"code": code_now(secret)})
        assert entered.headers["Location"] == consent
        page = browser.get(consent).text
        assert client.name in page
        assert who.organization.name_en in page
        assert "read your grants" in page
        said = told(browser.post(consent, {"decision": "allow", "member_id": who.member.id}))
        tokens = change(app, client, said["code"]).json
        assert set(tokens["scope"].split()) == {"organization:read", "grants:read"}
        answer = call(app, "GET", "/v1/organizations/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert answer.json["id"] == who.organization.id
    [given] = db.session.scalars(select(Entry).where(Entry.verb == "identity.consent.given")).all()
    assert given.facts["acr"] == Assurance.AAL2.value
    assert change(app, client, said["code"]).status_code == 400


def test_saying_no_gives_the_program_nothing(app: Flask) -> None:
    who, client = someone(), program()
    browser = signed_in(app, who)
    said = told(browser.fill(consent_page(browser, client), {"decision": "deny"}))
    assert said["error"] == "access_denied"
    assert "code" not in said


def test_a_role_gives_no_more_than_it_has(app: Flask) -> None:
    who, client = someone(MemberRole.REVIEWER), program(scopes=["organization:read", "grants:read"])
    browser = signed_in(app, who)
    address = consent_page(browser, client, scope="organization:read grants:read")
    assert "Your role can allow this alone" in browser.seen.text
    said = told(browser.post(address, {"decision": "allow", "member_id": who.member.id}))
    assert change(app, client, said["code"]).json["scope"] == "organization:read"


def test_nothing_to_give_can_only_be_denied(app: Flask) -> None:
    who, client = someone(MemberRole.REVIEWER), program(scopes=["orders:write"])
    browser = signed_in(app, who)
    address = consent_page(browser, client, scope="orders:write")
    assert 'value="allow"' not in browser.seen.text
    assert browser.post(address, {"decision": "allow", "member_id": who.member.id}).status_code == 400
    assert told(browser.post(address, {"decision": "deny"}))["error"] == "access_denied"


def test_of_several_organizations_one_is_chosen_and_suspended_ones_are_not_offered(app: Flask) -> None:
    who, client = someone(), program()
    other, shut = OrganizationFactory(), OrganizationFactory(suspended=True)
    second = MemberFactory(organization=other, person_id=who.person.id)
    third = MemberFactory(organization=shut, person_id=who.person.id)
    db.session.commit()
    browser = signed_in(app, who)
    address = consent_page(browser, client)
    assert {who.member.id, second.id} == set(re.findall(r'name="member_id" value="([^"]+)"', browser.seen.text))
    assert browser.post(address, {"decision": "allow", "member_id": third.id}).status_code == 400
    said = told(browser.post(address, {"decision": "allow", "member_id": second.id}))
    token = change(app, client, said["code"]).json["access_token"]
    answer = call(app, "GET", "/v1/organizations/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json["id"] == other.id


def test_a_request_for_one_grant_shows_its_data_purpose_and_end_and_opens_nothing_else(app: Flask) -> None:
    market = market_of(app)
    bought = market.bought(duration_days=30)
    another = market.bought()
    person = someone(MemberRole.BUYER).person
    member = MemberFactory(
        organization_id=market.buyer.organization_id,
        organization=None,
        role=MemberRole.BUYER.value,
        person_id=person.id,
    )
    db.session.commit()
    browser = Browser(app, language="ja")
    browser.wear_session_of(person.id)
    client = program(scopes=["grants:read", "data:read"])
    details = f'[{{"type":"musubi_grant","identifier":"{bought["grant_id"]}","actions":["fetch"]}}]'
    address = consent_page(browser, client, scope="grants:read data:read", authorization_details=details)
    page = browser.seen.text
    assert "大通地区の人流" in page
    assert "利用目的" in page
    until = (clock.now().astimezone(clock.JST) + timedelta(days=30)).date()
    assert any(f"{until + timedelta(days=off)}" in page for off in (-1, 0, 1))
    assert re.findall(r'name="member_id" value="([^"]+)"', page) == [member.id]
    said = told(browser.post(address, {"decision": "allow", "member_id": member.id}))
    token = change(app, client, said["code"]).json["access_token"]
    assert as_member(app, token, f"/v1/grants/{bought['grant_id']}") == 200
    assert as_member(app, token, f"/v1/grants/{another['grant_id']}") == 404


def test_a_grant_of_others_can_be_allowed_by_nobody_else(app: Flask) -> None:
    market = market_of(app)
    bought = market.bought()
    who, client = someone(), program(scopes=["grants:read"])
    browser = signed_in(app, who)
    details = f'[{{"type":"musubi_grant","identifier":"{bought["grant_id"]}"}}]'
    address = consent_page(browser, client, scope="grants:read", authorization_details=details)
    assert "人流" not in browser.seen.text
    assert "Footfall" not in browser.seen.text
    assert browser.post(address, {"decision": "allow", "member_id": who.member.id}).status_code == 400


def device_codes(app: Flask, client: ApiClient) -> dict[str, str]:
    answer = call(
        app, "POST", "/oauth/device_authorization", data={"client_id": client.id, "scope": "organization:read"}
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def poll(app: Flask, client: ApiClient, device_code: str) -> dict[str, str]:
    grant_type = "urn:ietf:params:oauth:grant-type:device_code"
    form = {"grant_type": grant_type, "device_code": device_code, "client_id": client.id}
    return dict(call(app, "POST", "/oauth/token", data=form).json)


def test_a_device_is_let_in_by_its_code_once(app: Flask) -> None:
    who, client = someone(), program()
    codes, browser = device_codes(app, client), signed_in(app, who)
    assert poll(app, client, codes["device_code"])["error"] == "authorization_pending"
    complete = urlsplit(codes["verification_uri_complete"])
    prefilled = browser.get(f"{complete.path}?{complete.query}")
    assert codes["user_code"] in prefilled.text
    shown = browser.post("/device", {"user_code": codes["user_code"].lower().replace("-", " ")})
    assert client.name in shown.text
    answer = {"user_code": codes["user_code"], "decision": "allow", "member_id": who.member.id}
    assert "Allowed" in browser.post("/device/answer", answer).text
    with clock.stopped(clock.now() + timedelta(seconds=10)):
        assert as_member(app, poll(app, client, codes["device_code"])["access_token"]) == 200
        assert poll(app, client, codes["device_code"])["error"] == "invalid_grant"
    assert browser.fill("/device", {"user_code": codes["user_code"]}).status_code == 404


def test_a_denied_device_gets_nothing(app: Flask) -> None:
    who, client = someone(), program()
    codes, browser = device_codes(app, client), signed_in(app, who)
    browser.fill("/device", {"user_code": codes["user_code"]})
    browser.post("/device/answer", {"user_code": codes["user_code"], "decision": "deny"})
    assert poll(app, client, codes["device_code"])["error"] == "access_denied"


def test_a_recovery_code_stands_in_for_a_lost_generator_once(app: Flask) -> None:
    who = someone(password=PASSWORD)
    _secret, codes = set_up_generator(app, who)
    browser = Browser(app)
    enter(browser, who)
    assert browser.fill("/sign-in/code", {"code": codes[0]}).headers["Location"] == "/account"
    assert browser.get("/account").status_code == 200
    again = Browser(app)
    enter(again, who)
    assert again.fill("/sign-in/code", {"code": codes[0]}).status_code == 401
    assert again.cookie() is None


def test_a_sign_in_half_done_ends_after_some_tries(app: Flask) -> None:
    who = someone(password=PASSWORD)
    set_up_generator(app, who)
    browser = Browser(app)
    enter(browser, who)
    for _ in range(5):
        assert browser.fill("/sign-in/code", {"code": "000000"}).status_code == 401
    assert browser.post("/sign-in/code", {"code": "000000"}).headers["Location"] == "/sign-in"
    assert browser.get("/sign-in/code").headers["Location"] == "/sign-in"


def test_a_code_without_a_password_before_leads_to_the_beginning(app: Flask) -> None:
    browser = Browser(app)
    browser.get("/sign-in")
    assert browser.post("/sign-in/code", {"code": "123456"}).headers["Location"] == "/sign-in"
    assert browser.cookie() is None


def test_one_browser_is_signed_out_from_another(app: Flask) -> None:
    who = someone()
    here, there = signed_in(app, who), signed_in(app, who)
    page = here.get("/account").text
    [other] = re.findall(r'name="session_id" value="([^"]+)"', page)
    assert here.post("/account/sessions/end", {"session_id": other}).status_code == 303
    assert there.get("/account").headers["Location"].startswith("/sign-in")
    assert here.get("/account").status_code == 200


def test_nobody_ends_the_sessions_of_others(app: Flask) -> None:
    here, stranger = signed_in(app, someone()), someone()
    there = signed_in(app, stranger)
    [session_id] = db.session.scalars(select(LoginSession.id).where(LoginSession.person_id == stranger.person.id))
    assert here.fill("/account", {"session_id": session_id}, to="/account/sessions/end").status_code == 404
    assert there.get("/account").status_code == 200


def test_ending_all_others_ends_what_programs_hold_too(app: Flask) -> None:
    who, client = someone(), program()
    here, there = signed_in(app, who), signed_in(app, who)
    said = told(here.fill(consent_page(here, client), {"decision": "allow", "member_id": who.member.id}))
    token = change(app, client, said["code"]).json["access_token"]
    assert as_member(app, token) == 200
    assert here.fill("/account", to="/account/sessions/end-others").status_code == 303
    assert there.get("/account").status_code == 303
    assert as_member(app, token) == 401
    assert here.get("/account").status_code == 200


def test_one_program_is_shown_in_the_account_and_shut_out_there(app: Flask) -> None:
    who, ends, stays = someone(), program(name="古いアプリ"), program(name="新しいアプリ")
    browser = signed_in(app, who)
    tokens = {}
    for client in (ends, stays):
        said = told(browser.fill(consent_page(browser, client), {"decision": "allow", "member_id": who.member.id}))
        tokens[client.id] = change(app, client, said["code"]).json["access_token"]
    page = browser.get("/account").text
    assert "古いアプリ" in page
    assert "read your organization, its members and budgets" in page
    answer = browser.post("/account/consents/end", {"client_id": ends.id, "member_id": who.member.id})
    assert answer.headers["Location"] == "/account"
    assert "古いアプリ" not in browser.get("/account").text
    assert (as_member(app, tokens[ends.id]), as_member(app, tokens[stays.id])) == (401, 200)


def test_nobody_shuts_out_the_programs_of_others(app: Flask) -> None:
    who, client = someone(), program()
    browser, stranger = signed_in(app, who), signed_in(app, someone())
    said = told(browser.fill(consent_page(browser, client), {"decision": "allow", "member_id": who.member.id}))
    token = change(app, client, said["code"]).json["access_token"]
    form = {"client_id": client.id, "member_id": who.member.id}
    assert stranger.fill("/account", form, to="/account/consents/end").status_code == 404
    assert as_member(app, token) == 200


def test_a_person_chooses_for_whom_they_act(app: Flask) -> None:
    who = someone()
    second = MemberFactory(organization=OrganizationFactory(), person_id=who.person.id)
    db.session.commit()
    browser = signed_in(app, who)
    assert browser.fill("/account", {"member_id": second.id}, to="/account/organization").status_code == 303
    assert db.session.scalar(select(LoginSession.member_id).where(LoginSession.person_id == who.person.id)) == second.id
    stranger = someone()
    refused = browser.fill("/account", {"member_id": stranger.member.id}, to="/account/organization")
    assert refused.status_code == 404
    assert db.session.scalar(select(LoginSession.member_id).where(LoginSession.person_id == who.person.id)) == second.id


def test_a_generator_asks_for_a_sign_in_of_late(app: Flask) -> None:
    who = someone()
    browser = signed_in(app, who)
    with clock.stopped(clock.now() + timedelta(minutes=11)):
        answer = browser.fill("/account", to="/account/generator")
        assert answer.headers["Location"] == "/sign-in/second-factor?next=%2Faccount"
        assert browser.get(answer.headers["Location"]).headers["Location"] == "/sign-in?next=%2Faccount&again=1"


def test_who_has_a_generator_proves_it_before_removing_it(app: Flask) -> None:
    who = someone(password=PASSWORD)
    secret, _codes = set_up_generator(app, who)
    browser = signed_in(app, who)
    with clock.stopped(clock.now() + timedelta(minutes=1)):
        answer = browser.fill("/account", to="/account/generator/remove")
        assert answer.headers["Location"] == "/sign-in/second-factor?next=%2Faccount"
        asked = browser.fill("/sign-in/second-factor", {"code": "000000", "next": "/account"})
        assert asked.status_code == 401
        before = browser.cookie()
        proved = browser.post("/sign-in/second-factor", {"code": code_now(secret), "next": "/account"})
        assert proved.headers["Location"] == "/account"
        assert browser.cookie() != before
        assert browser.fill("/account", to="/account/generator/remove").headers["Location"] == "/account"
    assert "Not set up" in browser.get("/account").text


def test_a_level_that_nobody_can_prove_is_said_so(app: Flask) -> None:
    browser = signed_in(app, someone())
    page = browser.get("/sign-in/second-factor?next=/account&level=aal2")
    assert page.status_code == 200
    assert "you have set up none" in page.text


def test_an_invitation_makes_a_person_who_is_signed_in_at_once(app: Flask) -> None:
    organization = OrganizationFactory()
    member = MemberFactory(organization=organization, email="new@example.jp", role=MemberRole.BUYER.value)
    db.session.commit()
    with transaction():
        invitations.invite(actor_of(organization), member.id)
    link = link_in_mail("/invitation/")
    browser = Browser(app)
    page = browser.get(link).text
    assert organization.name_en in page
    assert "buyer" in page
    assert browser.post(link, {"password": "short"}).status_code == 422
    assert browser.post(link, {"password": PASSWORD}).headers["Location"] == "/account"
    assert organization.name_en in browser.get("/account").text
    assert Browser(app).get(link).status_code == 404


def test_an_invitation_is_accepted_by_who_is_signed_in(app: Flask) -> None:
    who, organization = someone(), OrganizationFactory()
    member = MemberFactory(organization=organization, email="other@example.jp")
    db.session.commit()
    with transaction():
        invitations.invite(actor_of(organization), member.id)
    link = link_in_mail("/invitation/")
    assert signed_in(app, who).fill(link).headers["Location"] == "/account"
    assert db.session.get(Member, member.id, populate_existing=True).person_id == who.person.id


def test_a_forgotten_password_is_set_by_a_mailed_link_once(app: Flask) -> None:
    who = someone(password=PASSWORD)
    there = signed_in(app, who)
    recovery.send_link(who.person.email)
    link = link_in_mail("/recovery/")
    browser = Browser(app)
    assert browser.fill(link, {"password": "password"}).status_code == 422
    assert browser.fill(link, {"password": "quite another one, this"}).headers["Location"] == "/sign-in"
    assert there.get("/account").status_code == 303
    assert Browser(app).get(link).status_code == 404
    assert enter(Browser(app), who).status_code == 401
    assert enter(Browser(app), who, "quite another one, this").status_code == 303


def link_in_mail(path: str) -> str:
    """The path of the link that was mailed last."""
    body = mail.list_waiting()[-1].body
    found = re.search(rf"{path}\S+", body)
    assert found, body
    return found[0]


def test_every_scope_and_every_role_has_words_in_both_languages() -> None:
    asked = {rule.scope for rule in PERMISSIONS.values() if rule.scope}
    assert set(scopes.WORDS) == asked | {"token:hour"}
    assert set(roles.WORDS) == set(MemberRole)
    for japanese, english in [*scopes.WORDS.values(), *roles.WORDS.values()]:
        assert re.search(r"[ぁ-んァ-ヶ一-龠]", japanese)
        assert english.isascii()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_of_somebody_signed_in_are_whole_in_both_languages(app: Flask, language: str) -> None:
    from tests.web.test_pages import check

    who, client = someone(), program()
    browser = signed_in(app, who)
    told(browser.fill(consent_page(browser, client), {"decision": "allow", "member_id": who.member.id}))
    address = browser.get(asking(client)).headers["Location"]
    for path in (address, "/sign-in/second-factor?level=aal2", "/device", "/account/password", "/account"):
        answer = browser.get(f"{path}{'&' if '?' in path else '?'}lang={language}")
        check(answer, language)
        assert answer.headers["Cache-Control"] == "no-store"
    check(browser.post(f"/account/generator?lang={language}"), language)
