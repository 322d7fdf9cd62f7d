"""The desk of an organization: members, API clients and delegations, by plain pages."""

import json
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.identity.models import ApiClient, Delegation, Member
from marketplace.identity.permissions import DELEGABLE
from marketplace.identity.states import Assurance, Capacity, MemberRole
from marketplace.kit import clock, mail
from marketplace.kit.db import db
from marketplace.web.desk import DELEGABLE_WORDS
from tests.api.trade import call, row_counts
from tests.factories.identity import ApiClientFactory, MemberFactory, OrganizationFactory
from tests.identity.conftest import basic
from tests.identity.oauth.people import KEY, public
from tests.web.people import Browser, Someone, signed_in, someone
from tests.web.test_pages import check

MEMBERS, CLIENTS, DELEGATIONS = "/organization/members", "/organization/clients", "/organization/delegations"
PAGES = (MEMBERS, CLIENTS, DELEGATIONS)
DEEDS = {
    MEMBERS: {"name": "佐藤 花子", "email": "hanako@example.jp", "role": "buyer"},
    CLIENTS: {"name": "夜間集計", "catalog:read": "yes"},
    DELEGATIONS: {"datasets.read": "yes"},
}


@pytest.fixture
def owner(app: Flask) -> Someone:
    return someone()


@pytest.fixture
def browser(app: Flask, owner: Someone) -> Browser:
    """The owner's browser, with a second factor proved just now."""
    return signed_in(app, owner, Assurance.AAL2)


def reread(member: Member) -> Member | None:
    return db.session.get(Member, member.id, populate_existing=True)


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_whole_in_both_languages(app: Flask, browser: Browser, owner: Someone, page: str, language: str):
    ApiClientFactory(organization=owner.organization)
    MemberFactory(organization=owner.organization, email="invited@example.jp")
    partner = OrganizationFactory(provider=True)
    db.session.commit()
    browser.fill(DELEGATIONS, {"delegate_id": partner.id, "datasets.read": "yes"})
    check(browser.get(f"{page}?lang={language}"), language)
    check(browser.get(f"/account?lang={language}"), language)


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_a_desk_without_being_signed_in(app: Flask, page: str) -> None:
    assert Browser(app).get(page).headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize("page", PAGES)
def test_whatever_changes_something_asks_for_a_second_factor_of_late(app: Flask, owner: Someone, page: str) -> None:
    weak, stale = signed_in(app, owner), signed_in(app, owner, Assurance.AAL2)
    form = DEEDS[page] | ({"delegate_id": OrganizationFactory(provider=True).id} if page == DELEGATIONS else {})
    db.session.commit()
    weak.get(page)
    stale.get(page)
    before = row_counts()
    assert weak.post(page, form).headers["Location"].startswith("/sign-in/second-factor?next=")
    with clock.stopped(clock.now() + timedelta(minutes=11)):
        assert stale.post(page, form).headers["Location"].startswith("/sign-in/second-factor?next=")
    assert row_counts() == before


@pytest.mark.parametrize("page", PAGES)
def test_whose_role_does_not_include_it_sees_no_form_and_changes_nothing(app: Flask, owner: Someone, page: str) -> None:
    auditor = someone(MemberRole.AUDITOR, owner.organization)
    browser = signed_in(app, auditor, Assurance.AAL2)
    shown = browser.get(page)
    assert shown.status_code == 200
    assert f'action="{page}' not in shown.text
    browser.get("/account")
    before = row_counts()
    assert browser.post(page, DEEDS[page]).status_code == 403
    assert row_counts() == before


def test_somebody_is_invited_gets_another_role_and_leaves(browser: Browser, owner: Someone) -> None:
    assert browser.fill(MEMBERS, DEEDS[MEMBERS]).headers["Location"] == MEMBERS
    member = db.session.scalars(select(Member).where(Member.email == "hanako@example.jp")).one()
    assert (member.role, member.organization_id) == ("buyer", owner.organization.id)
    assert "/invitation/" in mail.list_waiting()[-1].body
    assert "佐藤 花子" in browser.get(MEMBERS).text
    sent = len(mail.list_waiting())
    assert browser.post(f"{MEMBERS}/invite", {"member_id": member.id}).status_code == 303
    assert len(mail.list_waiting()) == sent + 1
    assert browser.post(f"{MEMBERS}/role", {"member_id": member.id, "role": "finance"}).status_code == 303
    changed = reread(member)
    assert changed is not None
    assert changed.role == "finance"
    assert browser.post(f"{MEMBERS}/role", {"member_id": member.id, "role": "emperor"}).status_code == 422
    assert browser.post(f"{MEMBERS}/remove", {"member_id": member.id}).status_code == 303
    assert reread(changed) is None


def test_the_last_owner_is_told_why_they_stay(browser: Browser, owner: Someone) -> None:
    for deed, form in (("role", {"role": "buyer"}), ("remove", {})):
        answer = browser.fill(MEMBERS, {"member_id": owner.member.id} | form, to=f"{MEMBERS}/{deed}")
        assert answer.status_code == 409
        assert "nobody would be left" in answer.text
    kept = reread(owner.member)
    assert kept is not None
    assert kept.role == "owner"


def test_members_and_clients_of_others_are_not_there(browser: Browser) -> None:
    stranger = someone()
    client = ApiClientFactory(organization=stranger.organization)
    db.session.commit()
    browser.get(MEMBERS)
    before = row_counts()
    for path, form in (
        (f"{MEMBERS}/role", {"member_id": stranger.member.id, "role": "buyer"}),
        (f"{MEMBERS}/remove", {"member_id": stranger.member.id}),
        (f"{CLIENTS}/end", {"client_id": client.id}),
        (f"{CLIENTS}/keys", {"client_id": client.id, "jwks": json.dumps({"keys": [public(KEY)]})}),
        (f"{DELEGATIONS}/end", {"delegation_id": "dlg_" + "0" * 32}),
    ):
        assert browser.post(path, form).status_code == 404, path
    assert row_counts() == before
    assert stranger.person.name not in browser.get(MEMBERS).text
    assert client.id not in browser.get(CLIENTS).text


def test_a_client_is_made_with_what_was_ticked_and_its_secret_is_shown_once(app: Flask, browser: Browser) -> None:
    made = browser.fill(CLIENTS, DEEDS[CLIENTS])
    assert made.status_code == 200
    client_id, secret = (re.search(rf"<code>({kind}_[^<]+)</code>", made.text) for kind in ("cli", "mk_sk"))
    assert client_id
    assert secret
    form = {"grant_type": "client_credentials"}
    token = call(app, "POST", "/oauth/token", data=form, headers=basic(client_id[1], secret[1])).json
    assert token["scope"] == "catalog:read"
    assert secret[1] not in browser.get(CLIENTS).text
    assert browser.post(f"{CLIENTS}/end", {"client_id": client_id[1]}).status_code == 303
    assert call(app, "POST", "/oauth/token", data=form, headers=basic(client_id[1], secret[1])).status_code == 401


def test_a_client_gets_keys_in_the_place_of_its_secret(app: Flask, browser: Browser, owner: Someone) -> None:
    client = ApiClientFactory(organization=owner.organization)
    db.session.commit()
    browser.get(CLIENTS)
    for wrong in ("no json", "[]", '{"keys": []}'):
        answer = browser.post(f"{CLIENTS}/keys", {"client_id": client.id, "jwks": wrong})
        assert answer.status_code == 422, wrong
    keys = json.dumps({"keys": [public(KEY)]})
    assert browser.post(f"{CLIENTS}/keys", {"client_id": client.id, "jwks": keys}).status_code == 303
    changed = db.session.get_one(ApiClient, client.id, populate_existing=True)
    assert (changed.authentication_method, changed.secret_sha256) == ("private_key_jwt", None)
    made = browser.fill(CLIENTS, {"name": "鍵で認証", "jwks": keys, "catalog:read": "yes"})
    assert "client_secret" not in made.text


def test_a_client_that_may_do_nothing_is_not_made(browser: Browser) -> None:
    browser.get(CLIENTS)
    before = row_counts()
    assert browser.post(CLIENTS, {"name": "夜間集計"}).status_code == 422
    assert browser.post(CLIENTS, {"name": "夜間集計", "market:operate": "yes"}).status_code == 400
    assert row_counts() == before


def test_listings_are_delegated_and_either_side_ends_that(app: Flask, browser: Browser, owner: Someone) -> None:
    partner = someone(organization=OrganizationFactory(capacities=[Capacity.PROVIDER.value]))
    form = {"delegate_id": f" {partner.organization.id} ", "datasets.read": "yes", "datasets.write": "yes"}
    assert browser.fill(DELEGATIONS, form).headers["Location"] == DELEGATIONS
    opened = db.session.scalars(select(Delegation)).one()
    assert opened.permissions == ["datasets.read", "datasets.write"]
    assert browser.post(DELEGATIONS, form).status_code == 409
    theirs = signed_in(app, partner, Assurance.AAL2)
    assert owner.organization.name_en in theirs.get(DELEGATIONS).text
    assert theirs.post(f"{DELEGATIONS}/end", {"delegation_id": opened.id}).status_code == 303
    assert db.session.scalars(select(Delegation.ended_at)).one() is not None
    assert "Ended" in browser.get(DELEGATIONS).text


def test_what_cannot_be_delegated_to_is_said_so(browser: Browser) -> None:
    answer = browser.fill(DELEGATIONS, {"delegate_id": "org_" + "0" * 32, "datasets.read": "yes"})
    assert answer.status_code == 422
    assert "verified and a provider" in answer.text
    assert browser.post(DELEGATIONS, {"delegate_id": "org_x"}).status_code == 422
    assert db.session.scalars(select(Delegation)).all() == []


def test_a_person_of_no_organization_is_told_to_choose_one(app: Flask) -> None:
    who = someone()
    for number in range(2):
        MemberFactory(organization=OrganizationFactory(name_en=f"Another {number}"), person_id=who.person.id)
    db.session.commit()
    assert signed_in(app, who).get(MEMBERS).status_code == 409


def test_all_that_can_be_delegated_has_words_in_both_languages() -> None:
    assert set(DELEGABLE_WORDS) == DELEGABLE
    for japanese, english in DELEGABLE_WORDS.values():
        assert re.search(r"[ぁ-んァ-ヶ一-龠]", japanese)
        assert english.isascii()
