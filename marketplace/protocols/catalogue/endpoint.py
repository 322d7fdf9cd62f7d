"""The guard of the catalogue's addresses: they are for everybody, and who calls is not asked."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from marketplace.identity import guards
from marketplace.identity.judging import require
from marketplace.identity.permissions import Permission

P = ParamSpec("P")
R = TypeVar("R")


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Show an address if the permission table lets anybody see it.

    A token is not looked at: whoever sends one gets what the public gets, which is all that may be kept and passed on.
    """

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            require(None, permission)
            return view(*args, **kwargs)

        return guards.mark(checked, permission)

    return guard
