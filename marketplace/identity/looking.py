"""Which looks of an auditor go on the record: all at what the permission table lets auditors read of others."""

from collections.abc import Mapping
from typing import Any

from marketplace.audit import looks
from marketplace.identity.actors import Actor
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.identity.states import Capacity, MemberRole
from marketplace.kit.ids import is_id

_OPEN_TO_ALL = frozenset({Permission.DEEDS_READ})
"""Rows that are open to applicants too, and so name no capacity: those who oversee see by them what is not theirs."""


def note_look(actor: Actor | None, permission: Permission, address: str, things: Mapping[str, Any]) -> None:
    """Record that an auditor is about to see what others do; a look that cannot be recorded does not happen.

    Auditors are organizations in that capacity, and people in that role of an organization that oversees. ``address``
    is the rule of the address, and ``things`` are the values of its placeholders. Looks of others, at what is public
    and at what is the caller's own, are nobody's business.
    """
    if actor is None or not _is_auditor(actor):
        return
    if is_oversight(permission) or _is_foreign(actor, things):
        looks.note(actor, permission.value, address, _thing(actor, things))


def is_oversight(permission: Permission) -> bool:
    """Tell whether a row of the table lets auditors read what is not theirs."""
    rule = PERMISSIONS[permission]
    opened = Capacity.AUDITOR in rule.capacities or permission in _OPEN_TO_ALL
    return rule.scope is not None and opened and not rule.changes


def _is_auditor(actor: Actor) -> bool:
    return Capacity.AUDITOR in actor.capacities or (actor.role is MemberRole.AUDITOR and actor.oversees)


def _is_foreign(actor: Actor, things: Mapping[str, Any]) -> bool:
    # One's own organization is read under the same permission as, by overseers, any other.
    return things.get("organization_id", "me") not in {"me", actor.organization_id}


def _thing(actor: Actor, things: Mapping[str, Any]) -> str:
    # Names of files and paths are people's words, which the record does not repeat.
    return next((str(thing) for thing in things.values() if is_id(str(thing))), actor.organization_id)
