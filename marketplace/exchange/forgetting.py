"""Forgetting: what one machine removes from a bucket because it is refused leaves the caches of all others as well."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from marketplace.exchange import disposing

log = logging.getLogger(__name__)
INTERVAL_SECONDS = 600.0


class Forgetter(threading.Thread):
    """Looks through this machine's copies of objects, at the start and every ten minutes."""

    def __init__(self, context: Callable[[], Any]) -> None:
        super().__init__(name="copies-forgotten", daemon=True)
        self._context = context
        self._stopped = threading.Event()

    def run(self) -> None:
        """Work until stopped; what fails is tried again."""
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = INTERVAL_SECONDS
            try:
                with self._context():
                    disposing.forget_near()
            except Exception:
                log.exception("copies of refused objects could not be looked for; trying again")

    def stop(self) -> None:
        """End after the look at hand."""
        self._stopped.set()
        self.join(30)
