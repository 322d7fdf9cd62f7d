"""Killing a story between any two of its steps: in a process of its own, by a signal that nothing can catch."""

import os
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import FrameType
from typing import Any, NoReturn

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from marketplace.billing.gateways.connection import Connection as Gateway
from marketplace.kit import clock
from marketplace.kit.db import db

APART = timedelta(hours=3)
_OURS = "marketplace."
_PASSING = ("marketplace.kit.", "marketplace.billing.gateways.")
"""Where steps are made, but not decided upon: a step is called after the story above."""
_TEST = "the test:"
"""Where no story is above, a step is called after the line of the test that took it."""

Deed = Callable[[], object]


class Steps:
    """What lasts of a running story: each commit of ours that wrote something, and each answer of the gateway, by name.

    ``on_step`` is called before and after each commit, and after each answer. What the gateway does meanwhile
    within this process is its own.
    """

    def __init__(self, on_step: Callable[[str], object]) -> None:
        self._on_step = on_step
        self._away = 0

    @contextmanager
    def counted(self) -> Iterator["Steps"]:
        """Count the steps of this block; in a process that ends with it."""
        asking = Gateway._ask

        def ask(gateway: Gateway, call: Callable[[], Any]) -> Any:
            with self.elsewhere():
                answer = asking(gateway, call)
            self._on_step(f"asked: {_story()}")
            return answer

        event.listen(Engine, "commit", self._commit)
        Gateway._ask = ask  # type: ignore[assignment, method-assign] # in a process that ends with this
        yield self

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Count nothing here: another party is at work."""
        self._away += 1
        try:
            yield
        finally:
            self._away -= 1

    def _commit(self, connection: Connection) -> None:
        # PostgreSQL numbers a transaction when it first writes, or locks, something.
        asked = "SELECT pg_current_xact_id_if_assigned()::text"
        if self._away or connection.exec_driver_sql(asked).scalar() is None:
            return
        self._on_step(f"committing: {_story()}")
        committed = connection.connection.dbapi_connection
        assert committed is not None
        committed.commit()
        self._on_step(f"committed: {_story()}")


_running: list[Steps] = []


@contextmanager
def elsewhere() -> Iterator[None]:
    """What buyers and banks do; whoever is killed, it is not they."""
    with _running[-1].elsewhere() if _running else _nobody():
        yield


def run_apart(deed: Deed, dies: tuple[str, int] | None = None, *, kill: bool = True) -> tuple[bool, list[str]]:
    """Run a deed in a process of its own, killed after a step came so often; whether it was, and the steps it took.

    Unless it is to ``kill``, the process loses its connection to the database there.
    """
    db.session.remove()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # The child uses none of this process's threads or connections.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _live(deed, dies, _die if kill else _lose_database, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        steps = told.read().splitlines()
    _pid, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, "\n".join(steps)
    return killed, steps


def killed_everywhere(
    prepare: Callable[[], Any], deed: Callable[[Any], object], check: Callable[[Any], object]
) -> set[str]:
    """Kill a deed after each of its steps, each time on a thing of its own; do it again, and check. The steps' names.

    Of steps of one name, as one for each event, it is killed after the first and after the last; of those of a line
    of the test, whose loops stand for many deeds, after each. Each time is three hours later, so that the gateway
    need not tell again of all that was before.
    """
    begun = clock.now()

    def once(turn: int, dies: tuple[str, int] | None) -> list[str]:
        with clock.stopped(begun + turn * APART):
            thing = prepare()
            killed, steps = run_apart(lambda: deed(thing), dies)
            # Events come in no order, so that a last step may not come.
            assert killed is (dies is not None) or (dies and dies[1] > 1), steps
            if killed:
                deed(thing)
            check(thing)
            db.session.remove()
        return steps

    often = Counter(once(0, None))
    steps = {name: times for name, times in often.items() if not name.startswith("committing")}
    deaths = {(name, at) for name, times in steps.items() for at in _turns(name, times)}
    for turn, dies in enumerate(sorted(deaths), 1):
        once(turn, dies)
    return set(steps)


def _turns(name: str, times: int) -> Iterable[int]:
    return range(1, times + 1) if _TEST in name else {1, times}


def database_lost_everywhere(
    prepare: Callable[[], Any], deed: Callable[[Any], object], check: Callable[[Any], object]
) -> set[str]:
    """Lose the database at each of a deed's commits, before it is done and after; do it again, and check. Their names.

    The process lives on, and does it again itself, an hour later: what failed is not due before.
    """
    begun = clock.now()

    def once(turn: int, lost: tuple[str, int] | None) -> list[str]:
        with clock.stopped(begun + turn * APART):
            thing = prepare()
            steps = run_apart(lambda: _through(lambda: deed(thing)), lost, kill=False)[1]
            check(thing)
            db.session.remove()
        return steps

    names = sorted({name for name in once(0, None) if name.startswith("commit")})
    for turn, name in enumerate(names, 1):
        once(turn, (name, 1))
    return set(names)


def _through(deed: Deed) -> None:
    with suppress(OperationalError, AssertionError):  # a client sees a 503
        deed()
    db.session.rollback()
    with clock.stopped(clock.now() + timedelta(hours=1)):
        deed()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _lose_database() -> None:
    """Lose the connection, as when the server goes away: what was not committed yet is not; what was, we do not hear."""
    raise OperationalError("COMMIT", None, ConnectionError("server closed the connection unexpectedly"))


def _live(deed: Deed, dies: tuple[str, int] | None, end: Callable[[], object], writing: int) -> NoReturn:
    often: Counter[str] = Counter()

    def passed(name: str) -> None:
        os.write(writing, f"{name}\n".encode())
        often[name] += 1
        if (name, often[name]) == dies:
            end()

    try:
        db.engine.dispose(close=False)
        _running.append(Steps(passed))
        with _running[-1].counted():
            deed()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must hear of it
        os.write(writing, traceback.format_exc()[-4000:].encode())
        os._exit(1)


def _story() -> str:
    """Return which of our functions is at work, seen from the database upwards; where none is, which line of the test."""
    tested = ""
    for frame in _frames():
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_OURS) and not module.startswith(_PASSING):
            return f"{module.removeprefix(_OURS)}.{frame.f_code.co_name}"
        if module.startswith("tests.") and module != __name__:
            tested = tested or f"{_TEST}{frame.f_code.co_name}:{frame.f_lineno}"
    return tested


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


@contextmanager
def _nobody() -> Iterator[None]:
    yield
