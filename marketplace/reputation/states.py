"""How much is told of a share."""

from enum import StrEnum


class Telling(StrEnum):
    """A share of ``few`` buyers, or of the others where these are few, is not told."""

    SHOWN = "shown"
    FEW = "few"
