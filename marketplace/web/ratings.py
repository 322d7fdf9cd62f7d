"""Ratings on pages: reading, giving, replying and moderating them, and what is told of a provider."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from marketplace.exchange import discovery, reputing
from marketplace.identity.actors import Actor
from marketplace.identity.judging import allows
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import Conflict, Forbidden, Invalid, Refusal
from marketplace.reputation import queries, service
from marketplace.reputation.rules import STARS, RatingDraft
from marketplace.web import forms
from marketplace.web.catalog import CURSOR_MAX
from marketplace.web.deeds import done
from marketplace.web.endpoint import blueprint, guarded, reader
from marketplace.web.rendering import path_part, render, render_private
from marketplace.web.sign_in import trouble_of

blp = blueprint("ratings")
SHOWN = 50


@blp.get("/catalog/<dataset_id>/ratings")
@guarded(Permission.CATALOG_READ)
def show_ratings(dataset_id: str) -> Response:
    """Show what is said of a dataset, and to whoever bought it the form to say something."""
    return _page(dataset_id)


@blp.post("/catalog/<dataset_id>/rating")
@guarded(Permission.RATINGS_GIVE)
def rate(dataset_id: str) -> Response:
    """Say what one thinks of a dataset that one bought."""
    form = forms.read("stars", "text_ja", "text_en", "shows_name")
    stars = int(form["stars"]) if form["stars"] in {str(number) for number in STARS} else 0
    draft = RatingDraft(stars, form["text_ja"].strip(), form["text_en"].strip(), form["shows_name"] == "yes")
    return _done(dataset_id, lambda actor: reputing.rate(actor, dataset_id, draft))


@blp.post("/catalog/<dataset_id>/rating/withdraw")
@guarded(Permission.RATINGS_GIVE)
def withdraw(dataset_id: str) -> Response:
    """Take back what one said."""
    return _done(dataset_id, lambda actor: reputing.withdraw(actor, dataset_id))


@blp.post("/catalog/<dataset_id>/ratings/reply")
@guarded(Permission.RATINGS_REPLY)
def reply(dataset_id: str) -> Response:
    """Reply to a rating of one's own dataset."""
    form = forms.read("rating_id", "text_ja", "text_en")
    words = form["text_ja"].strip(), form["text_en"].strip()
    return _done(dataset_id, lambda actor: service.reply(actor, form["rating_id"], *words))


@blp.post("/catalog/<dataset_id>/ratings/hide")
@guarded(Permission.RATINGS_MODERATE)
def hide(dataset_id: str) -> Response:
    """Hide a rating for a stated reason."""
    form = forms.read("rating_id", "reason")
    return _done(dataset_id, lambda actor: reputing.hide(actor, form["rating_id"], form["reason"]))


@blp.post("/catalog/<dataset_id>/ratings/unhide")
@guarded(Permission.RATINGS_MODERATE)
def unhide(dataset_id: str) -> Response:
    """Show a rating again."""
    form = forms.read("rating_id")
    return _done(dataset_id, lambda actor: reputing.unhide(actor, form["rating_id"]))


@blp.get("/providers/<organization_id>")
@guarded(Permission.CATALOG_READ)
def show_provider(organization_id: str) -> Response:
    """Show what is told of a provider."""
    provider, told = reputing.read_provider(organization_id)
    return render("reputation.html", provider=provider, **told)


def _done(dataset_id: str, deed: Callable[[Actor], object]) -> Response:
    """Do a deed and go on, or show the page again with what was wrong."""
    following = f"/catalog/{path_part(dataset_id)}/ratings"
    return done(deed, following, lambda refusal: _page(dataset_id, refusal), (Conflict, Forbidden, Invalid))


def _page(dataset_id: str, refusal: Refusal | None = None) -> Response:
    who = reader()
    listed = discovery.read_listing(who, dataset_id)
    cursor = (request.args.get("cursor") or "")[:CURSOR_MAX] or None
    page, summary = reputing.list_ratings(who, dataset_id, cursor, SHOWN)
    draw = render if who is None else render_private
    return draw(
        "ratings.html",
        status=refusal.status if refusal else 200,
        dataset=listed.document,
        page=page,
        summary=summary,
        here=f"/catalog/{path_part(dataset_id)}",
        trouble=trouble_of(refusal),
        as_text=clock.text,
        **_may(who, listed.document),
    )


def _may(who: Actor | None, document: dict[str, Any]) -> dict[str, Any]:
    """Return what whoever reads may do here, and what it has said."""
    own = who is not None and who.organization_id == document["publisher"]["id"]
    gives = who is not None and allows(who, Permission.RATINGS_GIVE) and service.may_rate(who, document["id"])
    return {
        "gives": gives,
        "mine": queries.find_own(who, document["id"]) if who is not None and gives else None,
        "replies": own and allows(who, Permission.RATINGS_REPLY),
        "moderates": who is not None and allows(who, Permission.RATINGS_MODERATE),
    }
