"""Assessing: what a listing means for people, judged by somebody else and open to objections before it is listed."""

from collections.abc import Mapping

from marketplace.catalog import listings
from marketplace.exchange import reminding
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction
from marketplace.privacy.assessments import queries, service
from marketplace.privacy.assessments.models import AssessmentObjection, PrivacyAssessment
from marketplace.privacy.assessments.states import AssessmentState
from marketplace.privacy.reminders.states import Decision
from marketplace.privacy.states import PrivacyClass


def begin(actor: Actor, dataset_id: str, privacy_class: PrivacyClass) -> PrivacyAssessment:
    """Begin an assessment; raises what ``open_assessment`` raises."""
    return service.open_assessment(actor, dataset_id, privacy_class)


def write(
    actor: Actor, assessment_id: str, answers: Mapping[str, str], summary_ja: str, summary_en: str
) -> PrivacyAssessment:
    """Write answers and summaries into a draft; raises what ``write_answers`` raises."""
    return service.write_answers(actor, assessment_id, answers, summary_ja, summary_en)


def submit(actor: Actor, assessment_id: str) -> PrivacyAssessment:
    """Submit a draft, in line with whoever changes what is stated of the dataset; raises what ``submit`` raises."""
    listings.stand_in_line(queries.get_visible(actor, assessment_id).dataset_id)
    return service.submit(actor, assessment_id)


def review(actor: Actor, assessment_id: str, *, approves: bool, note: str) -> PrivacyAssessment:
    """Sign an assessment off, or send it back, and tell its provider; raises what ``review`` raises."""
    found = service.review(actor, assessment_id, approves=approves, note=note)
    reminding.tell_provider(found.dataset_id, Decision.SIGNED_OFF if approves else Decision.SENT_BACK, found.id)
    return found


def object_to(actor: Actor, assessment_id: str, words: str) -> AssessmentObjection:
    """Object to an assessment, and tell its provider and who reviews; raises what ``object_to`` raises."""
    objection, is_new = service.object_to(actor, assessment_id, words)
    if is_new:
        dataset_id = queries.get_public(assessment_id).dataset_id
        reminding.tell_provider(dataset_id, Decision.OBJECTED, assessment_id)
        reminding.tell_reviewers(dataset_id, Decision.OBJECTED, assessment_id)
    return objection


def conclude(actor: Actor, assessment_id: str, *, accepts: bool) -> PrivacyAssessment:
    """Accept or reject an assessment, and tell its provider; raises what ``conclude`` raises."""
    return _told(service.conclude(actor, assessment_id, accepts=accepts))


def _told(found: PrivacyAssessment) -> PrivacyAssessment:
    decision = Decision.ACCEPTED if found.state == AssessmentState.ACCEPTED else Decision.REJECTED
    reminding.tell_provider(found.dataset_id, decision, found.id)
    return found


@jobs.task("privacy.conclude_unopposed", cron="11 * * * *")
def conclude_unopposed() -> None:
    """Accept the assessments that nobody objected to while they could."""
    with transaction():
        over = queries.unopposed(clock.now())
    for assessment_id in over:
        with transaction():
            concluded = service.conclude_unopposed(assessment_id)
            if concluded is not None:
                _told(concluded)
