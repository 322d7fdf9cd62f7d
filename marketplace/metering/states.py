"""The states of a delivery."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """How a delivery stands; every state but ``open`` is final."""

    OPEN = "open"
    COMPLETE = "complete"
    BROKEN = "broken"
    STALLED = "stalled"
    SWEPT = "swept"
