"""Data requests: what buyers need, who joins them, what providers answer; and what comparable deals cost."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded, once, visitor
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import demand as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog.states import Theme
from marketplace.demand import queries, service, showing, telling
from marketplace.demand.rules import AnswerDraft, RequestDraft
from marketplace.demand.states import AnswerKind, RequestState
from marketplace.exchange import demanding as stories
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import Page
from marketplace.kit.transaction import transaction

blp = blueprint("demand", "/v1", "Demand (需要): data requests, who joins them, answers, and price guidance.")


@blp.route("/data-requests", methods=["POST"])
@guarded(Permission.DEMAND_STATE)
@blp.arguments(schemas.RequestDraft)
@blp.response(201, schemas.RequestView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def state(body: dict[str, Any]) -> Any:
    """State what one's organization needs; look at ``/alike`` of it afterwards, and merge what asks for the same."""
    caller, draft = actor(), RequestDraft(**body | {"theme": Theme(body["theme"])})
    told = {
        name: str(value) if value is not None and not isinstance(value, str | int) else value
        for name, value in body.items()
    }
    answer, replayed = once(told, lambda: {"id": service.state_request(caller, draft).id})
    return created(_shown(answer["id"]), f"/v1/data-requests/{answer['id']}", **replay_mark(replayed))


@blp.route("/data-requests")
@guarded(Permission.DEMAND_READ)
@blp.arguments(schemas.RequestQuery, location="query")
@blp.response(200, schemas.RequestPage)
def list_requests(query: dict[str, Any]) -> Any:
    """List data requests, newest first: live ones, or those of a state; by words, theme and region."""
    named = query.get("state")
    wanted = queries.RequestFilter(
        query["q"], query.get("theme"), RequestState(named) if named else None, query.get("region")
    )
    return _page(queries.list_requests(wanted, query.get("cursor"), query.get("size", 20)))


@blp.route("/data-requests/own")
@guarded(Permission.DEMAND_READ_OWN)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.RequestPage)
def list_own(query: dict[str, Any]) -> Any:
    """List the requests that one's organization stated or follows, newest first, in whatever state."""
    return _page(queries.list_own(actor(), **query))


@blp.route("/data-requests/<request_id>")
@guarded(Permission.DEMAND_READ)
@blp.response(200, schemas.RequestView)
def read(request_id: str) -> Any:
    """Read a data request and what became of it."""
    return _shown(request_id)


@blp.route("/data-requests/<request_id>/alike")
@guarded(Permission.DEMAND_READ)
@blp.response(200, schemas.AlikeList)
def list_alike(request_id: str) -> Any:
    """List live requests that share many words with a request, nearest first."""
    request = queries.get_request(request_id, visitor())
    near = queries.list_alike(request.tokens, but=request.id)
    return {"items": [{"request": showing.request(one, visitor()), "likeness_percent": share} for one, share in near]}


@blp.route("/data-requests/<request_id>/follow", methods=["POST"])
@guarded(Permission.DEMAND_JOIN)
@blp.response(200, schemas.RequestView)
def follow(request_id: str) -> Any:
    """Be told what becomes of a request; twice changes nothing."""
    with transaction():
        service.follow(actor(), request_id)
    return _shown(request_id)


@blp.route("/data-requests/<request_id>/follow", methods=["DELETE"])
@guarded(Permission.DEMAND_JOIN)
@blp.response(200, schemas.RequestView)
def unfollow(request_id: str) -> Any:
    """Be told no more; one's pledge goes with it."""
    with transaction():
        service.unfollow(actor(), request_id)
    return _shown(request_id)


@blp.route("/data-requests/<request_id>/pledge", methods=["PUT"])
@guarded(Permission.DEMAND_JOIN)
@blp.arguments(schemas.PledgeDraft)
@blp.response(200, schemas.RequestView)
def pledge(body: dict[str, int], request_id: str) -> Any:
    """Say what one's organization would pay. It is no debt; others see the sum of enough organizations alone."""
    with transaction():
        service.pledge(actor(), request_id, body["amount_yen"])
    return _shown(request_id)


@blp.route("/data-requests/<request_id>/pledge", methods=["DELETE"])
@guarded(Permission.DEMAND_JOIN)
@blp.response(200, schemas.RequestView)
def withdraw_pledge(request_id: str) -> Any:
    """Take one's pledge back."""
    with transaction():
        service.withdraw_pledge(actor(), request_id)
    return _shown(request_id)


@blp.route("/data-requests/<request_id>/answers")
@guarded(Permission.DEMAND_READ)
@blp.response(200, schemas.AnswerList)
def list_answers(request_id: str) -> Any:
    """List the answers that stand, oldest first."""
    return {"items": queries.list_answers(queries.get_request(request_id, visitor()), visitor())}


@blp.route("/data-requests/<request_id>/answers", methods=["POST"])
@guarded(Permission.DEMAND_ANSWER)
@blp.arguments(schemas.AnswerDraft)
@blp.response(201, schemas.AnswerView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def answer(body: dict[str, Any], request_id: str) -> Any:
    """Answer a request with a teaser, a quote or a listed dataset; the requester and the followers are told."""
    caller, draft = actor(), AnswerDraft(**body | {"kind": AnswerKind(body["kind"])})
    told = body | {"valid_until": body["valid_until"] and str(body["valid_until"])}
    given, replayed = once(told, lambda: {"id": stories.answer(caller, request_id, draft)[1].id})
    request = queries.get_request(request_id, caller)
    shown = [one for one in queries.list_answers(request, caller) if one["id"] == given["id"]]
    if not shown:
        raise NotFound  # it was taken back since
    return created(shown[0], f"/v1/data-requests/{request_id}/answers", **replay_mark(replayed))


@blp.route("/data-requests/<request_id>/answers/<answer_id>", methods=["DELETE"])
@guarded(Permission.DEMAND_ANSWER)
@blp.response(204)
def withdraw_answer(request_id: str, answer_id: str) -> Any:
    """Take back an answer of one's own."""
    with transaction():
        service.withdraw_answer(actor(), request_id, answer_id)
    return "", 204


@blp.route("/data-requests/<request_id>/met", methods=["POST"])
@guarded(Permission.DEMAND_STATE)
@blp.arguments(schemas.MetDraft)
@blp.response(200, schemas.RequestView)
def meet(body: dict[str, Any], request_id: str) -> Any:
    """Say that one's own request is met, by an answer where one is named; all who follow it are told."""
    with transaction():
        stories.meet(actor(), request_id, body["answer_id"])
    return _shown(request_id)


@blp.route("/data-requests/<request_id>/close", methods=["POST"])
@guarded(Permission.DEMAND_END)
@blp.arguments(schemas.ClosingDraft)
@blp.response(200, schemas.RequestView)
def close(body: dict[str, str], request_id: str) -> Any:
    """Close one's own request; the operator closes any, which is then shown no more. All who follow it are told."""
    with transaction():
        stories.close(actor(), request_id, body["reason"])
    return _shown(request_id)


@blp.route("/data-requests/<request_id>/merge", methods=["POST"])
@guarded(Permission.DEMAND_END)
@blp.arguments(schemas.MergeDraft)
@blp.response(200, schemas.RequestView)
def merge(body: dict[str, str], request_id: str) -> Any:
    """Merge one's own request into another that asks for the same (the operator any); answers with the other one."""
    with transaction():
        stories.merge(actor(), request_id, body["into_id"])
    return _shown(body["into_id"])


@blp.route("/data-request-notices")
@guarded(Permission.DEMAND_READ_OWN)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.RequestNoticePage)
def list_notices(query: dict[str, Any]) -> Any:
    """List what one's organization was told of requests, newest first."""
    return queries.list_notices(actor(), **query)


@blp.route("/data-request-letters")
@guarded(Permission.DEMAND_READ_OWN)
@blp.response(200, schemas.LettersSetting)
def read_letters() -> Any:
    """Read whether one's organization gets a letter a day about new requests that it could answer."""
    return {"letters": telling.wants_letters(actor().organization_id)}


@blp.route("/data-request-letters", methods=["PUT"])
@guarded(Permission.DEMAND_ANSWER)
@blp.arguments(schemas.LettersSetting)
@blp.response(200, schemas.LettersSetting)
def set_letters(body: dict[str, bool]) -> Any:
    """Have one's organization get letters about new requests, or none."""
    with transaction():
        telling.set_letters(actor(), wanted=body["letters"])
    return body


@blp.route("/price-guidance")
@guarded(Permission.DEMAND_READ)
@blp.arguments(schemas.PriceQuery, location="query")
@blp.response(200, schemas.PriceGuideView)
def guide(query: dict[str, str]) -> Any:
    """Read what comparable deals cost: quartiles of what five buyers or more paid, of three providers or more."""
    return showing.price_guide(**query)


def _shown(request_id: str) -> dict[str, Any]:
    return showing.request(queries.get_request(request_id, visitor()), visitor())


def _page(page: Page[Any]) -> dict[str, Any]:
    return {"items": showing.requests(page.items, visitor()), "next_cursor": page.next_cursor}
