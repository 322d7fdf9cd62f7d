"""The states, ways and reasons of refunds."""

from enum import StrEnum

from marketplace.kit.labels import Labelled


class RefundState(StrEnum):
    """How far a refund has come, lowest first: what is learnt only ever raises it.

    ``failed`` is the highest, since a refund may bounce after it had succeeded.
    """

    CREATED = "created"
    SENT = "sent"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RefundWay(StrEnum):
    """Where the money goes back: through the gateway, from the bank, off an open invoice, or outside the exchange."""

    GATEWAY = "gateway"
    BANK = "bank"
    CREDIT = "credit"
    OUTSIDE = "outside"


class RefundReason(Labelled):
    """Why money goes back."""

    REQUESTED = "requested", "申し出による返金", "Refund on request"
    CANCELLATION = "cancellation", "解約による返金", "Refund on cancellation"
    SERVICE_LEVEL = "service_level", "サービス水準未達による返金", "Credit for a missed service level"
    GATEWAY = "gateway", "決済事業者による返金", "Refund made at the gateway"
    ADJUSTMENT = "adjustment", "利用料の精算による返金", "Refund of usage that was billed too high"
    UNAPPLIED = "unapplied", "充当先のない入金の返金", "Return of money that paid nothing"


RANK = {state: rank for rank, state in enumerate(RefundState)}
"""The order of the states."""
