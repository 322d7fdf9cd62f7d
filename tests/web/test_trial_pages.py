"""Trials on the pages: from the page of a dataset over signing in and accepting to a file in the browser."""

from urllib.parse import quote

import pytest
from flask import Flask

from marketplace.access import trials
from marketplace.access.trials import TrialDraft
from marketplace.exchange import trying
from marketplace.identity.states import MemberRole, PersonState
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing import service as licensing
from marketplace.licensing.rules import TermsDraft
from tests.factories import market
from tests.factories.identity import OrganizationFactory, actor_of
from tests.web.conftest import hrefs
from tests.web.people import PASSWORD, Browser, Someone, enter, signed_in, someone
from tests.web.test_pages import check

DESK = "/organization/trials"


def tried() -> tuple[market.Listed, str]:
    on = market.listed()
    with transaction():
        terms = licensing.write_terms(on.provider, TermsDraft({"template": "public-interest"}))
        trying.offer(on.provider, on.dataset_id, TrialDraft(terms.id, 7, 1_000_000))
    return on, terms.sha256


def buyer(role: MemberRole = MemberRole.BUYER, **fields: str) -> Someone:
    return someone(role, OrganizationFactory(buyer=True), **fields)


def taken(who: Someone, dataset_id: str) -> bool:
    db.session.expire_all()
    return trials.find_taken(actor_of(who.organization), dataset_id) is not None


@pytest.mark.parametrize("language", ["ja", "en"])
def test_somebody_signs_in_tries_a_dataset_and_fetches_its_file(app: Flask, language: str) -> None:
    on, sha256 = tried()
    page = f"{DESK}/{on.dataset_id}"
    who = buyer(password=PASSWORD)
    browser = Browser(app)
    label = "試用を始める（サインインが必要です）" if language == "ja" else "Begin a trial (this asks you to sign in)"
    [way] = hrefs(browser.get(f"/catalog/{on.dataset_id}?lang={language}").text, label)
    assert browser.get(way).headers["Location"].startswith(f"/sign-in?next={quote(page, safe='')}")
    enter(browser, who)
    shown = browser.get(way)
    check(shown, language)
    assert sha256 in shown.text
    refused = browser.post(page, {"accept_terms_sha256": sha256})
    assert (refused.status_code, taken(who, on.dataset_id)) == (422, False)
    assert browser.post(page, {"accept_terms_sha256": sha256, "accepts": "yes"}).headers["Location"] == page
    shown = browser.get(way)
    check(shown, language)
    assert market.NAME in shown.text
    address = browser.post(f"{page}/fetch", {"file_name": market.NAME, "release_id": on.release_id})
    check(address, "en")
    [ticket] = hrefs(address.text, market.NAME)
    assert browser.get(ticket).data == market.CONTENT
    own = browser.get(f"{DESK}?lang={language}")
    check(own, language)
    assert page in own.text


def test_a_trial_is_begun_by_who_may_order_and_once(app: Flask) -> None:
    on, sha256 = tried()
    page, accepted = f"{DESK}/{on.dataset_id}", {"accept_terms_sha256": sha256, "accepts": "yes"}
    who = buyer()
    colleague = signed_in(app, someone(MemberRole.AUDITOR, who.organization))
    assert "<form" not in colleague.get(page).text.split("<main")[1]
    colleague.get("/account")
    assert colleague.post(page, accepted).status_code == 403
    browser = signed_in(app, who)
    browser.get(page)
    assert browser.post(page, accepted | {"accept_terms_sha256": "0" * 64}).status_code == 409
    assert not taken(who, on.dataset_id)
    assert browser.post(page, accepted).status_code == 303
    browser.get("/account")
    again = browser.post(page, accepted)
    assert again.status_code == 409
    assert market.NAME in again.text
    assert "/fetch" not in colleague.get(page).text
    colleague.get("/account")
    assert colleague.post(f"{page}/fetch", {"file_name": market.NAME, "release_id": ""}).status_code == 403


def test_what_cannot_be_tried_has_no_page(app: Flask) -> None:
    on, _sha256 = tried()
    bare = market.listed()
    browser = signed_in(app, buyer())
    for path in (f"{DESK}/{bare.dataset_id}", f"{DESK}/ds_0"):
        assert browser.get(path).status_code == 404
    browser.get("/account")
    absent = {"file_name": market.NAME, "release_id": ""}
    assert browser.post(f"{DESK}/{on.dataset_id}/fetch", absent).status_code == 404
    assert "/organization/trials" not in Browser(app).get(f"/catalog/{bare.dataset_id}").text


def test_an_address_ends_with_whom_it_was_shown_to(app: Flask) -> None:
    on, sha256 = tried()
    page = f"{DESK}/{on.dataset_id}"
    who = buyer()
    browser = signed_in(app, who)
    browser.get(page)
    browser.post(page, {"accept_terms_sha256": sha256, "accepts": "yes"})
    browser.get(page)
    shown = browser.post(f"{page}/fetch", {"file_name": market.NAME, "release_id": on.release_id})
    [ticket] = hrefs(shown.text, market.NAME)
    who.person.state = PersonState.DISABLED.value
    db.session.commit()
    assert Browser(app).get(ticket).status_code == 404
    who.person.state = PersonState.ACTIVE.value
    db.session.commit()
    assert Browser(app).get(ticket).data == market.CONTENT
