"""The kinds and states of incidents, of their reports and of their notices."""

from enum import StrEnum


class IncidentKind(StrEnum):
    """What happened to data, in the words of APPI articles 26 and 68 (漏えい、滅失、毀損), or misuse."""

    LEAK = "leak"
    LOSS = "loss"
    DAMAGE = "damage"
    MISUSE = "misuse"


class IncidentState(StrEnum):
    """Whether an incident is worked on, or over with its report."""

    OPEN = "open"
    CLOSED = "closed"


class Target(StrEnum):
    """What an incident makes rest as it is opened."""

    GRANTS = "grants"
    CLIENTS = "clients"
    SALES = "sales"


class Stage(StrEnum):
    """The two reports that the Personal Information Protection Commission gets (速報 and 確報)."""

    PRELIMINARY = "preliminary"
    FULL = "full"


class Addressee(StrEnum):
    """To whom a notice is."""

    ORGANIZATION = "organization"
    AUTHORITY = "authority"


class NoticeState(StrEnum):
    """How far a notice has come. ``held``: no letter goes out, in a drill or where nobody has an address."""

    HELD = "held"
    QUEUED = "queued"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
