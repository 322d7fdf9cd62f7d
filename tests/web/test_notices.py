"""Notices of incidents on the desk: whole in both languages, and taken note of by those who answer."""

from datetime import timedelta

import pytest
from flask import Flask

from marketplace.exchange import incident as stories
from marketplace.identity.actors import SYSTEM
from marketplace.identity.states import Assurance, MemberRole
from marketplace.incidents import queries
from marketplace.incidents.models import IncidentNotice
from marketplace.incidents.rules import IncidentDraft
from marketplace.incidents.states import IncidentKind
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.factories import market
from tests.factories.identity import actor_of
from tests.web.people import Someone, signed_in, someone
from tests.web.test_pages import check

NOTICES = "/organization/notices"


def told(app: Flask, whose: Someone) -> str:
    """The id of a notice to somebody's organization, which has a grant of what leaked."""
    operator, now = market.party(operator=True), clock.now()
    market.bought(app, actor_of(whose.organization), market.offered(market.listed(), kind=PriceKind.FREE))
    with transaction():
        scope = {"began_at": now - timedelta(days=1), "noticed_at": now}
        whom = {"organization_ids": (whose.organization.id,)}
        incident = stories.open_incident(
            operator, IncidentDraft(IncidentKind.LEAK, "鍵<b>が漏えい。", "A key <b>leaked.", **scope, **whom)
        )
        stories.tell(operator, incident.id)
        return str(queries.list_notices(actor_of(whose.organization)).items[0].id)


def noted(notice_id: str) -> str | None:
    return db.session.get_one(IncidentNotice, notice_id, populate_existing=True).acknowledged_by


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_notice_is_shown_and_taken_note_of(app: Flask, language: str) -> None:
    owner = someone()
    notice_id = told(app, owner)
    browser = signed_in(app, owner, Assurance.AAL1)
    shown = browser.get(f"{NOTICES}?lang={language}")
    check(shown, language)
    assert {"ja": "鍵&lt;b&gt;が漏えい。", "en": "A key &lt;b&gt;leaked."}[language] in shown.text
    [listed] = queries.list_noticed_grants(actor_of(owner.organization), notice_id).items
    market.fetched(actor_of(owner.organization), listed.grant_id, acked=5)
    with transaction():
        stories.assess(SYSTEM, listed.incident_id)
    detail = browser.get(f"{NOTICES}/{notice_id}?lang={language}")
    check(detail, language)
    for said in (listed.grant_id, listed.dataset_id, market.opened_sha256(), "{[0,5)}", market.NAME):
        assert said in detail.text
    assert browser.fill(NOTICES, {"notice_id": notice_id}, f"{NOTICES}/acknowledge").status_code == 303
    assert noted(notice_id) == owner.member.id
    assert 'name="notice_id"' not in browser.get(NOTICES).text


def test_who_does_not_answer_for_the_organization_reads_and_takes_no_note(app: Flask) -> None:
    buyer = someone(MemberRole.BUYER)
    notice_id = told(app, buyer)
    browser = signed_in(app, buyer, Assurance.AAL1)
    assert "A key" in browser.get(NOTICES).text
    assert 'name="notice_id"' not in browser.seen.text
    browser.get("/account")
    assert browser.post(f"{NOTICES}/acknowledge", {"notice_id": notice_id}).status_code == 403
    assert noted(notice_id) is None


def test_the_notices_of_others_are_not_shown(app: Flask) -> None:
    notice_id, stranger = told(app, someone()), someone()
    browser = signed_in(app, stranger, Assurance.AAL1)
    assert "A key" not in browser.get(NOTICES).text
    assert browser.get(f"{NOTICES}/{notice_id}").status_code == 404
    browser.get("/account")
    assert browser.post(f"{NOTICES}/acknowledge", {"notice_id": notice_id}).status_code == 404
    assert noted(notice_id) is None
