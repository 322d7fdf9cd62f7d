"""The states of a grant."""

from enum import StrEnum


class GrantState(StrEnum):
    """What has been done to a grant; ``active`` until someone revokes it."""

    ACTIVE = "active"
    REVOKED = "revoked"


class Standing(StrEnum):
    """What a grant is worth at an instant: its state, and whether its time has run out."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
