"""What is told, and where endpoints and messages stand."""

from enum import StrEnum


class EventType(StrEnum):
    """What happened, as the ``type`` of a message says it."""

    LISTING_PUBLISHED = "listing.published"
    LISTING_CHANGED = "listing.changed"
    LISTING_WITHDRAWN = "listing.withdrawn"
    RELEASE_PUBLISHED = "release.published"
    SEARCH_MATCHED = "search.matched"
    REQUEST_STATED = "request.stated"
    ENDPOINT_TESTED = "webhook.tested"


OF_ONE = frozenset({EventType.SEARCH_MATCHED, EventType.REQUEST_STATED, EventType.ENDPOINT_TESTED})
"""What concerns one organization and is told to its endpoints alone."""


class EndpointState(StrEnum):
    """Whether messages go out; one that failed too often is disabled until its organization enables it."""

    ACTIVE = "active"
    DISABLED = "disabled"


class MessageState(StrEnum):
    """Where a message stands; a failed one goes out again when it is sent anew by hand."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
