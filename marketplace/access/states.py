"""The states of a grant."""

from enum import StrEnum


class GrantState(StrEnum):
    """What has been done to a grant: ``suspended`` while any cause stands, ``revoked`` for good."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Cause(StrEnum):
    """Why a grant is suspended; several causes may stand at once."""

    DISPUTE = "dispute"
    OVERDUE = "overdue"
    INCIDENT = "incident"


class Standing(StrEnum):
    """What a grant is worth at an instant: its state, and whether its time has run out."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REVOKED = "revoked"
