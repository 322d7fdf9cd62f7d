"""The mark that a guarded route carries: what it asks of its caller, readable without calling it."""

from collections.abc import Callable
from typing import Any, TypeVar

from marketplace.identity.permissions import Permission

View = TypeVar("View", bound=Callable[..., Any])
GUARD = "_permission"


def mark(view: View, permission: Permission) -> View:
    """Return the view, marked as guarded by this permission."""
    setattr(view, GUARD, permission)
    return view


def permission_of(view: Callable[..., Any]) -> Permission | None:
    """Return the permission that guards a view, None for one that nothing guards."""
    return getattr(view, GUARD, None)
