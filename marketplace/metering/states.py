"""The states of a delivery."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """How a delivery stands; every state but ``open`` is final."""

    OPEN = "open"
    COMPLETE = "complete"
    BROKEN = "broken"
    STALLED = "stalled"
    SWEPT = "swept"


UNFINISHED = (DeliveryState.BROKEN, DeliveryState.STALLED, DeliveryState.SWEPT)
"""Closed without all of its bytes: what it took of the download quota may be passed on."""
