"""Storms: the next so many API calls fail as Stripe's can, in the order in which the failures were asked for."""

import threading
from collections import deque
from enum import Enum
from http import HTTPStatus

from marketplace.sandbox.wire import WireError

TIMES_MAX = 10_000


class Trouble(Enum):
    """What befalls one call."""

    SERVER_ERROR = "server_error"
    SERVER_ERROR_AFTER = "server_error_after"
    UNAVAILABLE = "unavailable"
    RATE_LIMIT = "rate_limit"
    LOST_ANSWER = "lost_answer"


class Storm:
    """The troubles still to come; shared by the threads of one process."""

    def __init__(self) -> None:
        self._coming: deque[Trouble] = deque()
        self._lock = threading.Lock()

    def ask(self, trouble: Trouble, times: int) -> None:
        """Let ``times`` further calls meet this trouble; raises ValueError for less than one or very many."""
        if not 0 < times <= TIMES_MAX:
            raise ValueError(f"times must be 1 to {TIMES_MAX}")
        with self._lock:
            self._coming.extend([trouble] * times)

    def next(self) -> Trouble | None:
        """Return what befalls this call, None for nothing."""
        with self._lock:
            return self._coming.popleft() if self._coming else None

    def still(self) -> None:
        """Let nothing further fail."""
        with self._lock:
            self._coming.clear()


def refuse_at_the_door(trouble: Trouble | None) -> None:
    """Raise WireError for the troubles that come before anything is done or remembered."""
    if trouble is Trouble.RATE_LIMIT:
        message = "Request rate limit exceeded. You can learn more at https://docs.stripe.com/rate-limits."
        raise WireError(message, status=HTTPStatus.TOO_MANY_REQUESTS, code="rate_limit")
    if trouble is Trouble.UNAVAILABLE:
        message = "Stripe is temporarily unavailable (played by the sandbox)."
        raise WireError(message, status=HTTPStatus.SERVICE_UNAVAILABLE, kind="api_error")


def server_error() -> WireError:
    """Return the refusal of a call that failed within Stripe."""
    message = "An error occurred internally with Stripe (played by the sandbox)."
    return WireError(message, status=HTTPStatus.INTERNAL_SERVER_ERROR, kind="api_error")
