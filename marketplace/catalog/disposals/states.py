"""Why somebody has to look whether a content is still wanted."""

from enum import StrEnum


class Reason(StrEnum):
    """``arrived`` is a content on its way to a file that may never come to be named; it has no owner yet."""

    ARRIVED = "arrived"
    REMOVED = "removed"
    REFUSED = "refused"
    DERIVED = "derived"
