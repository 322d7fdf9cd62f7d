"""Private groups on pages: those one owns, those one is in or invited to, and what is listed to them."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from marketplace.catalog.groups import queries, service
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.exchange import listing
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.judging import allows
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import Refusal
from marketplace.web import forms
from marketplace.web.deeds import caller, done
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.rendering import path_part, render_private
from marketplace.web.sign_in import trouble_of

blp = blueprint("groups")
GROUPS = "/organization/groups"
SHOWN = 100


@blp.get(GROUPS)
@guarded(Permission.GROUPS_READ)
def show_groups() -> Response:
    """List the groups that one's organization owns, is in, or is invited to."""
    return _groups_page()


@blp.post(GROUPS)
@guarded(Permission.GROUPS_MANAGE)
def make_group() -> Response:
    """Make a group."""
    form = forms.read("name_ja", "name_en")
    draft = GroupDraft(form["name_ja"], form["name_en"])
    return done(lambda actor: service.make_group(actor, draft), GROUPS, _groups_page)


@blp.post(f"{GROUPS}/accept")
@guarded(Permission.GROUPS_JOIN)
def accept() -> Response:
    """Follow an invitation."""
    group_id = forms.read("group_id")["group_id"]
    return done(lambda actor: service.accept(actor, group_id), GROUPS, _groups_page)


@blp.post(f"{GROUPS}/leave")
@guarded(Permission.GROUPS_JOIN)
def leave() -> Response:
    """Leave a group, or decline to join it."""
    group_id = forms.read("group_id")["group_id"]
    return done(lambda actor: service.leave(actor, group_id), GROUPS, _groups_page)


@blp.get(f"{GROUPS}/<group_id>")
@guarded(Permission.GROUPS_READ)
def show_group(group_id: str) -> Response:
    """Show a group of one's own: who is in it, and what is listed to it."""
    return _group_page(group_id)


@blp.post(f"{GROUPS}/<group_id>/names")
@guarded(Permission.GROUPS_MANAGE)
def rename(group_id: str) -> Response:
    """Call a group something else."""
    form = forms.read("name_ja", "name_en")
    draft = GroupDraft(form["name_ja"], form["name_en"])
    return _of_group(group_id, lambda actor: service.rename_group(actor, group_id, draft))


@blp.post(f"{GROUPS}/<group_id>/members")
@guarded(Permission.GROUPS_MANAGE)
def admit(group_id: str) -> Response:
    """Name an organization as a member, or invite it."""
    form = forms.read("organization_id", "invited")
    named, invited = form["organization_id"].strip(), form["invited"] == "yes"
    return _of_group(group_id, lambda actor: service.admit(actor, group_id, named, invited=invited))


@blp.post(f"{GROUPS}/<group_id>/remove")
@guarded(Permission.GROUPS_MANAGE)
def remove(group_id: str) -> Response:
    """Take an organization out of a group, or its invitation back."""
    organization_id = forms.read("organization_id")["organization_id"]
    return _of_group(group_id, lambda actor: service.remove(actor, group_id, organization_id))


@blp.post(f"{GROUPS}/<group_id>/dissolve")
@guarded(Permission.GROUPS_MANAGE)
def dissolve(group_id: str) -> Response:
    """End a group to which nothing is listed any more."""
    return done(
        lambda actor: service.dissolve_group(actor, group_id), GROUPS, lambda refusal: _group_page(group_id, refusal)
    )


@blp.post(f"{GROUPS}/<group_id>/datasets")
@guarded(Permission.DATASETS_WRITE)
def list_to_group(group_id: str) -> Response:
    """List a dataset to a group alone."""
    dataset_id = forms.read("dataset_id")["dataset_id"].strip()
    return _of_group(group_id, lambda actor: listing.set_audience(actor, dataset_id, group_id))


@blp.post(f"{GROUPS}/<group_id>/publish")
@guarded(Permission.DATASETS_WRITE)
def list_to_everybody(group_id: str) -> Response:
    """List a dataset of a group to everybody."""
    dataset_id = forms.read("dataset_id")["dataset_id"]
    return _of_group(group_id, lambda actor: listing.set_audience(actor, dataset_id, None))


def _of_group(group_id: str, deed: Callable[[Actor], object]) -> Response:
    return done(deed, f"{GROUPS}/{path_part(group_id)}", lambda refusal: _group_page(group_id, refusal))


def _groups_page(refusal: Refusal | None = None) -> Response:
    actor = caller()
    page = queries.list_groups(actor, cursor=request.args.get("cursor"), size=SHOWN)
    return _page("groups.html", actor, refusal, page=page)


def _group_page(group_id: str, refusal: Refusal | None = None) -> Response:
    actor = caller()
    members = queries.list_members(actor, group_id, cursor=request.args.get("cursor"), size=SHOWN)
    datasets = queries.list_datasets(actor, group_id, cursor=request.args.get("datasets"), size=SHOWN)
    group = queries.get_group(actor, group_id)
    lists = allows(actor, Permission.DATASETS_WRITE)
    return _page("group.html", actor, refusal, group=group, members=members, datasets=datasets, lists=lists)


def _page(template: str, actor: Actor, refusal: Refusal | None, **context: Any) -> Response:
    return render_private(
        template,
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        manages=allows(actor, Permission.GROUPS_MANAGE),
        joins=allows(actor, Permission.GROUPS_JOIN),
        trouble=trouble_of(refusal),
        as_text=clock.text,
        **context,
    )
