"""What can be proposed, and what becomes of it."""

from enum import StrEnum


class OverrideDeed(StrEnum):
    """A deed of the operator's that overrides what a trade or a judgement came to."""

    REFUND = "refund"
    CORRECTION = "correction"
    REINSTATEMENT = "reinstatement"


class OverrideState(StrEnum):
    """How far a proposal is."""

    PROPOSED = "proposed"
    CARRIED_OUT = "carried_out"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
