"""The states of a delivery."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """How a delivery stands; every state but ``open`` is final."""

    OPEN = "open"
    COMPLETE = "complete"
    BROKEN = "broken"
    STALLED = "stalled"
    SWEPT = "swept"


class Meter(StrEnum):
    """Whose word counts for what a delivery sent: our server's, the log of a store, or the provider's own server's."""

    SERVER = "server"
    EDGE_LOG = "edge-log"
    ORIGIN = "origin"
