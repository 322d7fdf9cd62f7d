"""When a link is looked at, and what an answer says of it: pure functions."""

from datetime import datetime, timedelta
from typing import NamedTuple

from marketplace.catalog.links.states import LinkState

AGAIN = timedelta(days=7)
SOON = timedelta(days=1)
DEAD_AFTER = 2
PER_HOST_MAX = 20
AT_ONCE_MAX = 200
_GUARDED = frozenset({401, 402, 403, 407, 429, 451})
_NO_SUCH_METHOD = frozenset({400, 403, 404, 405, 406, 501})
_OK, _BAD = 200, 400


class Verdict(NamedTuple):
    """What is known of a link after it was asked for."""

    state: LinkState
    failures: int
    next_at: datetime


def asks_again(status: int) -> bool:
    """Tell whether an answer to HEAD says nothing yet: some servers know GET alone."""
    return status in _NO_SUCH_METHOD


def judged(status: int | None, failures: int, now: datetime) -> Verdict:
    """Return what an answer makes of a link; None is no answer. Twice, a day apart, is needed to call one dead."""
    if status is not None and status in _GUARDED:
        return Verdict(LinkState.GUARDED, 0, now + AGAIN)
    if status is not None and _OK <= status < _BAD:
        return Verdict(LinkState.ALIVE, 0, now + AGAIN)
    failed = min(failures + 1, DEAD_AFTER)
    is_dead = failed >= DEAD_AFTER
    return Verdict(LinkState.DEAD if is_dead else LinkState.FAILING, failed, now + (AGAIN if is_dead else SOON))
