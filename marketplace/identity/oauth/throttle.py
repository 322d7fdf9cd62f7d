"""Wrong secrets of clients end in 429, per client id *and* network address.

A stranger who knows a client id must not be able to shut its owner out.
"""

from authlib.oauth2 import OAuth2Error

from marketplace.identity import throttle

FAILURES_MAX = 100


class TooManyFailures(OAuth2Error):  # type: ignore[misc]  # Authlib carries no types
    """Too many wrong secrets within the window (RFC 6585 section 4)."""

    error = "temporarily_unavailable"
    description = "Too many failed authentications of this client; wait for the seconds in Retry-After."
    status_code = 429

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self._retry_after_seconds = retry_after_seconds

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the usual headers and Retry-After."""
        return [*super().get_headers(), ("Retry-After", str(self._retry_after_seconds))]


def key_of(client_id: str, peer: str) -> str:
    """Return the name under which failures of a client from one address are counted."""
    return throttle.key_of(client_id, throttle.network_of(peer))


def refuse_exhausted(key: str) -> None:
    """Raise TooManyFailures if the window's failures are used up, whatever the secret at hand is."""
    seconds = throttle.seconds_left(key, FAILURES_MAX)
    if seconds is not None:
        raise TooManyFailures(seconds)


def count_failure(key: str) -> None:
    """Count one failure of a client."""
    throttle.count_failure(key)
