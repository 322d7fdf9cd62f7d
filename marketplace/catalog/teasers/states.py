"""How far an announced dataset has come."""

from enum import StrEnum


class TeaserState(StrEnum):
    """Announced, being made into a listing, listed, or given up; the last two are final."""

    ANNOUNCED = "announced"
    COMING = "coming"
    LISTED = "listed"
    WITHDRAWN = "withdrawn"


LIVE = (TeaserState.ANNOUNCED, TeaserState.COMING)
TEASER_STATE_LABELS = {
    TeaserState.ANNOUNCED: ("予告中", "Announced"),
    TeaserState.COMING: ("掲載準備中", "Being made a listing"),
    TeaserState.LISTED: ("掲載済み", "Listed"),
    TeaserState.WITHDRAWN: ("取りやめ", "Given up"),
}
