"""Demand: what somebody needs → who stands behind it → what providers answer → what became of it, told to all."""

from contextlib import suppress

from marketplace.demand import guiding, letters, notices, queries, service
from marketplace.demand.errors import RequestEnded
from marketplace.demand.models import DataRequest, RequestAnswer
from marketplace.demand.rules import AnswerDraft
from marketplace.demand.states import Event
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs, mail, settings
from marketplace.kit.transaction import transaction


def answer(actor: Actor, request_id: str, draft: AnswerDraft) -> tuple[DataRequest, RequestAnswer]:
    """Answer a request and tell the requester and the followers, but not whoever answers. Raises as the deed does."""
    request, given = service.answer(actor, request_id, draft)
    _tell(request, Event.ANSWERED, given.id, but=actor.organization_id)
    return request, given


def meet(actor: Actor, request_id: str, answer_id: str | None = None) -> DataRequest:
    """Say that one's own request is met, and tell all who follow it. Raises as the deed does."""
    request = service.meet(actor, request_id, answer_id)
    _tell(request, Event.MET, answer_id or "", but=actor.organization_id)
    return request


def close(actor: Actor, request_id: str, words: str) -> DataRequest:
    """Close a request, and tell all whom it concerns. Raises as the deed does."""
    request = service.close(actor, request_id, words)
    _tell(request, Event.CLOSED, but=actor.organization_id)
    return request


def merge(actor: Actor, request_id: str, into_id: str) -> DataRequest:
    """Merge a request into another one; all who follow it are told, and follow the other. Raises as the deed does."""
    _request, into = service.merge(
        actor, request_id, into_id, lambda request: _tell(request, Event.MERGED, into_id, but=actor.organization_id)
    )
    return into


@jobs.task("demand.tell")
def tell() -> None:
    """Mail what is to be told of requests, each notice once, some hundred at a time."""
    with transaction():
        taken = notices.take_unmailed()
        for one in taken:
            request = queries.read_request(one.request_id)
            letter = letters.of_event(request, Event(one.event), _address(request))
            for address in identity.list_addresses(one.organization_id, roles.BUYING_OR_LISTING):
                mail.send(address, letter.subject, letter.body)
        if len(taken) == notices.MAILED_MAX:
            jobs.enqueue("demand.tell")


@jobs.task("demand.expire", cron="21 15 * * *")
def expire() -> None:
    """End the requests whose deadline has passed, and tell all whom they concern."""
    while overdue := service.list_overdue():
        for request_id in overdue:
            with suppress(RequestEnded), transaction():
                ended = service.expire(request_id, SYSTEM)
                if ended is not None:
                    _tell(ended, Event.EXPIRED)


@jobs.task("demand.guide", cron="51 18 * * *", slow=True)
def guide() -> None:
    """Count what comparable deals cost, once a month."""
    with transaction():
        guiding.count_month(clock.today())


def _tell(request: DataRequest, event: Event, about: str = "", *, but: str = "") -> None:
    if notices.note(request, event, about, but=but):
        jobs.enqueue("demand.tell")


def _address(request: DataRequest) -> str:
    return f"{settings.current().base_url}/requests/{request.id}"
