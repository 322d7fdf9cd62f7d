"""Announced datasets (要旨), for people: what will be there when, and asking to be told."""

from flask import Response, request

from marketplace.catalog.teasers import queries, service
from marketplace.exchange import announcing
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.catalog import CURSOR_MAX
from marketplace.web.endpoint import blueprint, guarded, may, reader, session
from marketplace.web.language import link
from marketplace.web.rendering import path_part, render, render_private

blp = blueprint("teasers")
TEASERS = "/teasers"


@blp.get(TEASERS)
@guarded(Permission.CATALOG_READ)
def list_teasers() -> Response:
    """List announced datasets, newest first."""
    page = queries.list_teasers(cursor=(request.args.get("cursor") or "")[:CURSOR_MAX] or None)
    return render(
        "teasers.html",
        teasers=[announcing.shown(one, None) for one in page.items],
        following=link(TEASERS, [("cursor", page.next_cursor)]) if page.next_cursor else None,
    )


@blp.get(f"{TEASERS}/<teaser_id>")
@guarded(Permission.CATALOG_READ)
def show(teaser_id: str) -> Response:
    """Show an announced dataset, and what became of it."""
    who = reader()
    teaser = queries.get_teaser(teaser_id)
    is_own = who is not None and who.organization_id == teaser.organization_id
    page = render if who is None else render_private
    return page(
        "teaser.html",
        one=announcing.shown(teaser, who),
        may_watch=not is_own and may(who, Permission.DEMAND_JOIN),
        may_manage=is_own and may(who, Permission.DATASETS_WRITE),
        is_signed_in=who is not None,
        is_watched=who is not None and queries.is_watched(teaser.id, who.organization_id),
    )


@blp.post("/organization/teasers/watch")
@guarded(Permission.DEMAND_JOIN)
def watch() -> Response:
    """Ask to be told when an announced dataset is listed."""
    form = forms.read("teaser_id")
    with transaction():
        service.watch(login.actor_of(session()), form["teaser_id"])
    return see(link(f"{TEASERS}/{path_part(form['teaser_id'])}"))


@blp.post("/organization/teasers/unwatch")
@guarded(Permission.DEMAND_JOIN)
def unwatch() -> Response:
    """Be told no more."""
    form = forms.read("teaser_id")
    with transaction():
        service.unwatch(login.actor_of(session()), form["teaser_id"])
    return see(link(f"{TEASERS}/{path_part(form['teaser_id'])}"))
