"""Breaking off deliveries whose right ends on their way: told by the database, by the clock, and by looking again."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from flask import Flask

from marketplace.kit import clock
from marketplace.kit.notices import Ear
from marketplace.metering import running
from marketplace.metering.running import Right

log = logging.getLogger(__name__)
TICK_SECONDS = 0.25
LOOK_SECONDS = 5.0
SPREAD = 0.2
AGAIN_SECONDS = 1.0
JOIN_SECONDS = 10.0
StopSending = Callable[[Callable[[str], bool]], None]


class Deliveries(Protocol):
    """The deliveries of this process that have not ended."""

    def running(self) -> set[str]:
        """Return their ids."""
        ...

    def break_off(self, delivery_ids: set[str]) -> None:
        """Let no more of these be read by whoever iterates them."""
        ...


class Heeding(Protocol):
    """Whoever relies on hearing of the ends of rights."""

    def listen(self, *, hears: bool) -> None:
        """Take note that ends are told from now on, or that they may be missed."""
        ...

    def heed(self, told: set[str]) -> None:
        """Do what must be done at once when the rights that hang on these have changed."""
        ...


class Cutter:
    """Looks after the rights of this process's deliveries, in a thread, and breaks off what has lost its own.

    A delivery is looked at soon after it began, since its right may have ended while it did; whenever a commit tells
    of something it hangs on; when its grant runs out; and every few seconds in any case. All are looked at after a
    lost database, since what was told meanwhile was not heard.
    """

    def __init__(
        self, app: Flask, deliveries: Deliveries, stop_sending: StopSending, heeding: Heeding | None = None
    ) -> None:
        self._app, self._deliveries, self._stop_sending, self._heeding = app, deliveries, stop_sending, heeding
        self._known: dict[str, Right] = {}
        self._refused: set[str] = set()
        self._look_again_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin in the background of this process; nothing happens where that is done already."""
        with self._lock:
            # A thread does not survive a fork, and its twin in the child is not alive.
            if self._stopped.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="delivery-cutter", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the look at hand."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except Exception:
                log.exception("the ends of rights are not heard; listening again")
                self._stopped.wait(AGAIN_SECONDS)

    def _listen(self) -> None:
        with Ear(self._app.config["SQLALCHEMY_DATABASE_URI"], running.CHANNEL) as ear:
            self._known = {}
            self._tell(hears=True)
            try:
                while not self._stopped.is_set():
                    told = ear.hear(self._patience())
                    if told and self._heeding is not None:
                        self._heeding.heed(told)
                    self.turn(told)
            finally:
                self._tell(hears=False)

    def _tell(self, *, hears: bool) -> None:
        if self._heeding is not None:
            self._heeding.listen(hears=hears)

    def turn(self, told: set[str]) -> None:
        """Look at the deliveries that need it now, and break off those without a right.

        Again each time while one lasts: it may be on its way from the application to the server.
        """
        lasting = self._deliveries.running()
        self._known = {name: right for name, right in self._known.items() if name in lasting}
        self._look_again_at = {name: at for name, at in self._look_again_at.items() if name in lasting}
        self._refused &= lasting
        due = self._due(lasting - self._refused, told)
        if due:
            self._look(due)
        if self._refused:
            self._stop_sending(self._refused.__contains__)
            self._deliveries.break_off(self._refused)

    def _due(self, lasting: set[str], told: set[str]) -> set[str]:
        now, tick = clock.now(), time.monotonic()
        return {
            name
            for name in lasting
            if (right := self._known.get(name)) is None
            or self._look_again_at.get(name, 0.0) <= tick
            or told & right.hangs_on
            or (right.expires_at is not None and right.expires_at <= now)
        }

    def _look(self, due: set[str]) -> None:
        with self._app.app_context():
            found = {right.delivery_id: right for right in running.rights(due)}
        self._known |= found
        self._look_again_at |= _spread(due, time.monotonic() + LOOK_SECONDS)
        refused = {name for name in due if name not in found or not found[name].stands}
        self._refused |= refused
        for name in refused:
            log.info("delivery %s is broken off: its right has ended", name)

    def _patience(self) -> float:
        """Return how long to listen: until the next tick, or the end of a grant before it."""
        ends = [right.expires_at for right in self._known.values() if right.expires_at is not None]
        if not ends:
            return TICK_SECONDS
        return min(TICK_SECONDS, max(0.0, (min(ends) - clock.now()).total_seconds()))


def _spread(due: set[str], latest: float) -> dict[str, float]:
    """Return when to look at each again, the last at ``latest``: thousands at one instant would hold up all else."""
    apart = SPREAD * LOOK_SECONDS / len(due)
    return {name: latest - place * apart for place, name in enumerate(due)}
