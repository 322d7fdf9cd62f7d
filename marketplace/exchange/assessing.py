"""Assessing: what a listing means for people, judged by somebody else and open to objections before it is listed."""

from collections.abc import Mapping

from marketplace.catalog import listings
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction
from marketplace.privacy.assessments import queries, service
from marketplace.privacy.assessments.models import PrivacyAssessment
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


@jobs.task("privacy.conclude_unopposed", cron="11 * * * *")
def conclude_unopposed() -> None:
    """Accept the assessments that nobody objected to while they could."""
    with transaction():
        over = queries.unopposed(clock.now())
    for assessment_id in over:
        with transaction():
            service.conclude_unopposed(assessment_id)
