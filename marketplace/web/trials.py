"""Trials (試用) for people: beginning one from the page of a dataset, and fetching its files with the browser."""

from typing import Any

from flask import Response

from marketplace.access import queries as access
from marketplace.access import tickets, trials
from marketplace.access.errors import CopyInTheMaking
from marketplace.catalog import queries as catalog
from marketplace.exchange import discovery, ticketing, trying
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from marketplace.kit.transaction import transaction
from marketplace.metering import queries as metering
from marketplace.web import fields, forms
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded, may, session
from marketplace.web.language import link
from marketplace.web.rendering import path_part, render_private

blp = blueprint("trials")
DESK = "/organization/trials"
FILES_SHOWN = 200


@blp.get(DESK)
@guarded(Permission.GRANTS_READ)
def list_taken() -> Response:
    """List what one's organization has tried."""
    actor = login.actor_of(session())
    taken = trials.list_taken(actor)
    named = catalog.find_datasets({one.dataset_id for one in taken})
    return render_private(
        "trials.html",
        organization=identity.get_organization(actor.organization_id),
        trials=[{"dataset": named[one.dataset_id], "taken_at": clock.text(one.taken_at)} for one in taken],
    )


@blp.get(f"{DESK}/<dataset_id>")
@guarded(Permission.GRANTS_READ)
def show(dataset_id: str) -> Response:
    """Show what may be tried of a dataset under which terms; once it is tried, its files."""
    return _page(dataset_id)


@blp.post(f"{DESK}/<dataset_id>")
@guarded(Permission.ORDERS_PLACE)
def take(dataset_id: str) -> Response:
    """Accept the terms of a trial and have its grant at once."""
    form = forms.read("accept_terms_sha256", "accepts")
    try:
        if form["accepts"] != "yes":
            raise fields.wrong("accepts", "must be ticked")
        with transaction():
            trying.take(login.actor_of(session()), dataset_id, form["accept_terms_sha256"])
    except (Conflict, Forbidden, Invalid) as refusal:
        return _page(dataset_id, refusal)
    return see(link(f"{DESK}/{path_part(dataset_id)}"))


@blp.post(f"{DESK}/<dataset_id>/fetch")
@guarded(Permission.TICKETS_ISSUE)
def fetch(dataset_id: str) -> Response:
    """Show an address that gives a file of a trial to this browser, for a short while.

    It is a link and no redirect: where a store elsewhere sends the bytes, browsers hold `form-action` against that.
    """
    form = forms.read("file_name", "release_id")
    actor = login.actor_of(session())
    try:
        grant_id = _grant_id(actor, dataset_id)
        if grant_id is None:
            raise NotFound
        with transaction():
            issued = ticketing.issue(actor, grant_id, form["file_name"], form["release_id"] or None, None)
    except (Conflict, Forbidden) as refusal:
        return _page(dataset_id, refusal)
    return _page(dataset_id, ticket={"file_name": issued.ticket.file_name, "address": f"/tickets/{issued.secret}"})


def _page(dataset_id: str, refusal: Refusal | None = None, ticket: dict[str, str] | None = None) -> Response:
    actor = login.actor_of(session())
    grant_id = _grant_id(actor, dataset_id)
    shown = _taken(actor, grant_id) if grant_id else _offered(actor, dataset_id)
    return render_private(
        "trial.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        dataset=catalog.get_dataset(dataset_id),
        trouble=fields.trouble(refusal),
        ticket=ticket,
        may_take=may(actor, Permission.ORDERS_PLACE),
        may_fetch=may(actor, Permission.TICKETS_ISSUE),
        **shown,
    )


def _offered(actor: Actor, dataset_id: str) -> dict[str, Any]:
    """Return what may be tried; NotFound where one does not see the dataset, or nothing may be tried of it."""
    document = discovery.read_listing(actor, dataset_id).document
    if not document["trial"]:
        raise NotFound
    return {
        "grant": None,
        "trial": document["trial"],
        "is_own": document["publisher"]["id"] == actor.organization_id,
    }


def _taken(actor: Actor, grant_id: str) -> dict[str, Any]:
    grant, quota = access.get_grant(actor, grant_id), metering.get_quota(grant_id)
    try:
        files, in_the_making = access.list_entitled_files(actor, grant_id), False
    except CopyInTheMaking:
        files, in_the_making = [], True
    return {
        "grant": grant,
        "left_bytes": max((quota.limit_bytes or 0) - quota.used_bytes, 0),
        "expires_at": clock.text(grant.expires_at) if grant.expires_at else "",
        "files": files[:FILES_SHOWN],
        "files_total": len(files),
        "in_the_making": in_the_making,
        "begin_seconds": int(tickets.BEGIN_WITHIN.total_seconds()),
    }


def _grant_id(actor: Actor, dataset_id: str) -> str | None:
    taken = trials.find_taken(actor, dataset_id)
    grant = access.find_grant_of_order(taken.order_id) if taken and taken.order_id else None
    return grant.id if grant else None
