"""The clerk: gives entries their places and signs the tree, in the background of a serving process."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from marketplace.audit import checkpoints, sequencer
from marketplace.audit.errors import LogForked, LogKeyUnusable
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
INTERVAL_SECONDS = 0.2
SIGNED_SECONDS = 1.0
REFUSED_SECONDS = 60.0


class Clerk(threading.Thread):
    """Places entries every 200 ms, and signs the tree a second after it was signed last if it has grown."""

    def __init__(self, context: Callable[[], Any]) -> None:
        super().__init__(name="audit-clerk", daemon=True)
        self._context = context
        self._stopped = threading.Event()
        self._sign_at = 0.0

    def run(self) -> None:
        """Work until stopped; a lost database is waited for."""
        while not self._stopped.wait(INTERVAL_SECONDS):
            try:
                with self._context():
                    sequencer.sequence_all()
                    self._sign()
            except Exception:
                log.exception("the record's clerk failed; trying again")
                self._stopped.wait(1)

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stopped.set()
        self.join(10)

    def _sign(self) -> None:
        """Sign what has grown; a record that must not be signed goes on growing, and says so every minute."""
        if time.monotonic() < self._sign_at:
            return
        self._sign_at = time.monotonic() + SIGNED_SECONDS
        try:
            with transaction():
                checkpoints.publish()
        except (LogForked, LogKeyUnusable):
            log.exception("the record is not signed any more: its receipts end where it was signed last")
            self._sign_at = time.monotonic() + REFUSED_SECONDS
