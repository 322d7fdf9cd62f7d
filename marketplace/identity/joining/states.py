"""How much care an application asks for, and what a public register says of it."""

from enum import StrEnum


class Risk(StrEnum):
    """How carefully an application is looked at; the grounds stand beside it."""

    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"


class Registry(StrEnum):
    """A public register of the National Tax Agency (国税庁)."""

    CORPORATE_NUMBERS = "corporate_numbers"
    INVOICE_REGISTRATIONS = "invoice_registrations"


class Outcome(StrEnum):
    """What looking a number up came to; ``off`` where the exchange has no key, ``unknown`` where it is not there."""

    MATCHES = "matches"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    OFF = "off"


class Ground(StrEnum):
    """Why an application is of its risk."""

    REGISTERED = "registered"
    NO_NUMBER = "no-number"
    FREE_MAIL = "free-mail"
    NOT_LOOKED_UP = "not-looked-up"
    NOT_IN_REGISTER = "not-in-register"
    REGISTER_DIFFERS = "register-differs"
