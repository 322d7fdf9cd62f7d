"""The states of eligibilities and coupons, and what a deduction may rest on."""

from enum import StrEnum


class EligibilityState(StrEnum):
    """What the operator has made of the evidence; ``refused`` also takes back what was granted."""

    APPLIED = "applied"
    GRANTED = "granted"
    REFUSED = "refused"


MOVES = {
    EligibilityState.GRANTED: {EligibilityState.APPLIED},
    EligibilityState.REFUSED: {EligibilityState.APPLIED, EligibilityState.GRANTED},
}
"""From which states an eligibility may come into the state named by the key."""


class CouponState(StrEnum):
    """Whether a coupon may still be redeemed."""

    OPEN = "open"
    ENDED = "ended"


class DeductionKind(StrEnum):
    """What a deduction rests on."""

    ELIGIBILITY = "eligibility"
    COUPON = "coupon"
