"""Whether a link leads somewhere."""

from enum import StrEnum


class LinkState(StrEnum):
    """``failing`` has led nowhere once, ``dead`` at least twice, a day apart; ``guarded`` asks who one is."""

    UNCHECKED = "unchecked"
    ALIVE = "alive"
    GUARDED = "guarded"
    FAILING = "failing"
    DEAD = "dead"
