"""The leases of this process, and the thread that puts on the record what was delivered under them."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from flask import Flask

from marketplace.access.rules import Entitlement
from marketplace.api.leased import Held, Running, by_lease
from marketplace.exchange import facilities, leasing
from marketplace.metering.batches import Entry

log = logging.getLogger(__name__)
TICK_SECONDS = 0.1
GATHER_SECONDS = 0.01
ENTERED_AFTER_SECONDS = 0.25
BATCH = 250
LOOK_SECONDS = 5.0
IDLE_SECONDS = 10.0
AGAIN_SECONDS = 1.0
REMEMBERED_SECONDS = 60.0
JOIN_SECONDS = 20.0


class Leave(Protocol):
    """A pass that was given."""

    @property
    def over(self) -> bool:
        """Whether it begins nothing any more."""
        ...

    @property
    def terms(self) -> Any:
        """What it hangs on, among others."""
        ...

    def end(self) -> None:
        """Begin nothing any more."""
        ...


class Reports(Protocol):
    """Who looks after deliveries that are open on the record."""

    def follow(self, delivery_id: str, body: Any) -> None:
        """Look after a delivery from now on."""
        ...

    def settle(self, delivery_id: str, sent: int, acked: int, outcome: str) -> None:
        """Close it."""
        ...


class Elsewhere:
    """What is followed of a body that the server moves: nothing, for the server tells its progress."""

    acked = 0

    def stop(self) -> None:
        """Do nothing: the server is told by itself."""


class Keeper:
    """Gives leases out to passes, ends passes of which a right may have changed, and tells the record in batches.

    What has ended is entered together with whatever else has by then, in one transaction for each lease. What still
    runs after a moment is entered as an open delivery: from then on it is looked after, noted, broken off, closed and
    swept like any other.
    """

    def __init__(self, app: Flask, reports: Reports) -> None:
        self._app, self._reports = app, reports
        self._held: dict[tuple[str, str], Held] = {}
        self._passes: set[Leave] = set()
        self._told: dict[str, float] = {}
        self._running: dict[str, Running] = {}
        self._over: deque[Running] = deque()
        self._lock, self._taking = threading.Lock(), threading.Lock()
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._hears = self._hasty = False
        self._look_at = 0.0
        self._thread: threading.Thread | None = None

    def held(self, entitled: Entitlement) -> Held | None:
        """Return the lease of a content, taken now where there is none; None where there can be none."""
        key = (entitled.grant_id, entitled.sha256)
        with self._taking:
            held = self._held.get(key)
            if held is not None:
                return None if held.ended else held
            if self._stopped.is_set() or not self._hears:
                return None
            return self._take(key, entitled)

    def _take(self, key: tuple[str, str], entitled: Entitlement) -> Held | None:
        file = facilities.current().store.open(entitled.sha256)
        lease = leasing.take(entitled)
        if lease is None:
            file.close()
            return None
        held = self._held[key] = Held(lease, file, self._begun, self._ended)
        return held

    def admit(self, leave: Leave, since: float) -> bool:
        """Whether a pass may be given whose right was looked at after that instant: nothing was told of it since."""
        with self._lock:
            fresh = all(self._told.get(name, 0.0) < since for name in leave.terms.hangs_on)
            if not self._hears or not fresh or self._stopped.is_set():
                return False
            self._passes.add(leave)
        self.start()
        return True

    def listen(self, *, hears: bool) -> None:
        """Take note whether ends of rights are heard; while they are not, there are no passes."""
        with self._lock:
            self._hears = hears
            ended = set() if hears else self._passes
            self._passes = self._passes - ended
        self._end(ended)

    def heed(self, told: set[str]) -> None:
        """End every pass that hangs on something that was told of."""
        now = time.monotonic()
        with self._lock:
            self._told = {name: at for name, at in self._told.items() if now - at < REMEMBERED_SECONDS}
            self._told |= dict.fromkeys(told, now)
            ended = {leave for leave in self._passes if told & leave.terms.hangs_on}
            self._passes -= ended
        self._end(ended)

    def _end(self, ended: set[Leave]) -> None:
        for leave in ended:
            leave.end()
        if ended:
            self._hasty = True  # what runs under them is looked at as soon as it is on the record
            self._woken.set()

    def start(self) -> None:
        """Keep in the background of this process; nothing happens where that is done already."""
        with self._lock:
            # A thread does not survive a fork, and its twin in the child is not alive.
            if self._stopped.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="delivery-keeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Put on the record what is left, give all leases back, and end."""
        self._stopped.set()
        self._woken.set()
        with self._lock:
            ended, self._passes = self._passes, set()
        self._end(ended)
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)

    def _begun(self, running: Running) -> None:
        self._running[running.id] = running

    def _ended(self, running: Running) -> None:
        self._running.pop(running.id, None)
        self._over.append(running)
        if not self._woken.is_set():
            self._woken.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.wait(TICK_SECONDS)
            self._stopped.wait(GATHER_SECONDS)
            self._woken.clear()
            if not self.turn():
                self._stopped.wait(AGAIN_SECONDS)
        for held in tuple(self._held.values()):
            held.end()
        while self.turn() and self._over:
            continue

    def turn(self) -> bool:
        """Put on the record what is due, and look after the leases now and then; False where something must wait."""
        try:
            return self._turn()
        except Exception:
            log.exception("what is delivered under leases is not looked after for a moment")
            return False

    def _turn(self) -> bool:
        over = [self._over.popleft() for _ in range(min(len(self._over), BATCH))]
        if self._over:
            self._woken.set()
        closed = [self._close(held, bodies) for held, bodies in by_lease(over)]
        entered = [self._enter(held, bodies) for held, bodies in by_lease(self._lasting())]
        if time.monotonic() >= self._look_at or self._stopped.is_set():
            self._look_at = time.monotonic() + LOOK_SECONDS
            entered.append(self._guarded(self._look_after))
        return all(closed + entered)

    def _lasting(self) -> list[Running]:
        hasty, self._hasty = self._hasty or self._stopped.is_set(), False
        before = time.monotonic() - (0.0 if hasty else ENTERED_AFTER_SECONDS)
        return [one for one in tuple(self._running.values()) if not one.entered and one.began <= before]

    def _close(self, held: Held, bodies: list[Running]) -> bool:
        """Put on the record what has ended; what cannot be now is tried again, and nobody waits for it meanwhile."""
        fresh = [body for body in bodies if not body.entered]
        kept = self._keep(held, [body.entry(ended=True) for body in fresh])
        if not kept:
            self._over.extendleft(reversed(fresh))
        for body in bodies:
            if body.entered:
                self._reports.settle(body.id, *body.figures)
            body.release()
        return kept

    def _enter(self, held: Held, bodies: list[Running]) -> bool:
        """Put on the record as open what lasts."""
        kept = self._keep(held, [body.entry(ended=False) for body in bodies])
        for body in bodies if kept else ():
            body.entered = True
            self._reports.follow(body.id, Elsewhere())
        return kept

    def _keep(self, held: Held, entries: list[Entry]) -> bool:
        if not entries:
            return True

        def keep() -> None:
            asked_at = time.monotonic()
            held.told(len(entries), leasing.keep(held.lease.id, entries), asked_at)

        return self._guarded(keep)

    def _look_after(self) -> None:
        """Renew the leases in use, and give back those that have ended or that nobody uses."""
        with self._lock:
            self._passes = {leave for leave in self._passes if not leave.over}
            used = {leave.terms.held for leave in self._passes}
        for held in tuple(self._held.values()):
            if held not in used and time.monotonic() - held.used_at > IDLE_SECONDS:
                held.end()
        asked_at, lasting = time.monotonic(), {held.lease.id: held for held in self._held.values() if not held.ended}
        renewed = leasing.renew(lasting) if lasting else set()
        for lease_id, held in lasting.items():
            if lease_id in renewed:
                held.renewed(asked_at)
            else:
                held.end()
        for key, held in tuple(self._held.items()):
            if held.ended and held.is_quiet():
                self._give_back(key, held)

    def _give_back(self, key: tuple[str, str], held: Held) -> None:
        leasing.give_back(held.lease.id)
        with self._taking:
            del self._held[key]
        held.close()

    def _guarded(self, deed: Callable[[], None]) -> bool:
        try:
            with self._app.app_context():
                deed()
        except Exception:
            log.exception("what was delivered under leases could not be told yet")
            return False
        return True
