"""The guard of the catalogue's addresses: they are for everybody, and who calls is not asked."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from marketplace.identity.permissions import Permission
from marketplace.protocols import guarding

P = ParamSpec("P")
R = TypeVar("R")


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Show an address if the permission table lets anybody see it.

    A token is not looked at: whoever sends one gets what the public gets, which is all that may be kept and passed on.
    """
    return guarding.guard(permission, guarding.nobody)
