"""The guard of CKAN's addresses: who reads the catalogue needs no token, and a raw token is a token like any other."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import g, request

from marketplace.identity import guards
from marketplace.identity.actors import Actor
from marketplace.identity.errors import NotAuthenticated, SeveralCredentials
from marketplace.identity.judging import require
from marketplace.identity.oauth import bearer
from marketplace.identity.permissions import PERMISSIONS, Permission

P = ParamSpec("P")
R = TypeVar("R")
FIELDS = ("Authorization", "X-CKAN-API-Key")


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; what is public looks at no token.

    CKAN's clients send the key of whatever portal they were set up for with each request.
    """
    scope = PERMISSIONS[permission].scope

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            g.caller = _caller() if scope else None
            g.actor = require(g.caller, permission)
            return view(*args, **kwargs)

        return guards.mark(checked, permission)

    return guard


def actor() -> Actor:
    """Return the caller of a guarded address."""
    caller: Actor | None = g.actor
    if caller is None:
        raise NotAuthenticated
    return caller


def _caller() -> Actor | None:
    """Return who calls with the token that clients send as it is, in one field or the same in two."""
    sent = {value.strip() for field in FIELDS for value in request.headers.getlist(field) if value.strip()}
    if len(sent) > 1:
        raise SeveralCredentials
    if not sent:
        return None
    [token] = sent
    authorization = token if " " in token else f"Bearer {token}"
    return bearer.authenticate([authorization], request.headers.getlist("DPoP"), request.method, request.path)
