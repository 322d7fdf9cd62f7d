"""Private groups on pages: made, filled, listed to and left by forms; what they show in the catalogue."""

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.catalog.groups import queries
from marketplace.catalog.models import Dataset
from marketplace.exchange import listing
from marketplace.identity.states import Assurance, MemberRole
from marketplace.kit.db import db
from tests.api.trade import Market, market_of, ok
from tests.factories.catalog import DatasetFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.web.people import Browser, Someone, signed_in, someone
from tests.web.test_pages import check

GROUPS = "/organization/groups"


@pytest.fixture
def market(app: Flask) -> Market:
    return market_of(app)


@pytest.fixture
def owner(app: Flask) -> Someone:
    return someone()


@pytest.fixture
def browser(app: Flask, owner: Someone) -> Browser:
    return signed_in(app, owner, Assurance.AAL2)


def made(browser: Browser, owner: Someone) -> str:
    """Where the page of a group is that was made by the form."""
    browser.fill(GROUPS, {"name_ja": "観光推進の会", "name_en": "Tourism circle"})
    [group] = queries.list_groups(actor_of(owner.organization)).items
    return f"{GROUPS}/{group.id}"


def audience_of(dataset_id: str) -> str | None:
    return db.session.scalar(select(Dataset.audience).where(Dataset.id == dataset_id))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_are_whole_in_both_languages(app: Flask, browser: Browser, owner: Someone, language: str) -> None:
    page = made(browser, owner)
    guest = someone()
    browser.fill(page, {"organization_id": guest.organization.id, "invited": "yes"}, f"{page}/members")

    check(browser.get(f"{GROUPS}?lang={language}"), language)
    check(browser.get(f"{page}?lang={language}"), language)
    check(signed_in(app, guest).get(f"{GROUPS}?lang={language}"), language)


def test_whoever_is_invited_joins_and_leaves_by_buttons(app: Flask, browser: Browser, owner: Someone) -> None:
    page, guest = made(browser, owner), someone()
    theirs, member = signed_in(app, guest), actor_of(guest.organization)
    browser.fill(page, {"organization_id": guest.organization.id, "invited": "yes"}, f"{page}/members")
    group_id = page.rsplit("/", 1)[1]
    assert queries.sight_of(member).groups == frozenset()

    theirs.fill(GROUPS, {"group_id": group_id}, f"{GROUPS}/accept")
    assert queries.sight_of(member).groups == {group_id}
    assert theirs.get(page).status_code == 404

    theirs.fill(GROUPS, {"group_id": group_id}, f"{GROUPS}/leave")
    assert queries.sight_of(member).groups == frozenset()


def test_the_owner_renames_removes_and_ends(browser: Browser, owner: Someone) -> None:
    page, member = made(browser, owner), OrganizationFactory(buyer=True)
    browser.fill(page, {"organization_id": member.id}, f"{page}/members")
    browser.fill(page, {"name_ja": "物流の会", "name_en": ""}, f"{page}/names")
    assert "物流の会" in browser.get(page).text
    assert member.id in browser.get(page).text

    browser.fill(page, {"organization_id": member.id}, f"{page}/remove")
    assert member.id not in browser.get(page).text
    assert browser.fill(page, {"organization_id": "org_of_nobody"}, f"{page}/members").status_code == 409

    browser.fill(page, {}, f"{page}/dissolve")
    assert queries.list_groups(actor_of(owner.organization)).items == []


def test_a_private_dataset_is_read_in_the_browser_of_a_member_alone(app: Flask, market: Market) -> None:
    goods = market.goods(title_ja="限定の統計")
    group = ok(market.provider.post("/v1/groups", {"name_ja": "会"}), 201)["id"]
    ok(market.provider.call("PUT", f"/v1/datasets/{goods.dataset_id}/audience", json={"group_id": group}))
    listing.rebuild_index()
    member = someone(MemberRole.BUYER)
    ok(market.provider.post(f"/v1/groups/{group}/members", {"organization_id": member.organization.id}))
    address, theirs = f"/catalog/{goods.dataset_id}", signed_in(app, member)

    shown = theirs.get(address)
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    assert "Listed privately" in shown.text
    assert goods.dataset_id in theirs.get("/catalog?q=限定の統計").text
    for other in (Browser(app), signed_in(app, someone())):
        assert other.get(address).status_code == 404
        assert goods.dataset_id not in other.get("/catalog?q=限定の統計").text
        assert goods.dataset_id not in other.get("/").text


def test_a_dataset_is_listed_to_a_group_and_to_everybody_by_forms(app: Flask, browser: Browser, owner: Someone) -> None:
    page = made(browser, owner)
    dataset = DatasetFactory(organization=owner.organization, published=True)
    browser.fill(page, {"dataset_id": dataset.id}, f"{page}/datasets")
    assert audience_of(dataset.id) == page.rsplit("/", 1)[1]
    assert dataset.id in browser.get(page).text
    assert browser.fill(page, {}, f"{page}/dissolve").status_code == 409

    browser.fill(page, {"dataset_id": dataset.id}, f"{page}/publish")
    assert audience_of(dataset.id) is None


def test_whoever_belongs_to_no_organization_any_more_reads_the_public_catalogue(app: Flask) -> None:
    gone = someone(organization=OrganizationFactory(suspended=True))
    assert signed_in(app, gone).get("/catalog").status_code == 200
