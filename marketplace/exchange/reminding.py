"""Reminding: what waits at the privacy gate → letters to those who can do it, once, and once more when overdue."""

from collections.abc import Iterable
from datetime import timedelta

from marketplace.catalog import queries as catalog
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.identity.login.letters import Letter
from marketplace.kit import clock, jobs, mail, settings
from marketplace.kit.transaction import transaction
from marketplace.privacy.reminders import letters, queries, service
from marketplace.privacy.reminders.queries import Waiting
from marketplace.privacy.reminders.states import Decision, Occasion

FINDINGS, ASSESSMENTS = "/organization/privacy", "/organization/assessments"


@jobs.task("privacy.remind", cron="*/15 * * * *")
def remind() -> None:
    """Tell people what waits for them since the last time, and what has waited for too long."""
    with transaction():
        waiting = queries.list_waiting()
    for one in waiting:
        with transaction():
            _tell(one)


def _tell(waiting: Waiting) -> None:
    days = settings.current().review_days_max
    is_late = clock.now() - waiting.since > timedelta(days=days) and waiting.occasion is not Occasion.REFUSED
    is_new = service.note(waiting, overdue=False)
    if not is_new and not (is_late and service.note(waiting, overdue=True)):
        return
    address = _address(waiting.subject if waiting.occasion.is_of_assessment else None)
    letter = letters.of_waiting(waiting.occasion, waiting.dataset_id, address, days=None if is_new else days)
    _send(letter, _addresses(waiting, is_late=not is_new))


def _addresses(waiting: Waiting, *, is_late: bool) -> Iterable[str]:
    """Return whom something waits for: the provider's people, the operator's for reviews, both for what takes two."""
    if waiting.occasion.is_of_assessment:
        return _reviewers()
    provider = catalog.get_dataset(waiting.dataset_id).organization_id
    own = identity.list_addresses(provider, roles.LISTING)
    needs_more = waiting.occasion is Occasion.SECOND and (is_late or len(set(own)) < 2)
    return [*own, *(_reviewers() if needs_more else ())]


def _reviewers() -> Iterable[str]:
    operator = identity.find_operator()
    return identity.list_addresses(operator.id, roles.JUDGING) if operator else ()


def tell_provider(dataset_id: str, decision: Decision, assessment_id: str | None = None) -> None:
    """Tell the people of a dataset's provider what was decided, in the transaction of the decision."""
    letter = letters.of_decision(decision, dataset_id, _address(assessment_id))
    _send(letter, identity.list_addresses(catalog.get_dataset(dataset_id).organization_id, roles.LISTING))


def tell_reviewers(dataset_id: str, decision: Decision, assessment_id: str) -> None:
    """Tell the people of the operator who review what somebody has done about an assessment."""
    _send(letters.of_decision(decision, dataset_id, _address(assessment_id)), _reviewers())


def _address(assessment_id: str | None) -> str:
    base = settings.current().base_url
    return f"{base}{ASSESSMENTS}/{assessment_id}" if assessment_id else f"{base}{FINDINGS}"


def _send(letter: Letter, addresses: Iterable[str]) -> None:
    for address in dict.fromkeys(addresses):
        mail.send(address, letter.subject, letter.body)
