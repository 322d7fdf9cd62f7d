"""The guard of the protocol's address: anybody may ask what is public, and a token says who asks."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import request

from marketplace.identity.permissions import Permission
from marketplace.kit import settings
from marketplace.protocols import guarding

P = ParamSpec("P")
R = TypeVar("R")
reader = guarding.reader


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; a token that is none is refused also where none is needed.

    What a tool asks beyond that it asks by itself.
    """
    return guarding.guard(permission, guarding.by_token)


def foreign_origin() -> bool:
    """Tell whether a page of another site sends this, which a browser says: names may point here that are not ours."""
    origin = request.headers.get("Origin")
    own = urlsplit(settings.current().base_url)
    return origin is not None and origin != f"{own.scheme}://{own.netloc}"
