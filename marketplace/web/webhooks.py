"""Webhooks for people: where an organization is told of changes, what was sent there and what became of it."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.judging import allows
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import Conflict, Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link, say
from marketplace.web.rendering import path_part, render_private
from marketplace.web.sign_in import trouble_of
from marketplace.webhooks import queries, rules, service
from marketplace.webhooks.rules import EndpointDraft
from marketplace.webhooks.states import EventType, MessageState

blp = blueprint("webhooks")
WEBHOOKS = "/organization/webhooks"
MESSAGES_SHOWN = 50
CHOSEN = tuple(kind for kind in EventType if kind is not EventType.ENDPOINT_TESTED)
FIELDS = ("url", "description", "dataset_ids", "publisher_ids", *(kind.value for kind in CHOSEN))
KIND_WORDS: dict[EventType, tuple[str, str]] = {
    EventType.LISTING_PUBLISHED: ("データセットの掲載", "a dataset is listed"),
    EventType.LISTING_CHANGED: ("掲載内容の変更", "what is said of it changed"),
    EventType.LISTING_WITHDRAWN: ("掲載の取下げ", "it is withdrawn"),
    EventType.RELEASE_PUBLISHED: ("新しい版の公開", "a release came to it"),
    EventType.SEARCH_MATCHED: ("保存した検索の新着", "a saved search found something new"),
    EventType.REQUEST_STATED: ("応えられそうなデータリクエスト", "data requests that one could answer"),
    EventType.ENDPOINT_TESTED: ("試験送信", "a trial message"),
}
STATE_WORDS: dict[MessageState, tuple[str, str]] = {
    MessageState.WAITING: ("送信待ち", "waiting"),
    MessageState.DELIVERED: ("受領済み", "taken"),
    MessageState.FAILED: ("失敗", "failed"),
}
REASON_WORDS: dict[str, tuple[str, str]] = {
    "asked": ("組織が一時停止しました", "paused by the organization"),
    "failures": ("続けて失敗したため停止しました", "disabled after too many failures in a row"),
    "gone": ("受信側が410（廃止）と答えたため停止しました", "disabled since the receiver says it is gone (410)"),
}
"""Japanese and English, for every kind of event, state of a message, and reason to be disabled."""


@blp.get(WEBHOOKS)
@guarded(Permission.WEBHOOKS_READ)
def show_endpoints() -> Response:
    """List the endpoints of one's organization."""
    return _endpoints_page()


@blp.post(WEBHOOKS)
@guarded(Permission.WEBHOOKS_MANAGE)
def add_endpoint() -> Response:
    """Register an endpoint, and show its secret, once."""
    asked = _asked()
    try:
        with transaction():
            endpoint, secret = service.register(_actor(), EndpointDraft(**asked))
            endpoint_id = endpoint.id
    except (Conflict, Invalid) as refusal:
        return _endpoints_page(refusal, asked)
    return _endpoint_page(endpoint_id, secret=secret)


@blp.get(f"{WEBHOOKS}/<webhook_id>")
@guarded(Permission.WEBHOOKS_READ)
def show_endpoint(webhook_id: str) -> Response:
    """Show an endpoint, and what was sent to it within a month."""
    return _endpoint_page(webhook_id)


@blp.post(f"{WEBHOOKS}/<webhook_id>")
@guarded(Permission.WEBHOOKS_MANAGE)
def change_endpoint(webhook_id: str) -> Response:
    """Change where and of what an endpoint is told, if nobody else did meanwhile."""
    asked, version = _asked("version"), request.form.get("version", "")
    expected = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
    return _done(webhook_id, lambda actor: service.change(actor, webhook_id, expected, asked), asked)


@blp.post(f"{WEBHOOKS}/<webhook_id>/rotate")
@guarded(Permission.WEBHOOKS_MANAGE)
def rotate(webhook_id: str) -> Response:
    """Give an endpoint a new secret, and show it, once."""
    forms.read()
    with transaction():
        _endpoint, secret = service.rotate(_actor(), webhook_id)
    return _endpoint_page(webhook_id, secret=secret)


@blp.post(f"{WEBHOOKS}/<webhook_id>/pause")
@guarded(Permission.WEBHOOKS_MANAGE)
def pause(webhook_id: str) -> Response:
    """Have no messages go to an endpoint for the time being."""
    forms.read()
    return _done(webhook_id, lambda actor: service.disable(actor, webhook_id, "asked"))


@blp.post(f"{WEBHOOKS}/<webhook_id>/resume")
@guarded(Permission.WEBHOOKS_MANAGE)
def resume(webhook_id: str) -> Response:
    """Have messages go to an endpoint again."""
    forms.read()
    return _done(webhook_id, lambda actor: service.enable(actor, webhook_id))


@blp.post(f"{WEBHOOKS}/<webhook_id>/test")
@guarded(Permission.WEBHOOKS_MANAGE)
def send_trial(webhook_id: str) -> Response:
    """Send an endpoint a message that says nothing but that it is one."""
    forms.read()
    return _done(webhook_id, lambda actor: service.test(actor, webhook_id))


@blp.post(f"{WEBHOOKS}/<webhook_id>/resend")
@guarded(Permission.WEBHOOKS_MANAGE)
def send_again(webhook_id: str) -> Response:
    """Have a message go out again, under the same id."""
    event_id = forms.read("event_id")["event_id"]
    return _done(webhook_id, lambda actor: service.resend(actor, webhook_id, event_id))


@blp.post(f"{WEBHOOKS}/<webhook_id>/remove")
@guarded(Permission.WEBHOOKS_MANAGE)
def remove(webhook_id: str) -> Response:
    """Remove an endpoint with its messages."""
    forms.read()
    with transaction():
        service.remove(_actor(), webhook_id)
    return see(link(WEBHOOKS))


def _actor() -> Actor:
    return login.actor_of(session())


def _asked(*besides: str) -> dict[str, Any]:
    """Return what a form says of an endpoint; ids are told apart by blanks or line ends, none means all."""
    form = forms.read(*FIELDS, *besides)
    return {
        "url": form["url"].strip(),
        "description": form["description"],
        "events": tuple(kind for kind in CHOSEN if form[kind.value] == "yes"),
        "dataset_ids": tuple(form["dataset_ids"].split()) or None,
        "publisher_ids": tuple(form["publisher_ids"].split()) or None,
    }


def _done(webhook_id: str, deed: Callable[[Actor], object], asked: dict[str, Any] | None = None) -> Response:
    """Do a deed and go on to the endpoint, or show it again with what was wrong."""
    try:
        with transaction():
            deed(_actor())
    except (Conflict, Invalid) as refusal:
        return _endpoint_page(webhook_id, refusal=refusal, asked=asked)
    return see(link(f"{WEBHOOKS}/{path_part(webhook_id)}"))


def _endpoints_page(refusal: Refusal | None = None, asked: dict[str, Any] | None = None) -> Response:
    page = queries.list_endpoints(_actor(), cursor=request.args.get("cursor"))
    return _page("webhooks.html", refusal, page=page, asked_for=asked or {"events": CHOSEN})


def _endpoint_page(
    webhook_id: str,
    *,
    secret: str | None = None,
    refusal: Refusal | None = None,
    asked: dict[str, Any] | None = None,
) -> Response:
    actor = _actor()
    shown = queries.view(queries.get_endpoint(actor, webhook_id))
    messages = queries.list_messages(actor, webhook_id, cursor=request.args.get("cursor"), size=MESSAGES_SHOWN)
    told = {name: getattr(shown, name) for name in ("url", "description", "events", "dataset_ids", "publisher_ids")}
    context = {"endpoint": shown, "messages": messages, "is_later": "cursor" in request.args, "secret": secret}
    return _page("webhook.html", refusal, **context, asked_for=asked or told)


def _page(template: str, refusal: Refusal | None, **context: Any) -> Response:
    actor = _actor()
    return render_private(
        template,
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        manages=allows(actor, Permission.WEBHOOKS_MANAGE),
        trouble=_trouble_of(refusal),
        chosen=CHOSEN,
        lengths=rules,
        kind_words=lambda kind: say(*KIND_WORDS[EventType(kind)]),
        state_words=lambda state: say(*STATE_WORDS[MessageState(state)]),
        reason_words=lambda reason: say(*REASON_WORDS[reason]),
        as_text=clock.text,
        **context,
    )


def _trouble_of(refusal: Refusal | None) -> str:
    faults = refusal.errors if refusal else []
    return trouble_of(refusal) + "".join(f" {one['pointer'].strip('/')}: {one['detail']}." for one in faults)
