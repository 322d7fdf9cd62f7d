"""Citations on the pages: named by whoever used a dataset, decided by its provider, in both languages."""

import pytest
from flask import Flask

from marketplace.catalog.lineage import queries
from marketplace.exchange import listing
from marketplace.identity.states import MemberRole
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.identity import OrganizationFactory, actor_of
from tests.web.people import Browser, Someone, signed_in, someone
from tests.web.test_pages import ATTACK, check

DESK = "/organization/citations"


def form(**changes: str) -> dict[str, str]:
    return {"kind": "use_case", "title": "除雪の計画", "url": "https://example.jp/use"} | changes


def provider() -> tuple[Someone, market.Listed]:
    who = someone(MemberRole.CATALOGUE_EDITOR, OrganizationFactory(provider=True))
    return who, market.listed(actor_of(who.organization))


def buyer() -> Someone:
    return someone(MemberRole.BUYER, OrganizationFactory(buyer=True))


def states(dataset_id: str) -> list[str]:
    db.session.expire_all()
    return [one.state for one in queries.list_citations(dataset_id, shown_only=False).items]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_use_is_named_shown_and_taken_off_with_a_browser(app: Flask, language: str) -> None:
    who, on = provider()
    page = f"{DESK}/of/{on.dataset_id}"
    catalogue = f"/catalog/{on.dataset_id}?lang={language}"
    assert page in Browser(app).get(catalogue).text
    user = signed_in(app, buyer())
    check(user.get(f"{page}?lang={language}"), language)
    assert user.post(page, form(title=ATTACK)).headers["Location"] == DESK
    for desk in (user, signed_in(app, who)):
        shown = desk.get(f"{DESK}?lang={language}")
        check(shown, language)
        assert "https://example.jp/use" in shown.text
        assert ('name="state" value="shown"' in shown.text) == (desk is not user)
    assert "https://example.jp/use" not in Browser(app).get(catalogue).text
    editor = signed_in(app, who)
    [citation] = queries.list_citations(on.dataset_id, shown_only=False).items
    for state, is_seen in (("declined", False), ("shown", True), ("removed", False)):
        editor.get(DESK)
        assert editor.post(DESK, {"citation_id": citation.id, "state": state}).status_code == 303
        seen = Browser(app).get(catalogue)
        check(seen, language)
        assert ("https://example.jp/use" in seen.text) == is_seen
        assert states(on.dataset_id) == [state]
    editor.get("/account")
    assert editor.post(DESK, {"citation_id": citation.id, "state": "shown"}).status_code == 409
    editor.get("/account")
    assert editor.post(DESK, {"citation_id": citation.id, "state": "waiting"}).status_code == 422
    assert states(on.dataset_id) == ["removed"]


def test_ones_own_is_shown_at_once(app: Flask) -> None:
    who, on = provider()
    editor = signed_in(app, who)
    editor.get(f"{DESK}/of/{on.dataset_id}")
    assert editor.post(f"{DESK}/of/{on.dataset_id}", form()).headers["Location"] == f"/catalog/{on.dataset_id}"
    assert "https://example.jp/use" in Browser(app).get(f"/catalog/{on.dataset_id}").text


def test_a_form_with_faults_comes_back_as_it_was_written(app: Flask) -> None:
    _who, on = provider()
    user = signed_in(app, buyer())
    page = f"{DESK}/of/{on.dataset_id}"
    user.get(page)
    for changes, status in (
        ({"kind": "x"}, 422),
        ({"title": " "}, 422),
        ({"url": "javascript:alert(1)"}, 422),
        ({}, 303),
        ({}, 409),
    ):
        answer = user.post(page, form(**changes))
        assert answer.status_code == status
        assert status == 303 or "value=" in answer.text
    assert states(on.dataset_id) == ["waiting"]


def test_who_does_not_see_a_dataset_or_may_not_decide_changes_nothing(app: Flask) -> None:
    who, on = provider()
    user = signed_in(app, buyer())
    user.get(f"{DESK}/of/{on.dataset_id}")
    user.post(f"{DESK}/of/{on.dataset_id}", form())
    [citation] = queries.list_citations(on.dataset_id, shown_only=False).items
    stranger = signed_in(app, provider()[0])
    reads = signed_in(app, someone(MemberRole.AUDITOR, who.organization))
    assert "https://example.jp/use" not in stranger.get(DESK).text
    assert 'value="shown"' not in reads.get(DESK).text
    for browser, status in ((user, 403), (reads, 403), (stranger, 404)):
        browser.get("/account")
        assert browser.post(DESK, {"citation_id": citation.id, "state": "shown"}).status_code == status
    reads.get("/account")
    assert reads.post(f"{DESK}/of/{on.dataset_id}", form(url="https://example.jp/2")).status_code == 403
    assert Browser(app).get(DESK).headers["Location"].startswith("/sign-in")
    with transaction():
        listing.withdraw_dataset(on.provider, on.dataset_id)
    assert user.get(f"{DESK}/of/{on.dataset_id}").status_code == 404
    assert states(on.dataset_id) == ["waiting"]
