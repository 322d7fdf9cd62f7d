"""Saved searches for people: saving what one looked for, what came since, and hearing no more of it."""

from typing import Any

from flask import Response, request

from marketplace.catalog import listings, narrowing
from marketplace.demand import watching
from marketplace.demand.watching import WatchDraft
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.kit import clock
from marketplace.kit.errors import Conflict, Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.catalog import CURSOR_MAX
from marketplace.web.endpoint import blueprint, guarded, session
from marketplace.web.language import link
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import trouble_of

blp = blueprint("watches")
SEARCHES, LEAVE = "/organization/searches", "/saved-searches/unsubscribe"
FILTERS = (*narrowing.FACETS, *narrowing.SPANS)
HITS_SHOWN = 10


@blp.get(SEARCHES)
@guarded(Permission.WATCHES_READ)
def show() -> Response:
    """List the saved searches of one's organization with what came since, and offer to save the one in the address."""
    given = {name: values for name in FILTERS if (values := list(filter(None, request.args.getlist(name))))}
    return _page({"q": request.args.get("q", ""), "filters": given})


@blp.post(SEARCHES)
@guarded(Permission.WATCHES_SAVE)
def save() -> Response:
    """Save a search; values of one filter are told apart by line ends."""
    form = forms.read("name", "q", *FILTERS)
    filters = {name: form[name].splitlines() for name in FILTERS if form[name]}
    try:
        with transaction():
            watching.save(_actor(), WatchDraft(form["name"], form["q"], filters))
    except (Conflict, Invalid) as refusal:
        return _page({"q": form["q"], "filters": filters, "name": form["name"]}, refusal)
    return see(link(SEARCHES))


@blp.post(f"{SEARCHES}/end")
@guarded(Permission.WATCHES_SAVE)
def end() -> Response:
    """Hear no more of a saved search."""
    form = forms.read("watch_id")
    with transaction():
        watching.end(_actor(), form["watch_id"])
    return see(link(SEARCHES))


@blp.get(LEAVE)
@guarded(Permission.WATCHES_LEAVE_READ)
def show_leave() -> Response:
    """Ask whoever opened the link in a letter whether to hear no more: links are opened by programs as well."""
    named = {name: request.args.get(name, "")[:100] for name in ("watch", "key")}
    return render_private("unsubscribe.html", named=named, is_done=False, address=LEAVE)


@blp.post(LEAVE)
@guarded(Permission.WATCHES_LEAVE, by_letter=True)
def leave() -> Response:
    """End a saved search by the key in its letter: by the form on the page, or by a mailbox's one click (RFC 8058)."""
    named = request.args if forms.is_one_click() else forms.read("watch", "key")
    with transaction():
        watching.end_by_key(named.get("watch", ""), named.get("key", ""))
    return render_private("unsubscribe.html", named={}, is_done=True, address=LEAVE)


def _actor() -> Actor:
    return login.actor_of(session())


def _page(asked: dict[str, Any], refusal: Refusal | None = None) -> Response:
    actor, rule = _actor(), PERMISSIONS[Permission.WATCHES_SAVE]
    page = watching.list_own(actor, (request.args.get("cursor") or "")[:CURSOR_MAX] or None)
    hits = {one.id: watching.list_hits(actor, one.id, size=HITS_SHOWN).items for one in page.items}
    documents = listings.find_listings({hit.dataset_id for found in hits.values() for hit in found})
    return render_private(
        "searches.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        searches=page.items,
        following=link(SEARCHES, [("cursor", page.next_cursor)]) if page.next_cursor else None,
        hits={watch_id: [hit for hit in found if hit.dataset_id in documents] for watch_id, found in hits.items()},
        documents=documents,
        address=_address,
        asked_for=asked,
        saves=actor.role in rule.roles and bool(rule.capacities & actor.capacities),
        trouble=trouble_of(refusal),
        as_text=clock.text,
    )


def _address(words: str, filters: dict[str, list[str]]) -> str:
    pairs = [("q", words)] if words else []
    return link("/catalog", [*pairs, *((name, value) for name, values in filters.items() for value in values)])
