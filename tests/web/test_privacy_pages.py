"""The desk of the privacy gate in the browser: answering, agreeing, assessing, reviewing, and what everybody reads."""

from datetime import timedelta

import pytest
from flask import Flask

from marketplace.catalog import service as catalog
from marketplace.exchange import assessing, gate
from marketplace.identity.states import Assurance, MemberRole
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.privacy import queries
from marketplace.privacy.assessments import queries as assessments
from marketplace.privacy.assessments.questions import questions
from marketplace.privacy.assessments.states import AssessmentState, Depth
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.states import FindingState, PrivacyClass
from tests.factories import market
from tests.factories.catalog import DatasetDraftFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.privacy import CONSENTED, assessed, drafted, finding
from tests.web.people import Browser, Someone, signed_in, someone
from tests.web.test_pages import check

FINDINGS, ASSESSMENTS = "/organization/privacy", "/organization/assessments"
PERSONAL = PrivacyClass.PERSONAL


@pytest.fixture
def owner(app: Flask) -> Someone:
    return someone(organization=OrganizationFactory(provider=True))


@pytest.fixture
def dataset_id(owner: Someone) -> str:
    with transaction():
        return catalog.register_dataset(actor_of(owner.organization), DatasetDraftFactory()).id


@pytest.fixture
def reviewer(app: Flask) -> Browser:
    return signed_in(app, someone(organization=OrganizationFactory(operator=True)), Assurance.AAL2)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_finding_is_answered_and_seconded_by_forms(
    app: Flask, owner: Someone, dataset_id: str, language: str
) -> None:
    file = drafted(
        actor_of(owner.organization),
        dataset_id,
        finding(),
        finding(Level.BLOCKED, Kind.MY_NUMBER),
        finding(Level.NOTE, Kind.ADDRESS),
    )
    browser = signed_in(app, owner)
    shown = browser.get(f"{FINDINGS}?lang={language}")
    check(shown, language)
    assert {"ja": "個人番号", "en": "My Number"}[language] in shown.text
    one = next(one for one in queries.findings_of(file.release_id) if one.level == Level.HIGH)
    form = {"finding_id": one.id, "sha256": one.sha256, "answer": "falseAlarm", "reason": "店名の列である。"}
    assert browser.fill(FINDINGS, form | {"reason": " "}, f"{FINDINGS}/answer").status_code == 422
    assert browser.fill(FINDINGS, form, f"{FINDINGS}/answer").status_code == 303
    assert browser.fill(FINDINGS, {"finding_id": one.id, "agrees": "yes"}, f"{FINDINGS}/second").status_code == 403
    colleague = signed_in(app, someone(MemberRole.CATALOGUE_EDITOR, owner.organization))
    check(colleague.get(f"{FINDINGS}?lang={language}"), language)
    assert colleague.fill(FINDINGS, {"finding_id": one.id, "agrees": "yes"}, f"{FINDINGS}/second").status_code == 303
    settled = queries.get_visible_finding(actor_of(owner.organization), one.id)
    assert settled.state == FindingState.SETTLED
    assert "店名の列である。" in browser.get(FINDINGS).text


def test_the_operator_sees_what_waits_for_a_second_person_and_strangers_see_nothing(
    app: Flask, owner: Someone, dataset_id: str, reviewer: Browser
) -> None:
    file = drafted(actor_of(owner.organization), dataset_id, finding())
    (one,) = queries.findings_of(file.release_id)
    form = {"finding_id": one.id, "sha256": one.sha256, "answer": "nonsense", "reason": "店名の列である。"}
    signed_in(app, owner).fill(FINDINGS, form, f"{FINDINGS}/answer")
    assert one.id in reviewer.get(FINDINGS).text
    assert one.id not in signed_in(app, someone(organization=OrganizationFactory(provider=True))).get(FINDINGS).text
    assert reviewer.fill(FINDINGS, {"finding_id": one.id, "agrees": "no"}, f"{FINDINGS}/second").status_code == 303
    assert one.id not in reviewer.get(FINDINGS).text


@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_assessment_is_written_reviewed_answered_and_concluded_by_forms(
    app: Flask, owner: Someone, dataset_id: str, reviewer: Browser, language: str
) -> None:
    with transaction():
        gate.state(actor_of(owner.organization), dataset_id, CONSENTED)
        made = assessing.begin(actor_of(owner.organization), dataset_id, PERSONAL).id
    page, browser = f"{ASSESSMENTS}/{made}", signed_in(app, owner)
    for address in (ASSESSMENTS, page):
        check(browser.get(f"{address}?lang={language}"), language)
    answers = {one.code: "措置を講じた。" for one in questions(Depth.FULL, PERSONAL)}
    summaries = {"summary_ja": "影響は<小さい>。", "summary_en": "Small."}
    assert browser.fill(page, summaries | {"submit": "yes"}, f"{page}/answers").status_code == 409
    assert browser.fill(page, answers | summaries | {"submit": "yes"}, f"{page}/answers").status_code == 303
    assert browser.get(f"/assessments/{made}").status_code == 404

    check(reviewer.get(f"{ASSESSMENTS}?lang={language}"), language)
    check(reviewer.get(f"{page}?lang={language}"), language)
    assert reviewer.fill(page, {"approves": "yes", "note": "妥当である。"}, f"{page}/review").status_code == 303
    shown = Browser(app).get(f"/assessments/{made}?lang={language}")
    check(shown, language)
    assert {"ja": "影響は&lt;小さい&gt;。", "en": "Small."}[language] in shown.text
    check(Browser(app).get(f"/assessments?lang={language}"), language)

    buyer = market.buyer()
    with transaction():
        objection = assessing.object_to(buyer, made, "再識別が心配である。").id
    check(reviewer.get(f"{page}?lang={language}"), language)
    words = {"objection_id": objection, "response": "集計単位を広げた。"}
    assert reviewer.fill(page, words, f"{page}/respond").status_code == 303
    with clock.stopped(clock.now() + timedelta(days=15)):
        reviewer_then = signed_in(app, someone(organization=OrganizationFactory(operator=True)), Assurance.AAL2)
        check(reviewer_then.get(f"{page}?lang={language}"), language)
        assert reviewer_then.fill(page, {"accepts": "yes"}, f"{page}/conclude").status_code == 303
    assert assessments.get_locked(made).state == AssessmentState.ACCEPTED


def test_strangers_read_no_assessment_that_is_not_public(app: Flask, owner: Someone, dataset_id: str) -> None:
    made = assessed(dataset_id, state=AssessmentState.SUBMITTED)
    stranger = signed_in(app, someone(organization=OrganizationFactory(provider=True)))
    assert stranger.get(f"{ASSESSMENTS}/{made}").status_code == 404
    assert Browser(app).get(f"/assessments/{made}").status_code == 404
    assert made not in Browser(app).get("/assessments").text


@pytest.mark.parametrize("language", ["ja", "en"])
def test_buyers_object_once_by_a_form_while_it_is_open_and_strangers_are_sent_to_sign_in(
    app: Flask, language: str
) -> None:
    on = market.listed()
    with transaction():
        gate.state(on.provider, on.dataset_id, CONSENTED)
    made = assessed(on.dataset_id, state=AssessmentState.OBJECTION)
    page, deed = f"/assessments/{made}", f"{ASSESSMENTS}/{made}/object"
    stranger = Browser(app).get(f"{page}?lang={language}")
    check(stranger, language)
    assert "<form" not in stranger.text.split("<main", 1)[1]
    assert "/sign-in?" in stranger.text.split("<main", 1)[1]
    shown = Browser(app).get(f"/catalog/{on.dataset_id}?lang={language}")
    check(shown, language)
    assert f"/assessments/{made}" in shown.text
    buyer = signed_in(app, someone(MemberRole.BUYER, OrganizationFactory(buyer=True)))
    check(buyer.get(f"{page}?lang={language}"), language)
    assert buyer.fill(page, {"words": " "}, deed).status_code == 422
    for words in ("再識別<が>心配である。", "もう一度"):
        assert buyer.fill(page, {"words": words}, deed).status_code == 303
    assert [one.words for one in assessments.objections_to(made)] == ["再識別<が>心配である。"]
    with clock.stopped(clock.now() + timedelta(days=15)):
        later = signed_in(app, someone(MemberRole.BUYER, OrganizationFactory(buyer=True)))
        assert "<textarea" not in later.get(page).text
        assert later.fill("/account", {"words": "遅い"}, deed).status_code == 409
    assert len(assessments.objections_to(made)) == 1


def test_who_may_not_object_is_shown_no_form(app: Flask, owner: Someone, dataset_id: str) -> None:
    made = assessed(dataset_id, state=AssessmentState.OBJECTION)
    clerk = signed_in(app, someone(MemberRole.FINANCE, OrganizationFactory(buyer=True)))
    assert "<textarea" not in clerk.get(f"/assessments/{made}").text
    answer = clerk.fill("/account", {"words": "意見"}, f"{ASSESSMENTS}/{made}/object")
    assert answer.status_code == 403
    assert assessments.objections_to(made) == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_assessment_is_begun_by_a_form_and_its_standing_is_seen_on_the_desk(
    app: Flask, owner: Someone, dataset_id: str, language: str
) -> None:
    browser, form = signed_in(app, owner), {"dataset_id": dataset_id, "privacy_class": PERSONAL.value}
    assert browser.fill(ASSESSMENTS, form | {"privacy_class": "x"}, f"{ASSESSMENTS}/begin").status_code == 409
    assert browser.fill(ASSESSMENTS, form | {"dataset_id": "ds_x"}, f"{ASSESSMENTS}/begin").status_code == 404
    assert browser.fill(ASSESSMENTS, form, f"{ASSESSMENTS}/begin").status_code == 303
    assert browser.fill(ASSESSMENTS, form, f"{ASSESSMENTS}/begin").status_code == 409
    shown = browser.get(f"{ASSESSMENTS}?lang={language}")
    check(shown, language)
    assert {"ja": "作成中", "en": "Being written"}[language] in shown.text
    assert shown.text.count("/assessments/pia_") == 1
    elsewhere = signed_in(app, someone(organization=OrganizationFactory(provider=True))).get(ASSESSMENTS)
    assert "pia_" not in elsewhere.text
