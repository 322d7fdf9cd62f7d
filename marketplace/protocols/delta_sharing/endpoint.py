"""The guard of the protocol's addresses: an access token of ours, and the one table."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.protocols import guarding

P = ParamSpec("P")
R = TypeVar("R")
actor = guarding.actor


def guarded(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a caller in only if the permission table allows; the caller is ``actor()`` inside.

    Where anybody may come, since the address itself is signed, no token is looked at.
    """
    return guarding.guard(permission, guarding.by_token if PERMISSIONS[permission].scope else guarding.nobody)
