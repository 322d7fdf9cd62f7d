"""The guard of the protocol's address: anybody may ask what is public, and a token says who asks."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import g, request

from marketplace.identity import guards
from marketplace.identity.actors import Actor
from marketplace.identity.judging import require
from marketplace.identity.oauth import bearer
from marketplace.identity.permissions import Permission
from marketplace.kit import settings

P = ParamSpec("P")
R = TypeVar("R")


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; a token that is none is refused also where none is needed.

    What a tool asks beyond that it asks by itself.
    """

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            proofs = request.headers.getlist("DPoP")
            g.caller = bearer.authenticate(
                request.headers.getlist("Authorization"), proofs, request.method, request.path
            )
            g.actor = require(g.caller, permission)
            return view(*args, **kwargs)

        return guards.mark(checked, permission)

    return guard


def reader() -> Actor | None:
    """Return who calls, None for anybody."""
    caller: Actor | None = g.actor
    return caller


def foreign_origin() -> bool:
    """Tell whether a page of another site sends this, which a browser says: names may point here that are not ours."""
    origin = request.headers.get("Origin")
    own = urlsplit(settings.current().base_url)
    return origin is not None and origin != f"{own.scheme}://{own.netloc}"
