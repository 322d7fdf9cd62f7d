"""Pacing: how often a grant may ask in a minute, whatever path it takes, and the fields that tell of it."""

import sys

from marketplace.delivery import headers
from marketplace.kit import settings
from marketplace.kit.errors import Refusal
from marketplace.metering import windows
from marketplace.metering.errors import RateLimited
from marketplace.metering.windows import WINDOW_SECONDS, Rate


def take(grant_id: str, requests_per_minute: int | None = None) -> Rate | None:
    """Count a request in the minute of its grant; None where neither the setting nor ``requests_per_minute`` limits it.

    Of both the smaller counts. Raises RateLimited.
    """
    limit = min(requests_per_minute or sys.maxsize, settings.current().grant_requests_per_minute or sys.maxsize)
    return None if limit == sys.maxsize else windows.take(grant_id, limit)


def fields_of(rate: Rate | None) -> dict[str, str]:
    """Return the header fields that tell what is left of a minute; none where nothing limits it."""
    return {} if rate is None else headers.rate_limit(rate.limit, rate.left, rate.seconds, WINDOW_SECONDS)


def fields_of_refusal(refusal: Refusal) -> dict[str, str]:
    """Return the fields of a minute that is used up (RFC 9110 section 10.2.3 for the first); none of other refusals."""
    if not isinstance(refusal, RateLimited):
        return {}
    seconds = refusal.members["retry_after_seconds"]
    return {"Retry-After": str(seconds)} | fields_of(Rate(refusal.members["limit"], 0, seconds))
