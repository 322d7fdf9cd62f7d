"""How far a movement of the gateway's balance is accounted for."""

from enum import StrEnum


class MovementState(StrEnum):
    """``waiting`` for what it belongs to, ``matched`` with it, or in ``suspense`` until it is explained.

    What the operator has explained is ``matched`` too: with the posting that put it in suspense, and that is made good.
    """

    WAITING = "waiting"
    MATCHED = "matched"
    SUSPENSE = "suspense"
