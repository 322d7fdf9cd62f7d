"""The desk of one's organization: its members, its API clients, and who manages whose listings."""

from typing import Any

import orjson
from flask import Response, request

from marketplace.identity import delegations, members, queries, service
from marketplace.identity.actors import Actor
from marketplace.identity.login import invitations
from marketplace.identity.oauth import registering, registration
from marketplace.identity.permissions import DELEGABLE, PERMISSIONS, Permission
from marketplace.identity.rules import MemberDraft
from marketplace.identity.states import MemberRole
from marketplace.kit import clock
from marketplace.kit.errors import Conflict, Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.web import forms, roles, scopes
from marketplace.web.deeds import caller, done
from marketplace.web.endpoint import blueprint, guarded
from marketplace.web.language import say
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import trouble_of

blp = blueprint("desk")
MEMBERS, CLIENTS, DELEGATIONS = "/organization/members", "/organization/clients", "/organization/delegations"
DELEGABLE_WORDS: dict[Permission, tuple[str, str]] = {
    Permission.DATASETS_READ: ("公開前のデータセットを読む", "read datasets before publication"),
    Permission.DATASETS_WRITE: ("データセットを登録・公開・取下げする", "list, publish and withdraw datasets"),
    Permission.LICENSING_READ: ("利用条件を読む", "read the terms"),
    Permission.LICENSING_WRITE: ("利用条件と販売条件を作り、終える", "write terms, make and withdraw offers"),
}
"""Japanese and English, for all that can be delegated."""


@blp.get("/organization/members")
@guarded(Permission.MEMBERS_READ)
def show_members() -> Response:
    """List the members of one's organization."""
    return _members_page()


@blp.post("/organization/members")
@guarded(Permission.MEMBERS_MANAGE)
def add_member() -> Response:
    """Add somebody, and mail them the link with which they join where they have an address."""
    form = forms.read("name", "email", "role")

    def deed(actor: Actor) -> None:
        draft = MemberDraft(form["name"], _role(form["role"]), form["email"] or None)
        member = service.add_member(actor, actor.organization_id, draft)
        if member.email:
            invitations.invite(actor, member.id)

    return done(deed, MEMBERS, _members_page)


@blp.post("/organization/members/invite")
@guarded(Permission.MEMBERS_MANAGE)
def invite_member() -> Response:
    """Mail a member the link anew."""
    form = forms.read("member_id")
    return done(lambda actor: invitations.invite(actor, form["member_id"]), MEMBERS, _members_page)


@blp.post("/organization/members/role")
@guarded(Permission.MEMBERS_MANAGE)
def change_role() -> Response:
    """Give a member another role."""
    form = forms.read("member_id", "role")
    return done(
        lambda actor: members.change_role(actor, form["member_id"], _role(form["role"])), MEMBERS, _members_page
    )


@blp.post("/organization/members/remove")
@guarded(Permission.MEMBERS_MANAGE)
def remove_member() -> Response:
    """Remove a member."""
    form = forms.read("member_id")
    return done(lambda actor: members.remove_member(actor, form["member_id"]), MEMBERS, _members_page)


@blp.get("/organization/clients")
@guarded(Permission.CLIENTS_READ)
def show_clients() -> Response:
    """List the API clients of one's organization."""
    return _clients_page()


@blp.post("/organization/clients")
@guarded(Permission.CLIENTS_MANAGE)
def make_client() -> Response:
    """Register an API client, and show its secret, once, if it keeps one."""
    actor = caller()
    form = forms.read("name", "jwks", *sorted(actor.scopes))
    try:
        traits = registration.traits_of({"jwks": _jwks(form["jwks"])} if form["jwks"].strip() else {})
        chosen = [scope for scope in actor.scopes if form[scope] == "yes"]
        with transaction():
            client, secret = service.register_client(actor, actor.organization_id, form["name"], chosen, traits)
            made = {"id": client.id, "secret": secret}
    except (Conflict, Invalid) as refusal:
        return _clients_page(refusal)
    return _clients_page(made=made)


@blp.post("/organization/clients/keys")
@guarded(Permission.CLIENTS_MANAGE)
def replace_keys() -> Response:
    """Have an API client prove itself by other keys."""
    form = forms.read("client_id", "jwks")

    def deed(actor: Actor) -> None:
        registering.replace_keys(actor, form["client_id"], _jwks(form["jwks"]), None)

    return done(deed, CLIENTS, _clients_page)


@blp.post("/organization/clients/end")
@guarded(Permission.CLIENTS_MANAGE)
def end_client() -> Response:
    """Shut an API client out for good."""
    form = forms.read("client_id")
    return done(lambda actor: service.suspend_client(actor, form["client_id"]), CLIENTS, _clients_page)


@blp.get("/organization/delegations")
@guarded(Permission.DELEGATIONS_READ)
def show_delegations() -> Response:
    """List who manages whose listings."""
    return _delegations_page()


@blp.post("/organization/delegations")
@guarded(Permission.DELEGATIONS_MANAGE)
def open_delegation() -> Response:
    """Let another organization manage one's listings."""
    form = forms.read("delegate_id", *sorted(DELEGABLE))
    chosen = [permission for permission in DELEGABLE if form[permission] == "yes"]
    return done(
        lambda actor: delegations.open_delegation(actor, form["delegate_id"].strip(), chosen),
        DELEGATIONS,
        _delegations_page,
    )


@blp.post("/organization/delegations/end")
@guarded(Permission.DELEGATIONS_MANAGE)
def end_delegation() -> Response:
    """End a delegation that one gave or got."""
    form = forms.read("delegation_id")
    return done(lambda actor: delegations.end_delegation(actor, form["delegation_id"]), DELEGATIONS, _delegations_page)


def _role(given: str) -> MemberRole:
    if given not in set(MemberRole):
        raise Invalid(errors=[{"pointer": "/role", "detail": "must be one of the roles"}])
    return MemberRole(given)


def _jwks(given: str) -> dict[str, Any]:
    try:
        found = orjson.loads(given)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(errors=[{"pointer": "/jwks", "detail": "must be a JSON Web Key Set"}])
    return found


def _members_page(refusal: Refusal | None = None) -> Response:
    actor = caller()
    page = queries.list_members(actor.organization_id, cursor=request.args.get("cursor"), size=100)
    return _page(
        "members.html", actor, Permission.MEMBERS_MANAGE, refusal, page=page, role_words=roles.words, roles=MemberRole
    )


def _clients_page(refusal: Refusal | None = None, made: dict[str, str] | None = None) -> Response:
    actor = caller()
    page = queries.list_clients(actor.organization_id, cursor=request.args.get("cursor"), size=100)
    available = sorted(actor.scopes)
    return _page(
        "clients.html",
        actor,
        Permission.CLIENTS_MANAGE,
        refusal,
        page=page,
        made=made,
        available=available,
        scope_words=scopes.words,
    )


def _delegations_page(refusal: Refusal | None = None) -> Response:
    actor = caller()
    page = delegations.list_delegations(actor, cursor=request.args.get("cursor"), size=100)
    words = {permission.value: say(*DELEGABLE_WORDS[permission]) for permission in sorted(DELEGABLE)}
    return _page("delegations.html", actor, Permission.DELEGATIONS_MANAGE, refusal, page=page, words=words)


def _page(template: str, actor: Actor, manage: Permission, refusal: Refusal | None, **context: Any) -> Response:
    rule = PERMISSIONS[manage]
    return render_private(
        template,
        status=refusal.status if refusal else 200,
        organization=queries.get_organization(actor.organization_id),
        manages=actor.role in rule.roles and bool(rule.capacities & actor.capacities),
        trouble=trouble_of(refusal),
        as_text=clock.text,
        **context,
    )
