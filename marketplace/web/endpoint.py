"""What every page shares: its blueprint and its guard."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import Blueprint

from marketplace.identity import guards
from marketplace.identity.permissions import Permission, require

P = ParamSpec("P")
R = TypeVar("R")


def blueprint(name: str) -> Blueprint:
    """Return a blueprint for the pages of one subject."""
    return Blueprint(f"web_{name}", f"marketplace.web.{name}")


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Show a page if the permission table allows it to anybody: readers of these pages do not sign in."""

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            require(None, permission)
            return view(*args, **kwargs)

        return guards.mark(checked, permission)

    return guard
