"""What every page shares: its blueprint and its guard."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import Blueprint, request

from marketplace.identity import guards
from marketplace.identity.actors import Actor
from marketplace.identity.errors import StepUpRequired
from marketplace.identity.judging import require
from marketplace.identity.login import sessions as login
from marketplace.identity.login.sessions import Session
from marketplace.identity.looking import note_look
from marketplace.identity.permissions import PERMISSIONS, Permission, Rule
from marketplace.identity.states import Assurance
from marketplace.kit import settings
from marketplace.kit.errors import Refusal
from marketplace.web import forms, sessions
from marketplace.web.addresses import prove_again, sign_in_again

P = ParamSpec("P")
R = TypeVar("R")


def blueprint(name: str) -> Blueprint:
    """Return a blueprint for the pages of one subject."""
    return Blueprint(f"web_{name}", f"marketplace.web.{name}")


def guarded(permission: Permission, *, by_letter: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Show a page if the permission table allows it: to anybody, or to whoever is signed in with the browser.

    What changes something is a form: it is taken from our own pages alone, so that no route can forget to ask. Only a
    page that is opened ``by_letter``, with a key in its address, takes the one click of a mailbox as well.
    """
    rule = PERMISSIONS[permission]

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            is_form = rule.changes and not (by_letter and forms.is_one_click())
            if is_form:
                forms.refuse_foreign()
            if rule.in_person or rule.scope:
                _require_in_person(rule, permission)
            else:
                require(None, permission)
            if is_form:
                forms.check()
            try:
                return view(*args, **kwargs)
            except StepUpRequired as refusal:
                raise prove_again() from refusal

        return guards.mark(checked, permission)

    return guard


def reader() -> Actor | None:
    """Return for whom a public page is read: whoever is signed in with this browser as far as may be, else nobody."""
    found = sessions.current()
    if found is None or _lacks_second_factor(found, Permission.CATALOG_READ):
        return None
    try:
        return login.actor_of(found)
    except Refusal:  # of no organization, or of one that is suspended: as anybody
        return None


def may(actor: Actor | None, permission: Permission) -> bool:
    """Tell whether somebody is shown the way to a deed; its guard decides anew."""
    rule = PERMISSIONS[permission]
    return actor is not None and actor.role in rule.roles and bool(rule.capacities & actor.capacities)


def session() -> Session:
    """Return the session of a guarded page that is not public."""
    found = sessions.current()
    if found is None:
        raise RuntimeError("a public page has no session")
    return found


def _require_in_person(rule: Rule, permission: Permission) -> None:
    found = sessions.current()
    if found is None:
        raise sign_in_again()
    if _lacks_second_factor(found, permission):
        raise prove_again(level=Assurance.AAL2)
    if not rule.scope:
        return
    if rule.changes:
        forms.check()  # nobody is sent to prove a factor by a form that is none of ours
    try:
        _look(require(login.actor_of(found), permission), permission)
    except StepUpRequired as refusal:
        raise prove_again() from refusal


def _look(actor: Actor | None, permission: Permission) -> None:
    if request.url_rule is not None:
        note_look(actor, permission, request.url_rule.rule, request.view_args or {})


def _lacks_second_factor(found: Session, permission: Permission) -> bool:
    """Tell whether the exchange wants a second factor of everybody and this session has proved none.

    One's own account stays open, since factors are set up there.
    """
    return (
        settings.current().second_factor_required
        and found.acr < Assurance.AAL2
        and permission not in {Permission.ACCOUNT_READ, Permission.ACCOUNT_MANAGE}
    )
