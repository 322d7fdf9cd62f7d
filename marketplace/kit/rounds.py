"""Rounds: work that is done again and again beside the requests of a serving process."""

import logging
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)
STOP_SECONDS = 30


class Rounds(threading.Thread):
    """Does one thing at the start and then at intervals, until stopped; what fails is logged, and tried after a rest.

    ``context`` opens what the work needs around it, as an application's context; ``interval`` and ``rest`` are seconds.
    """

    def __init__(
        self, name: str, work: Callable[[], object], context: Callable[[], Any], *, interval: float, rest: float
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._work, self._context = work, context
        self._interval, self._rest = interval, rest
        self._stopped = threading.Event()

    def run(self) -> None:
        """Work until stopped; a lost database is waited for."""
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = self._interval
            try:
                with self._context():
                    self._work()
            except Exception:
                log.exception("%s failed; trying again", self.name)
                pause = self._rest

    def stop(self) -> None:
        """End after the round at hand."""
        self._stopped.set()
        self.join(STOP_SECONDS)
