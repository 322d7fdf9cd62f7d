"""The guard of the protocol's addresses: an access token of ours, and the one table."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import g, request

from marketplace.identity import guards
from marketplace.identity.actors import Actor
from marketplace.identity.errors import NotAuthenticated
from marketplace.identity.judging import require
from marketplace.identity.oauth import bearer
from marketplace.identity.permissions import PERMISSIONS, Permission

P = ParamSpec("P")
R = TypeVar("R")


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; the caller is ``actor()`` inside.

    Where anybody may come, since the address itself is signed, no token is looked at.
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


def _caller() -> Actor | None:
    authorizations, proofs = request.headers.getlist("Authorization"), request.headers.getlist("DPoP")
    return bearer.authenticate(authorizations, proofs, request.method, request.path)


def actor() -> Actor:
    """Return the caller of a guarded address."""
    caller: Actor | None = g.actor
    if caller is None:
        raise NotAuthenticated
    return caller
