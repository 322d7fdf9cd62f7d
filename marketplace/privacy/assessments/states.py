"""How thorough an assessment is, and how far it has come."""

from enum import StrEnum

from marketplace.kit.labels import Labelled


class Depth(Labelled):
    """How much of an assessment a listing needs."""

    NONE = "none", "不要", "None"
    SHORT = "short", "簡易評価", "Short"
    FULL = "full", "全項目評価", "Full"

    def covers(self, needed: "Depth") -> bool:
        """Whether an assessment of this depth is as much as is needed."""
        order = list(Depth)
        return order.index(self) >= order.index(needed)


class AssessmentState(StrEnum):
    """How far an assessment has come; ``objection`` is open to objections, accepted and rejected are final."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    OBJECTION = "objection"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


LIVING = (AssessmentState.DRAFT, AssessmentState.SUBMITTED, AssessmentState.OBJECTION)
PUBLIC = (AssessmentState.OBJECTION, AssessmentState.ACCEPTED)
MOVES = {
    AssessmentState.DRAFT: {AssessmentState.SUBMITTED},
    AssessmentState.SUBMITTED: {AssessmentState.DRAFT, AssessmentState.OBJECTION},
    AssessmentState.OBJECTION: {AssessmentState.ACCEPTED, AssessmentState.REJECTED},
    AssessmentState.ACCEPTED: set[AssessmentState](),
    AssessmentState.REJECTED: set[AssessmentState](),
}
