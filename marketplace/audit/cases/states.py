"""How far a case is."""

from enum import StrEnum


class CaseState(StrEnum):
    """Opened by a rule, then somebody's, then closed for a stated reason."""

    OPEN = "open"
    UNDER_REVIEW = "under_review"
    CLOSED = "closed"


MOVES = {
    # From one person to the next as well.
    CaseState.UNDER_REVIEW: frozenset({CaseState.OPEN, CaseState.UNDER_REVIEW}),
    CaseState.CLOSED: frozenset({CaseState.UNDER_REVIEW}),
}
"""From which states each state is reached. What is closed stays closed: more of the same is another case."""
