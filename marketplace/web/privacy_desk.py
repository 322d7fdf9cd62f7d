"""The desk of the privacy gate: findings and their answers, impact assessments and their review."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from marketplace.catalog import queries as catalog
from marketplace.exchange import assessing, gate
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import Conflict, Forbidden, Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.privacy import queries
from marketplace.privacy.assessments import queries as assessments
from marketplace.privacy.assessments import service
from marketplace.privacy.assessments.questions import questions
from marketplace.privacy.assessments.rules import ANSWER_MAX, SUMMARY_MAX, WORDS_MAX
from marketplace.privacy.assessments.states import PUBLIC, AssessmentState, Depth
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.states import Answer, FindingState, PrivacyClass
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded, may, session
from marketplace.web.language import link, say
from marketplace.web.rendering import path_part, render_private
from marketplace.web.sign_in import trouble_of

blp = blueprint("privacy_desk")
FINDINGS, ASSESSMENTS = "/organization/privacy", "/organization/assessments"
NEVER_LISTED = (PrivacyClass.PSEUDONYMISED, PrivacyClass.OTHER)
STATE_LABELS = {
    AssessmentState.DRAFT: ("作成中", "Being written"),
    AssessmentState.SUBMITTED: ("審査待ち", "Waits for its review"),
    AssessmentState.OBJECTION: ("意見申出期間中", "Open to objections"),
    AssessmentState.ACCEPTED: ("承認", "Accepted"),
    AssessmentState.REJECTED: ("不承認", "Rejected"),
}


@blp.get(FINDINGS)
@guarded(Permission.PRIVACY_READ)
def show_findings() -> Response:
    """List what was found in one's files and waits for somebody; overseers see all."""
    return _findings()


@blp.post(f"{FINDINGS}/answer")
@guarded(Permission.PRIVACY_ANSWER)
def answer() -> Response:
    """Answer a finding."""
    form = forms.read("finding_id", "sha256", "answer", "reason")
    said = Answer(form["answer"]) if form["answer"] in set(Answer) else Answer.FALSE_ALARM
    return _done(
        lambda: gate.answer(_actor(), form["finding_id"], form["sha256"], said, form["reason"]), FINDINGS, _findings
    )


@blp.post(f"{FINDINGS}/second")
@guarded(Permission.PRIVACY_SECOND)
def second() -> Response:
    """Agree to another's answer, or send it back."""
    form = forms.read("finding_id", "agrees")
    return _done(lambda: gate.second(_actor(), form["finding_id"], agrees=form["agrees"] == "yes"), FINDINGS, _findings)


@blp.get(ASSESSMENTS)
@guarded(Permission.PRIVACY_READ)
def showshow_all() -> Response:
    """List the assessments of one's datasets; to overseers, those that wait for them."""
    return show_all()


@blp.get(f"{ASSESSMENTS}/<assessment_id>")
@guarded(Permission.PRIVACY_READ)
def show_assessment(assessment_id: str) -> Response:
    """Show an assessment with its questions, and the forms for what comes next."""
    return _assessment(assessment_id)


@blp.post(f"{ASSESSMENTS}/<assessment_id>/answers")
@guarded(Permission.PRIVACY_ANSWER)
def write(assessment_id: str) -> Response:
    """Keep the answers of a draft, and submit it where that was asked for."""
    found = assessments.get_visible(_actor(), assessment_id)
    codes = [one.code for one in _asked(found)]
    form = forms.read("summary_ja", "summary_en", "submit", *codes)
    answers = {code: form[code] for code in codes}

    def deed() -> None:
        assessing.write(_actor(), assessment_id, answers, form["summary_ja"], form["summary_en"])
        if form["submit"] == "yes":
            assessing.submit(_actor(), assessment_id)

    return _done(deed, f"{ASSESSMENTS}/{assessment_id}", lambda refusal: _assessment(assessment_id, refusal))


@blp.post(f"{ASSESSMENTS}/<assessment_id>/review")
@guarded(Permission.ASSESSMENTS_REVIEW)
def review(assessment_id: str) -> Response:
    """Sign an assessment off, or send it back."""
    form = forms.read("approves", "note")
    return _done(
        lambda: assessing.review(_actor(), assessment_id, approves=form["approves"] == "yes", note=form["note"]),
        f"{ASSESSMENTS}/{assessment_id}",
        lambda refusal: _assessment(assessment_id, refusal),
    )


@blp.post(f"{ASSESSMENTS}/<assessment_id>/respond")
@guarded(Permission.ASSESSMENTS_REVIEW)
def respond(assessment_id: str) -> Response:
    """Respond to an objection."""
    form = forms.read("objection_id", "response")
    return _done(
        lambda: service.respond(_actor(), assessment_id, form["objection_id"], form["response"]),
        f"{ASSESSMENTS}/{assessment_id}",
        lambda refusal: _assessment(assessment_id, refusal),
    )


@blp.post(f"{ASSESSMENTS}/<assessment_id>/conclude")
@guarded(Permission.ASSESSMENTS_REVIEW)
def conclude(assessment_id: str) -> Response:
    """Accept or reject an assessment."""
    form = forms.read("accepts")
    return _done(
        lambda: assessing.conclude(_actor(), assessment_id, accepts=form["accepts"] == "yes"),
        f"{ASSESSMENTS}/{assessment_id}",
        lambda refusal: _assessment(assessment_id, refusal),
    )


def _actor() -> Actor:
    return login.actor_of(session())


def _done(deed: Callable[[], object], address: str, page: Callable[[Refusal | None], Response]) -> Response:
    try:
        with transaction():
            deed()
    except (Conflict, Forbidden, Invalid) as refusal:
        return page(refusal)
    return see(link(address))


def _findings(refusal: Refusal | None = None) -> Response:
    actor = _actor()
    wanted = FindingState.ANSWERED if actor.oversees else None
    page = queries.list_findings(actor, state=wanted, cursor=request.args.get("cursor"))
    return render_private(
        "findings.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        trouble=trouble_of(refusal),
        answers=may(actor, Permission.PRIVACY_ANSWER),
        seconds=may(actor, Permission.PRIVACY_SECOND),
        choices=[(one.value, say(one.ja, one.en)) for one in Answer],
        findings=[_finding(one) for one in page.items if one.state != FindingState.NOTED],
        following=link(FINDINGS, [("cursor", page.next_cursor)]) if page.next_cursor else None,
        words_max=WORDS_MAX,
    )


def _finding(one: Any) -> dict[str, Any]:
    kind, level = Kind(one.kind), Level(one.level)
    dataset, file = catalog.get_dataset(one.dataset_id), catalog.get_file(one.file_id)
    names = (
        "id",
        "sha256",
        "column_name",
        "table_name",
        "hits",
        "cells",
        "share_mille",
        "row_numbers",
        "state",
        "reason",
    )
    said = Answer(one.answer) if one.answer else None
    return {name: getattr(one, name) for name in names} | {
        "kind": say(kind.ja, kind.en),
        "level": level.value,
        "weight": say(level.ja, level.en),
        "title_ja": dataset.title_ja,
        "title_en": dataset.title_en,
        "file": file.name,
        "answer": say(said.ja, said.en) if said else "",
    }


def show_all(refusal: Refusal | None = None) -> Response:
    """Show the assessments of one's datasets with the form for another; to overseers, those that wait for them."""
    actor = _actor()
    if actor.oversees:
        found = list(assessments.list_waiting())
    else:
        found = list(assessments.list_of_organization(actor.organization_id))
    return render_private(
        "assessments_desk.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        trouble=trouble_of(refusal),
        assessments=[summary(one) for one in found],
        begins=may(actor, Permission.PRIVACY_ANSWER),
        classes=[(one.value, say(one.ja, one.en)) for one in PrivacyClass if one not in NEVER_LISTED],
    )


def _asked(found: Any) -> Any:
    return questions(Depth(found.depth), PrivacyClass(found.privacy_class))


def _assessment(assessment_id: str, refusal: Refusal | None = None) -> Response:
    actor = _actor()
    found = assessments.get_visible(actor, assessment_id)
    is_own = catalog.get_dataset(found.dataset_id).organization_id == actor.organization_id
    is_over = found.objections_until is not None and clock.now() >= found.objections_until
    return render_private(
        "assessment.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        trouble=trouble_of(refusal),
        one=summary(found),
        questions=[(asked.code, say(asked.ja, asked.en), found.answers.get(asked.code, "")) for asked in _asked(found)],
        note=found.review_note,
        objections=assessments.objections_to(found.id),
        writes=is_own and found.state == AssessmentState.DRAFT and may(actor, Permission.PRIVACY_ANSWER),
        reviews=found.state == AssessmentState.SUBMITTED and may(actor, Permission.ASSESSMENTS_REVIEW),
        responds=found.state == AssessmentState.OBJECTION and may(actor, Permission.ASSESSMENTS_REVIEW),
        concludes=found.state == AssessmentState.OBJECTION and is_over and may(actor, Permission.ASSESSMENTS_REVIEW),
        lengths={"answer": ANSWER_MAX, "summary": SUMMARY_MAX, "words": WORDS_MAX},
        action=f"{ASSESSMENTS}/{path_part(found.id)}",
    )


def summary(found: Any) -> dict[str, Any]:
    """Return what pages tell of an assessment."""
    dataset = catalog.get_dataset(found.dataset_id)
    depth, privacy_class = Depth(found.depth), PrivacyClass(found.privacy_class)
    objections = assessments.objections_to(found.id)
    names = ("id", "state", "summary_ja", "summary_en", "objections_until", "concluded_at", "reviewed_at")
    return {name: getattr(found, name) for name in names} | {
        "title_ja": dataset.title_ja,
        "title_en": dataset.title_en,
        "depth": say(depth.ja, depth.en),
        "privacy_class": say(privacy_class.ja, privacy_class.en),
        "standing": say(*STATE_LABELS[AssessmentState(found.state)]),
        "is_public": found.state in PUBLIC and dataset.audience is None,
        "objections": len(objections),
        "responses": sum(one.responded_at is not None for one in objections),
    }
