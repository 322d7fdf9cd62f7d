"""Data requests for people: finding them, stating one, following, pledging, answering, and what became of them."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from marketplace.catalog.states import THEME_LABELS, Theme
from marketplace.demand import queries, rules, service, showing, telling
from marketplace.demand.rules import AnswerDraft, RequestDraft
from marketplace.demand.states import ANSWER_LABELS, EVENT_LABELS, STATE_LABELS, AnswerKind, Event, RequestState
from marketplace.exchange import demanding as stories
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit import clock, settings
from marketplace.kit.errors import Conflict, Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.web import fields, forms, sessions
from marketplace.web.addresses import see
from marketplace.web.catalog import CURSOR_MAX, WORDS_MAX
from marketplace.web.deeds import caller, done
from marketplace.web.endpoint import blueprint, guarded, may
from marketplace.web.language import link, say
from marketplace.web.rendering import path_part, render, render_private

blp = blueprint("demand")
REQUESTS, OWN, LEAVE = "/requests", "/organization/requests", "/data-requests/unsubscribe"
FIELDS = ("title", "problem", "theme", "region", "detail", "period_from", "period_to", "budget_yen", "deadline")


@blp.get(REQUESTS)
@guarded(Permission.DEMAND_READ)
def search() -> Response:
    """List data requests by words, theme and state."""
    words = request.args.get("q", "")[:WORDS_MAX]
    theme, state = request.args.get("theme", ""), request.args.get("state", "")
    wanted = queries.RequestFilter(
        words, theme if theme in set(Theme) else None, RequestState(state) if state in set(RequestState) else None
    )
    page = queries.list_requests(wanted, _cursor())
    kept = [(name, value) for name, value in (("q", words), ("theme", theme), ("state", state)) if value]
    following = link(REQUESTS, [*kept, ("cursor", page.next_cursor)]) if page.next_cursor else None
    return render(
        "requests.html",
        requests=showing.requests(page.items),
        asked_for={"q": words, "theme": theme, "state": state},
        following=following,
        **_words(),
    )


@blp.get(f"{REQUESTS}/<request_id>")
@guarded(Permission.DEMAND_READ)
def show(request_id: str) -> Response:
    """Show a data request, its answers, what is like it, and what one may do about it."""
    return _page(request_id)


@blp.get(OWN)
@guarded(Permission.DEMAND_READ_OWN)
def show_own() -> Response:
    """Show one's own requests and those one follows, what one was told, and the form for another one."""
    return _own_page()


@blp.post(OWN)
@guarded(Permission.DEMAND_STATE)
def state() -> Response:
    """State a need."""
    form = forms.read(*FIELDS, "shows_name")
    made: list[str] = []
    try:
        with transaction():
            made.append(service.state_request(caller(), _draft(form)).id)
    except (Conflict, Invalid) as refusal:
        return _own_page(refusal, form)
    return see(link(f"{REQUESTS}/{made[0]}"))


@blp.post(f"{OWN}/follow")
@guarded(Permission.DEMAND_JOIN)
def follow() -> Response:
    """Follow a request."""
    form = forms.read("request_id")
    return _done(form, lambda actor: service.follow(actor, form["request_id"]))


@blp.post(f"{OWN}/unfollow")
@guarded(Permission.DEMAND_JOIN)
def unfollow() -> Response:
    """Follow a request no more; one's pledge goes with it."""
    form = forms.read("request_id")
    return _done(form, lambda actor: service.unfollow(actor, form["request_id"]))


@blp.post(f"{OWN}/pledge")
@guarded(Permission.DEMAND_JOIN)
def pledge() -> Response:
    """Say what one's organization would pay, or take it back where the field is empty."""
    form = forms.read("request_id", "amount_yen")

    def deed(actor: Actor) -> object:
        amount_yen = fields.yen(form["amount_yen"], "amount_yen", rules.YEN_MAX)
        if amount_yen is None:
            return service.withdraw_pledge(actor, form["request_id"])
        return service.pledge(actor, form["request_id"], amount_yen)

    return _done(form, deed)


@blp.post(f"{OWN}/answer")
@guarded(Permission.DEMAND_ANSWER)
def answer() -> Response:
    """Answer with a teaser, a quote or a listed dataset."""
    form = forms.read("request_id", "kind", "words", "amount_yen", "valid_until", "dataset_id")

    def deed(actor: Actor) -> object:
        if form["kind"] not in set(AnswerKind):
            raise fields.wrong("kind", "must be teaser, quote or listing")
        draft = AnswerDraft(
            AnswerKind(form["kind"]),
            form["words"],
            fields.yen(form["amount_yen"], "amount_yen", rules.YEN_MAX),
            fields.day(form["valid_until"], "valid_until"),
            form["dataset_id"].strip() or None,
        )
        return stories.answer(actor, form["request_id"], draft)

    return _done(form, deed)


@blp.post(f"{OWN}/withdraw-answer")
@guarded(Permission.DEMAND_ANSWER)
def withdraw_answer() -> Response:
    """Take an answer of one's own back."""
    form = forms.read("request_id", "answer_id")
    return _done(form, lambda actor: service.withdraw_answer(actor, form["request_id"], form["answer_id"]))


@blp.post(f"{OWN}/met")
@guarded(Permission.DEMAND_STATE)
def meet() -> Response:
    """Say that one's own request is met, by an answer where one is named."""
    form = forms.read("request_id", "answer_id")
    return _done(form, lambda actor: stories.meet(actor, form["request_id"], form["answer_id"] or None))


@blp.post(f"{OWN}/close")
@guarded(Permission.DEMAND_END)
def close() -> Response:
    """Close one's own request; the operator any."""
    form = forms.read("request_id", "reason")
    return _done(form, lambda actor: stories.close(actor, form["request_id"], form["reason"]), OWN)


@blp.post(f"{OWN}/merge")
@guarded(Permission.DEMAND_END)
def merge() -> Response:
    """Merge a request into another one that asks for the same."""
    form = forms.read("request_id", "into_id")
    into = f"{REQUESTS}/{path_part(form['into_id'].strip())}"
    return _done(form, lambda actor: stories.merge(actor, form["request_id"], form["into_id"].strip()), into)


@blp.post(f"{OWN}/letters")
@guarded(Permission.DEMAND_ANSWER)
def set_letters() -> Response:
    """Have one's organization get letters about new requests, or none."""
    wanted = forms.read("letters")["letters"] == "yes"
    return done(lambda actor: telling.set_letters(actor, wanted=wanted), OWN, _own_page)


@blp.get(LEAVE)
@guarded(Permission.WATCHES_LEAVE_READ)
def show_leave() -> Response:
    """Ask whoever opened the link in a letter whether to end these letters: programs open links as well."""
    named = {name: request.args.get(name, "")[:100] for name in ("organization", "key")}
    return render_private("unsubscribe.html", named=named, is_done=False, address=LEAVE, of_requests=True)


@blp.post(LEAVE)
@guarded(Permission.WATCHES_LEAVE, by_letter=True)
def leave() -> Response:
    """End letters about new requests by the key in them: by the form on the page, or by a mailbox's one click."""
    named = request.args if forms.is_one_click() else forms.read("organization", "key")
    with transaction():
        telling.end_by_key(named.get("organization", ""), named.get("key", ""))
    return render_private("unsubscribe.html", named={}, is_done=True, address=LEAVE, of_requests=True)


def _visitor() -> Actor | None:
    found = sessions.current()
    return login.actor_of(found) if found else None


def _done(form: dict[str, str], deed: Callable[[Actor], object], following: str = "") -> Response:
    request_id = form["request_id"]
    following = following or f"{REQUESTS}/{path_part(request_id)}"
    return done(deed, following, lambda refusal: _page(request_id, refusal))


def _page(request_id: str, refusal: Refusal | None = None) -> Response:
    reader = _visitor()
    row = queries.get_request(request_id, reader)
    alike = queries.list_alike(row.tokens, but=row.id)
    shown = render_private if reader else render
    return shown(
        "request.html",
        status=refusal.status if refusal else 200,
        one=showing.request(row, reader),
        answers=queries.list_answers(row, reader),
        alike=[(showing.request(near), share) for near, share in alike],
        guide=showing.price_guide(row.theme, str(PriceKind.ONE_OFF), row.region),
        may={permission.value: may(reader, permission) for permission in _DEEDS},
        own_id=reader.organization_id if reader else None,
        is_signed_in=reader is not None,
        trouble=fields.trouble(refusal),
        pledges_min=settings.current().pledges_shown_min,
        answer_kinds=AnswerKind,
        **_words(),
    )


_DEEDS = (Permission.DEMAND_STATE, Permission.DEMAND_JOIN, Permission.DEMAND_ANSWER, Permission.DEMAND_END)


def _own_page(refusal: Refusal | None = None, form: dict[str, str] | None = None) -> Response:
    actor = caller()
    page = queries.list_own(actor, _cursor())
    return render_private(
        "requests_own.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        requests=showing.requests(page.items, actor),
        following=link(OWN, [("cursor", page.next_cursor)]) if page.next_cursor else None,
        notices=queries.list_notices(actor).items,
        states_need=may(actor, Permission.DEMAND_STATE),
        answers=may(actor, Permission.DEMAND_ANSWER),
        gets_letters=telling.wants_letters(actor.organization_id),
        trouble=fields.trouble(refusal),
        said=form or {},
        lengths={"title": rules.TITLE_LENGTH_MAX, "problem": rules.WORDS_LENGTH_MAX, "detail": rules.DETAIL_LENGTH_MAX},
        events={event.value: say(*EVENT_LABELS[event]) for event in Event},
        **_words(),
    )


def _words() -> dict[str, Any]:
    return {
        "states": {one.value: say(*STATE_LABELS[one]) for one in RequestState},
        "kinds": {kind.value: say(*ANSWER_LABELS[kind]) for kind in AnswerKind},
        "themes": {theme.value: say(THEME_LABELS[theme].ja, THEME_LABELS[theme].en) for theme in Theme},
        "as_text": clock.text,
    }


def _cursor() -> str | None:
    return (request.args.get("cursor") or "")[:CURSOR_MAX] or None


def _draft(form: dict[str, str]) -> RequestDraft:
    if form["theme"] not in set(Theme):
        raise fields.wrong("theme", "must be one of the themes")
    deadline = fields.day(form["deadline"], "deadline")
    if deadline is None:
        raise fields.wrong("deadline", "must be a day")
    return RequestDraft(
        title=form["title"].strip(),
        problem=form["problem"],
        deadline=deadline,
        theme=Theme(form["theme"]),
        region=form["region"].strip() or "JP",
        detail=form["detail"],
        period_from=fields.day(form["period_from"], "period_from"),
        period_to=fields.day(form["period_to"], "period_to"),
        budget_yen=fields.yen(form["budget_yen"], "budget_yen", rules.YEN_MAX),
        shows_name=form["shows_name"] == "yes",
    )
