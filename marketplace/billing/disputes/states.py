"""The states of disputes."""

from enum import StrEnum


class DisputeState(StrEnum):
    """How far a dispute has come, lowest first; a ``warning`` only asks, and moves no money."""

    WARNING = "warning"
    OPENED = "opened"
    WON = "won"
    LOST = "lost"


RANK = {DisputeState.WARNING: 0, DisputeState.OPENED: 1, DisputeState.WON: 2, DisputeState.LOST: 2}
"""What is learnt only ever raises a dispute; won and lost are both final."""
