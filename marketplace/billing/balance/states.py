"""How far a movement of the gateway's balance is accounted for."""

from enum import StrEnum


class MovementState(StrEnum):
    """``waiting`` for what it belongs to, ``matched`` with it, or in ``suspense`` until somebody explains it."""

    WAITING = "waiting"
    MATCHED = "matched"
    SUSPENSE = "suspense"
