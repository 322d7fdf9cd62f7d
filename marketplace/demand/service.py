"""Deeds about demand: stating, following, pledging, answering, merging, ending. Who is told of it, a story does."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.demand import queries, rules
from marketplace.demand.errors import AnsweredAlready, OwnRequest, RequestEnded, RequestsTooMany
from marketplace.demand.models import DataRequest, RequestAnswer, RequestFollower, RequestPledge
from marketplace.demand.rules import AnswerDraft, RequestDraft
from marketplace.demand.states import LIVE, AnswerKind, RequestState
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.rules import refuse_faults
from marketplace.identity.states import Capacity
from marketplace.kit import clock, settings
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id


def state_request(actor: Actor, draft: RequestDraft) -> DataRequest:
    """State what one's organization needs; raises Invalid, MyNumberRefused or RequestsTooMany."""
    rules.check_request(draft)
    # Whoever states two at once stands in line here: neither counts without the other.
    identity.lock_visible_organization(actor, actor.organization_id)
    most = settings.current().data_requests_open_max
    if queries.count_live(actor.organization_id) >= most:
        raise RequestsTooMany(most=most)
    named = ("title", "problem", "theme", "region", "detail", "period_from", "period_to", "budget_yen", "deadline")
    request = DataRequest(
        id=new_id("drq"),
        organization_id=actor.organization_id,
        shows_name=draft.shows_name,
        state=RequestState.OPEN.value,
        tokens=rules.tokens_of(draft.title, draft.problem, draft.detail),
        withheld=False,
        created_at=clock.now(),
        **{name: getattr(draft, name) for name in named},
    )
    db.session.add(request)
    db.session.flush()
    said = sha256_hex(f"{draft.title}\n{draft.problem}\n{draft.detail}".encode())
    facts = {"theme": request.theme, "region": request.region, "deadline": str(request.deadline), "words_sha256": said}
    audit.record(actor, Verb.REQUEST_STATED, subject=request.id, amount_minor=draft.budget_yen, facts=facts)
    return request


def lock_live(request_id: str) -> DataRequest:
    """Return a request that nobody else changes until the transaction ends; raises NotFound or RequestEnded."""
    found = queries.get_request(request_id)
    query = select(DataRequest).where(DataRequest.id == found.id).with_for_update()
    request = db.session.scalars(query, execution_options={"populate_existing": True}).one()
    if request.state not in LIVE:
        told: dict[str, Any] = {"merged_into_id": request.merged_into_id} if request.merged_into_id else {}
        raise RequestEnded(**told)
    return request


def follow(actor: Actor, request_id: str) -> DataRequest:
    """Have one's organization told what becomes of a request; twice changes nothing.

    Raises NotFound, RequestEnded or OwnRequest.
    """
    request = lock_live(request_id)
    _refuse_own(actor, request)
    if _add_follower(request.id, actor.organization_id):
        audit.record(actor, Verb.REQUEST_FOLLOWED, subject=request.id, counterparty=request.organization_id)
    return request


def unfollow(actor: Actor, request_id: str) -> DataRequest:
    """Be told no more of a request, and take one's pledge back with it; raises NotFound."""
    request = queries.get_request(request_id)
    withdraw_pledge(actor, request_id)
    mine = (RequestFollower.request_id == request.id, RequestFollower.organization_id == actor.organization_id)
    gone = db.session.scalar(delete(RequestFollower).where(*mine).returning(RequestFollower.request_id))
    if gone is not None:
        audit.record(actor, Verb.REQUEST_UNFOLLOWED, subject=request.id, counterparty=request.organization_id)
    return request


def pledge(actor: Actor, request_id: str, amount_yen: int) -> DataRequest:
    """Say what one's organization would pay, in place of what it said before; no debt, and it follows the request.

    Raises Invalid, NotFound, RequestEnded or OwnRequest.
    """
    refuse_faults({"amount_yen": rules.yen_fault(amount_yen)})
    request = follow(actor, request_id)
    if _set_pledge(request.id, actor.organization_id, amount_yen):
        show_pledges(request)
        counterparty = request.organization_id
        audit.record(
            actor, Verb.REQUEST_PLEDGED, subject=request.id, counterparty=counterparty, amount_minor=amount_yen
        )
    return request


def withdraw_pledge(actor: Actor, request_id: str) -> DataRequest:
    """Take one's pledge back; where there is none, nothing changes. Raises NotFound."""
    found = queries.get_request(request_id)
    held = select(DataRequest).where(DataRequest.id == found.id).with_for_update()
    request = db.session.scalars(held, execution_options={"populate_existing": True}).one()
    mine = (RequestPledge.request_id == request.id, RequestPledge.organization_id == actor.organization_id)
    taken = (
        update(RequestPledge).where(*mine, RequestPledge.amount_yen > 0).values(amount_yen=0, updated_at=clock.now())
    )
    if db.session.scalar(taken.returning(RequestPledge.request_id)) is not None:
        show_pledges(request)
        audit.record(actor, Verb.PLEDGE_WITHDRAWN, subject=request.id, counterparty=request.organization_id)
    return request


def show_pledges(request: DataRequest) -> None:
    """Show the sum of the pledges anew where enough organizations stand behind it and behind what changed in it.

    Two sums of which one organization makes the difference would tell what it pledged: the sum that is shown stays
    until the pledges of so many have changed, and is hidden while fewer stand behind it.
    """
    least = settings.current().pledges_shown_min
    db.session.flush()
    standing, changed, total = db.session.execute(
        select(
            func.count().filter(RequestPledge.amount_yen > 0),
            func.count().filter(RequestPledge.amount_yen != RequestPledge.shown_yen),
            func.coalesce(func.sum(RequestPledge.amount_yen), 0),
        ).where(RequestPledge.request_id == request.id)
    ).one()
    if standing < least:
        request.pledged_organizations = request.pledged_yen = request.pledged_at = None
    elif changed == 0 or changed >= least:
        request.pledged_organizations, request.pledged_yen = standing, int(total)
        request.pledged_at = clock.now()
        shown = update(RequestPledge).where(RequestPledge.request_id == request.id)
        db.session.execute(shown.values(shown_yen=RequestPledge.amount_yen))
    db.session.flush()


def answer(actor: Actor, request_id: str, draft: AnswerDraft) -> tuple[DataRequest, RequestAnswer]:
    """Answer a request with a teaser, a quote or a dataset of one's own that the public sees.

    Raises Invalid, MyNumberRefused, NotFound, RequestEnded, OwnRequest or AnsweredAlready.
    """
    rules.check_answer(draft)
    request = lock_live(request_id)
    _refuse_own(actor, request)
    if draft.dataset_id is not None and not _is_own_listing(actor, draft.dataset_id):
        refuse_faults({"dataset_id": "must be a dataset of your organization that is listed"})
    _refuse_repeated(actor, request, draft)
    given = RequestAnswer(
        id=new_id("ran"),
        request_id=request.id,
        organization_id=actor.organization_id,
        kind=draft.kind.value,
        words=draft.words,
        amount_yen=draft.amount_yen,
        valid_until=draft.valid_until,
        dataset_id=draft.dataset_id,
        created_at=clock.now(),
    )
    db.session.add(given)
    _mark_answered(request)
    facts = {"answer_id": given.id, "kind": given.kind, "words_sha256": sha256_hex(draft.words.encode())}
    audit.record(
        actor,
        Verb.REQUEST_ANSWERED,
        subject=request.id,
        counterparty=request.organization_id,
        dataset=draft.dataset_id,
        amount_minor=draft.amount_yen,
        facts=facts,
    )
    return request, given


def withdraw_answer(actor: Actor, request_id: str, answer_id: str) -> None:
    """Take back an answer of one's own; one that met the request stays. Raises NotFound or RequestEnded."""
    request = lock_live(request_id)
    given = queries.get_answer(request, answer_id)
    if given.organization_id != actor.organization_id:
        raise NotFound
    given.withdrawn_at = clock.now()
    db.session.flush()
    facts = {"answer_id": given.id}
    audit.record(actor, Verb.ANSWER_WITHDRAWN, subject=request.id, counterparty=request.organization_id, facts=facts)


def meet(actor: Actor, request_id: str, answer_id: str | None = None) -> DataRequest:
    """Say that one's own request is met, by an answer where one is named; raises NotFound or RequestEnded."""
    request = _lock_own(actor, request_id)
    if answer_id is not None:
        queries.get_answer(request, answer_id).chosen_at = clock.now()
    _end(request, RequestState.MET)
    audit.record(actor, Verb.REQUEST_MET, subject=request.id, facts={"answer_id": answer_id})
    return request


def close(actor: Actor, request_id: str, words: str) -> DataRequest:
    """Close one's own request; the operator may close any, which is then no longer shown. Raises as ``meet``."""
    refuse_faults({"reason": rules.closing_fault(words)})
    is_operator = Capacity.OPERATOR in actor.capacities
    request = lock_live(request_id) if is_operator else _lock_own(actor, request_id)
    request.closing_words = words
    request.withheld = request.organization_id != actor.organization_id
    _end(request, RequestState.CLOSED)
    facts = {"reason_sha256": sha256_hex(words.encode()), "withheld": request.withheld}
    audit.record(actor, Verb.REQUEST_CLOSED, subject=request.id, counterparty=request.organization_id, facts=facts)
    return request


def expire(request_id: str, actor: Actor) -> DataRequest | None:
    """End a live request whose deadline has passed; None where it is not so any more."""
    request = lock_live(request_id)
    if request.deadline >= clock.today():
        return None
    _end(request, RequestState.EXPIRED)
    audit.record(actor, Verb.REQUEST_EXPIRED, subject=request.id, counterparty=request.organization_id)
    return request


def list_overdue(size: int = 100) -> list[str]:
    """Return live requests whose deadline has passed, the longest first."""
    late = (DataRequest.state.in_(LIVE), DataRequest.deadline < clock.today())
    return list(db.session.scalars(select(DataRequest.id).where(*late).order_by(DataRequest.deadline).limit(size)))


def merge(
    actor: Actor, request_id: str, into_id: str, before: Callable[[DataRequest], None]
) -> tuple[DataRequest, DataRequest]:
    """Merge a request into another live one: its requester or the operator does. Returns both.

    Its followers and its requester follow the other; a pledge goes with them, the higher one where an organization
    has two; answers go with it. ``before`` is called once both are held, before anybody is moved. Raises Invalid,
    NotFound or RequestEnded.
    """
    if request_id == into_id:
        refuse_faults({"into_id": "must be another request"})
    # In one order, so that two who merge crosswise wait in no circle.
    for one in sorted((request_id, into_id)):
        lock_live(one)
    request, into = queries.get_request(request_id), queries.get_request(into_id)
    if request.organization_id != actor.organization_id and Capacity.OPERATOR not in actor.capacities:
        raise NotFound
    before(request)
    for follower in queries.list_followers(request):
        if follower != into.organization_id:
            _add_follower(into.id, follower)
    _move_pledges(request, into)
    if _move_answers(request, into):
        _mark_answered(into)
    request.merged_into_id = into.id
    _end(request, RequestState.MERGED)
    facts = {"into_id": into.id}
    audit.record(actor, Verb.REQUEST_MERGED, subject=request.id, counterparty=request.organization_id, facts=facts)
    return request, into


def _lock_own(actor: Actor, request_id: str) -> DataRequest:
    if queries.get_request(request_id, actor).organization_id != actor.organization_id:
        raise NotFound
    return lock_live(request_id)


def _refuse_own(actor: Actor, request: DataRequest) -> None:
    if request.organization_id == actor.organization_id:
        raise OwnRequest


def _add_follower(request_id: str, organization_id: str) -> bool:
    row = {"request_id": request_id, "organization_id": organization_id, "created_at": clock.now()}
    added = insert(RequestFollower).values(row).on_conflict_do_nothing().returning(RequestFollower.request_id)
    return db.session.scalar(added) is not None


def _set_pledge(request_id: str, organization_id: str, amount_yen: int) -> bool:
    """Keep a pledge, and tell whether it is another one than before."""
    said = {"amount_yen": amount_yen, "updated_at": clock.now()}
    row = insert(RequestPledge).values(request_id=request_id, organization_id=organization_id, shown_yen=0, **said)
    kept = row.on_conflict_do_update(
        index_elements=["request_id", "organization_id"], set_=said, where=RequestPledge.amount_yen != amount_yen
    )
    return db.session.scalar(kept.returning(RequestPledge.request_id)) is not None


def _move_pledges(request: DataRequest, into: DataRequest) -> None:
    gone = delete(RequestPledge).where(RequestPledge.request_id == request.id)
    for pledged in db.session.execute(gone.returning(RequestPledge.organization_id, RequestPledge.amount_yen)).all():
        there = db.session.get(RequestPledge, (into.id, pledged.organization_id), populate_existing=True)
        is_more = there is None or there.amount_yen < pledged.amount_yen
        if pledged.amount_yen and is_more and pledged.organization_id != into.organization_id:
            _set_pledge(into.id, pledged.organization_id, pledged.amount_yen)
    show_pledges(into)


def _move_answers(request: DataRequest, into: DataRequest) -> int:
    """Give the answers of one request to the other, but for datasets that it was answered with already."""
    known = select(RequestAnswer.dataset_id).where(
        RequestAnswer.request_id == into.id,
        RequestAnswer.kind == AnswerKind.LISTING,
        RequestAnswer.withdrawn_at.is_(None),
    )
    standing = select(RequestAnswer).where(
        RequestAnswer.request_id == request.id,
        RequestAnswer.withdrawn_at.is_(None),
        RequestAnswer.organization_id != into.organization_id,
    )
    there, moved = set(db.session.scalars(known)), 0
    for one in db.session.scalars(standing.order_by(RequestAnswer.id)):
        if one.kind != AnswerKind.LISTING or one.dataset_id not in there:
            # A quote is for whom it was made.
            if one.kind == AnswerKind.QUOTE and request.organization_id != into.organization_id:
                continue
            one.request_id, moved = into.id, moved + 1
    db.session.flush()
    return moved


def _mark_answered(request: DataRequest) -> None:
    if request.state == RequestState.OPEN:
        request.state, request.answered_at = RequestState.ANSWERED.value, clock.now()
    db.session.flush()


def _end(request: DataRequest, state: RequestState) -> None:
    request.state, request.ended_at = state.value, clock.now()
    db.session.flush()


def _is_own_listing(actor: Actor, dataset_id: str) -> bool:
    dataset = catalog.find_dataset(dataset_id)
    return dataset is not None and dataset.organization_id == actor.organization_id and listings.is_listed(dataset_id)


def _refuse_repeated(actor: Actor, request: DataRequest, draft: AnswerDraft) -> None:
    standing = select(RequestAnswer.kind, RequestAnswer.dataset_id).where(
        RequestAnswer.request_id == request.id,
        RequestAnswer.organization_id == actor.organization_id,
        RequestAnswer.withdrawn_at.is_(None),
    )
    given = db.session.execute(standing).all()
    repeats = draft.kind is AnswerKind.LISTING and (draft.kind.value, draft.dataset_id) in {tuple(one) for one in given}
    if repeats or len(given) >= rules.ANSWERS_MAX:
        raise AnsweredAlready(most=rules.ANSWERS_MAX)
