"""What a person is asked to prove, and where a sign-in stands."""

from enum import StrEnum


class ChallengePurpose(StrEnum):
    """Why a token was sent to an e-mail address."""

    JOIN = "join"
    RESET = "reset"
    CHECK = "check"


class Stage(StrEnum):
    """How far a sign-in has come, or what a challenge is for."""

    SECOND_FACTOR = "second_factor"
    PASSKEY = "passkey"
    PASSKEY_REGISTRATION = "passkey_registration"
    PROVIDER = "provider"
