"""The one source of time, so that tests can stop it and a simulation can move it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

JST = ZoneInfo("Asia/Tokyo")
_stopped: ContextVar[datetime | None] = ContextVar("stopped_clock", default=None)
_moved: datetime | None = None


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return _stopped.get() or _moved or datetime.now(UTC)


def today() -> date:
    """Return the calendar day in Japan, on which invoices and periods are dated."""
    return now().astimezone(JST).date()


def parse(text: str) -> datetime:
    """Read an RFC 3339 instant; raises ValueError when it has no offset, or lies beyond the calendar in UTC."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant needs a UTC offset, such as 2026-11-22T09:00:00+09:00")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the instant lies outside the years 1 to 9999 in UTC") from error


def text(at: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with microseconds, always of the same length."""
    # Not strftime, whose years before 1000 have fewer than four digits.
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@contextmanager
def stopped(at: datetime) -> Iterator[None]:
    """Hold the clock at one instant, for tests."""
    token = _stopped.set(at)
    try:
        yield
    finally:
        _stopped.reset(token)


class Hands:
    """The hands of a clock that stands still until somebody moves it."""

    def move_to(self, at: datetime) -> None:
        """Set the time of the whole process, all its threads and jobs; raises ValueError for an earlier one."""
        global _moved  # noqa: PLW0603 - there is one time in a process
        if _moved is None or at < _moved:
            raise ValueError("this clock is not ours any more, or would run backwards")
        _moved = at.astimezone(UTC)


@contextmanager
def moved(at: datetime) -> Iterator[Hands]:
    """Take the process's clock in hand, for simulations; ``stopped`` within it still stops one thread's.

    Raises RuntimeError where somebody else has it in hand.
    """
    global _moved  # noqa: PLW0603 - as in Hands
    if _moved is not None:
        raise RuntimeError("the clock is in somebody's hand already")
    _moved = at.astimezone(UTC)
    try:
        yield Hands()
    finally:
        _moved = None
