"""Deeds of assessments: opening, answering, submitting, reviewing, objecting, responding, concluding."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.overrides.errors import SamePerson
from marketplace.kit import clock, settings
from marketplace.kit.canonical import digest_of, sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id
from marketplace.privacy import queries as privacy
from marketplace.privacy import rules as classes
from marketplace.privacy.assessments import queries, rules
from marketplace.privacy.assessments.errors import (
    AssessmentElsewhere,
    AssessmentIncomplete,
    AssessmentMissing,
    AssessmentOpen,
    AssessmentUnneeded,
    ObjectionsUnanswered,
)
from marketplace.privacy.assessments.models import AssessmentObjection, PrivacyAssessment
from marketplace.privacy.assessments.states import AssessmentState, Depth
from marketplace.privacy.errors import PrivacyClassNotListable
from marketplace.privacy.service import acting_person
from marketplace.privacy.states import PrivacyClass


def require_covered(dataset_id: str, privacy_class: PrivacyClass) -> None:
    """Refuse to list what needs an assessment and has none; raises AssessmentMissing."""
    needed, grounds = queries.threshold(dataset_id, privacy_class)
    if needed is not Depth.NONE and not queries.is_covered(dataset_id, needed):
        raise AssessmentMissing(depth=needed.value, grounds=list(grounds))


def open_assessment(actor: Actor, dataset_id: str, privacy_class: PrivacyClass) -> PrivacyAssessment:
    """Begin the assessment of a dataset of one's own, as deep as the threshold asks.

    Raises NotFound, PrivacyClassNotListable, AssessmentUnneeded or AssessmentOpen.
    """
    catalog.get_own_dataset(actor, dataset_id)
    reason = classes.listing_refusal(privacy_class)
    if reason is not None and privacy_class not in classes.PERSONAL:
        raise PrivacyClassNotListable(reason, privacy_class=privacy_class.value)
    depth, grounds = queries.threshold(dataset_id, privacy_class)
    if depth is Depth.NONE:
        raise AssessmentUnneeded
    assessment_id = new_id("pia")
    row = {
        "id": assessment_id, "dataset_id": dataset_id, "depth": depth.value, "privacy_class": privacy_class.value,
        "state": AssessmentState.DRAFT.value, "answers": {}, "summary_ja": "", "summary_en": "",
        "statement_version": 0, "review_note": "", "opened_at": clock.now(),
    }  # fmt: skip
    under_way = text("state IN ('draft', 'submitted', 'objection')")
    made = insert(PrivacyAssessment).values(row)
    made = made.on_conflict_do_nothing(index_elements=["dataset_id"], index_where=under_way)
    if db.session.scalar(made.returning(PrivacyAssessment.id)) is None:
        other = queries.find_living(dataset_id)
        raise AssessmentOpen(assessment_id=other.id if other else None)
    facts = {"depth": depth.value, "privacy_class": privacy_class.value, "grounds": list(grounds)}
    audit.record(actor, Verb.ASSESSMENT_OPENED, subject=assessment_id, dataset=dataset_id, facts=facts)
    return queries.get_visible(actor, assessment_id)


def write_answers(
    actor: Actor, assessment_id: str, answers: Mapping[str, str], summary_ja: str, summary_en: str
) -> PrivacyAssessment:
    """Put answers and summaries in the place of those of a draft; raises NotFound, AssessmentElsewhere or Invalid."""
    found = _own(actor, assessment_id, AssessmentState.DRAFT)
    found.answers = rules.checked_answers(Depth(found.depth), PrivacyClass(found.privacy_class), answers)
    found.summary_ja = rules.checked_words("summary_ja", summary_ja) if summary_ja.strip() else ""
    found.summary_en = rules.checked_words("summary_en", summary_en) if summary_en.strip() else ""
    db.session.flush()
    return found


def submit(actor: Actor, assessment_id: str) -> PrivacyAssessment:
    """Submit a draft as a person of the provider, for what is stated of the dataset now.

    Raises PersonNeeded, NotFound, AssessmentElsewhere or AssessmentIncomplete.
    """
    person_id, member_id = acting_person(actor)
    found = _own(actor, assessment_id, AssessmentState.DRAFT)
    asked = (Depth(found.depth), PrivacyClass(found.privacy_class))
    missing = rules.missing(*asked, found.answers, found.summary_ja, found.summary_en)
    if missing:
        raise AssessmentIncomplete(missing=missing)
    statement = privacy.find_statement(found.dataset_id)
    found.statement_version = statement.version if statement is not None else 0
    found.state, found.submitted_at = AssessmentState.SUBMITTED.value, clock.now()
    found.author_person, found.author_member = person_id, member_id
    facts = {"answers_sha256": digest_of(found.answers), "statement_version": found.statement_version}
    return _kept(actor, Verb.ASSESSMENT_SUBMITTED, found, facts)


def review(actor: Actor, assessment_id: str, *, approves: bool, note: str) -> PrivacyAssessment:
    """Sign an assessment off, which opens the time for objections, or send it back, as a person of the operator.

    Raises NotFound, PersonNeeded, AssessmentElsewhere, SamePerson or Invalid.
    """
    found = queries.get_visible(actor, assessment_id, lock=True)
    person_id, member_id = acting_person(actor)
    tidied = rules.checked_words("note", note)
    _at(found, AssessmentState.SUBMITTED)
    if person_id == found.author_person:
        raise SamePerson
    now = clock.now()
    found.reviewed_at, found.review_note = now, tidied
    found.reviewer_person, found.reviewer_member = person_id, member_id
    found.reviewer_organization = actor.organization_id
    found.state = (AssessmentState.OBJECTION if approves else AssessmentState.DRAFT).value
    if approves:
        found.objections_until = now + timedelta(days=settings.current().assessment_objection_days)
    facts = {"approves": approves, "note_sha256": sha256_hex(tidied.encode())}
    return _kept(actor, Verb.ASSESSMENT_REVIEWED, found, facts)


def object_to(actor: Actor, assessment_id: str, words: str) -> tuple[AssessmentObjection, bool]:
    """Object to an assessment while that is open, once for an organization; returns it, and whether it is new.

    Raises NotFound, AssessmentElsewhere or Invalid; the first objection stays.
    """
    tidied = rules.checked_words("words", words)
    found = _at(queries.get_public(assessment_id, lock=True), AssessmentState.OBJECTION)
    if found.objections_until is None or clock.now() >= found.objections_until:
        raise AssessmentElsewhere(state=found.state)
    row = {
        "id": new_id("obj"), "assessment_id": found.id, "organization_id": actor.organization_id, "words": tidied,
        "raised_at": clock.now(), "response": "",
    }  # fmt: skip
    made = insert(AssessmentObjection).values(row).on_conflict_do_nothing().returning(AssessmentObjection.id)
    is_new = db.session.scalar(made) is not None
    if is_new:
        facts = {"words_sha256": sha256_hex(tidied.encode())}
        _record(actor, Verb.ASSESSMENT_OBJECTED, found, facts)
    mine = (AssessmentObjection.assessment_id == found.id, AssessmentObjection.organization_id == actor.organization_id)
    return db.session.scalars(select(AssessmentObjection).where(*mine)).one(), is_new


def respond(actor: Actor, assessment_id: str, objection_id: str, words: str) -> AssessmentObjection:
    """Respond to an objection, as the operator; raises NotFound, PersonNeeded, AssessmentElsewhere or Invalid."""
    found = queries.get_visible(actor, assessment_id, lock=True)
    _person_id, member_id = acting_person(actor)
    tidied = rules.checked_words("response", words)
    _at(found, AssessmentState.OBJECTION)
    objection = next((one for one in queries.objections_to(found.id) if one.id == objection_id), None)
    if objection is None:
        raise NotFound
    objection.response, objection.responded_at, objection.responded_by_member = tidied, clock.now(), member_id
    db.session.flush()
    facts = {"objection": objection.id, "response_sha256": sha256_hex(tidied.encode())}
    _record(actor, Verb.ASSESSMENT_RESPONDED, found, facts)
    return objection


def conclude(actor: Actor, assessment_id: str, *, accepts: bool) -> PrivacyAssessment:
    """Accept or reject an assessment once its time for objections is over and each has its response.

    Raises NotFound, PersonNeeded, AssessmentElsewhere or ObjectionsUnanswered.
    """
    found = queries.get_visible(actor, assessment_id, lock=True)
    acting_person(actor)
    _at(found, AssessmentState.OBJECTION)
    if found.objections_until is None or clock.now() < found.objections_until:
        raise AssessmentElsewhere(state=found.state)
    if queries.count_unanswered(found.id):
        raise ObjectionsUnanswered
    return _concluded(actor, found, accepts=accepts)


def conclude_unopposed(assessment_id: str) -> PrivacyAssessment | None:
    """Accept an assessment that nobody objected to while they could; returns it if it was this call that did."""
    found = queries.get_locked(assessment_id)
    is_over = found.objections_until is not None and clock.now() >= found.objections_until
    if found.state == AssessmentState.OBJECTION and is_over and not queries.objections_to(found.id):
        return _concluded(SYSTEM, found, accepts=True)
    return None


def _concluded(actor: Actor, found: PrivacyAssessment, *, accepts: bool) -> PrivacyAssessment:
    found.state = (AssessmentState.ACCEPTED if accepts else AssessmentState.REJECTED).value
    found.concluded_at = clock.now()
    facts = {"accepts": accepts, "objections": len(queries.objections_to(found.id))}
    return _kept(actor, Verb.ASSESSMENT_CONCLUDED, found, facts)


def _own(actor: Actor, assessment_id: str, state: AssessmentState) -> PrivacyAssessment:
    found = queries.get_visible(actor, assessment_id, lock=True)
    catalog.get_own_dataset(actor, found.dataset_id)
    return _at(found, state)


def _at(found: PrivacyAssessment, state: AssessmentState) -> PrivacyAssessment:
    if found.state != state:
        raise AssessmentElsewhere(state=found.state)
    return found


def _kept(actor: Actor, verb: Verb, found: PrivacyAssessment, facts: dict[str, Any]) -> PrivacyAssessment:
    db.session.flush()
    _record(actor, verb, found, facts)
    return found


def _record(actor: Actor, verb: Verb, found: PrivacyAssessment, facts: dict[str, Any]) -> None:
    audit.record(actor, verb, subject=found.id, dataset=found.dataset_id, facts=facts)
