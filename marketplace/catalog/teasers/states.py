"""How far an announced dataset has come."""

from enum import StrEnum


class TeaserState(StrEnum):
    """Announced, being made into a listing, listed, or given up; the last two are final."""

    ANNOUNCED = "announced"
    COMING = "coming"
    LISTED = "listed"
    WITHDRAWN = "withdrawn"


LIVE = (TeaserState.ANNOUNCED, TeaserState.COMING)
