"""The guard that all protocols share: the one table decides; how a caller shows who it is, each protocol says."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import g, request

from marketplace.identity import guards
from marketplace.identity.actors import Actor
from marketplace.identity.errors import NotAuthenticated
from marketplace.identity.judging import require
from marketplace.identity.oauth import bearer
from marketplace.identity.permissions import Permission

P = ParamSpec("P")
R = TypeVar("R")
Caller = Callable[[], Actor | None]


def guard(permission: Permission, caller: Caller) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; who was let in is ``reader()`` inside."""

    def guarded(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            g.caller = caller()
            g.actor = require(g.caller, permission)
            return view(*args, **kwargs)

        return guards.mark(checked, permission)

    return guarded


def by_token() -> Actor | None:
    """Return whose access token comes with the request (RFC 6750, RFC 9449), None where there is none."""
    authorizations, proofs = request.headers.getlist("Authorization"), request.headers.getlist("DPoP")
    return bearer.authenticate(authorizations, proofs, request.method, request.path)


def nobody() -> None:
    """Look at no token: whoever calls gets what the public gets."""


def reader() -> Actor | None:
    """Return who was let in, None for anybody."""
    caller: Actor | None = g.actor
    return caller


def actor() -> Actor:
    """Return the caller of a guarded address; raises NotAuthenticated where anybody may come."""
    caller = reader()
    if caller is None:
        raise NotAuthenticated
    return caller
