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
PAUSE_SECONDS_MIN = 0.05
SIGNED_SECONDS = 0.7  # with the pace of placing, a deed is signed within a second
REFUSED_SECONDS = 60.0


class Clerk(threading.Thread):
    """Places entries every 200 ms, and signs the tree where it has grown: at once in calm, else each second.

    The pace is kept whatever the work takes, so that a deed does not wait for it twice.
    """

    def __init__(self, context: Callable[[], Any]) -> None:
        super().__init__(name="audit-clerk", daemon=True)
        self._context = context
        self._stopped = threading.Event()
        self._sign_at = self._look_at = 0.0

    def run(self) -> None:
        """Work until stopped; a lost database is waited for."""
        pause = INTERVAL_SECONDS
        while not self._stopped.wait(pause):
            began = time.monotonic()
            try:
                with self._context():
                    self._sign(sequencer.sequence_all())
            except Exception:
                log.exception("the record's clerk failed; trying again")
                self._stopped.wait(1)
            pause = max(PAUSE_SECONDS_MIN, INTERVAL_SECONDS - (time.monotonic() - began))

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stopped.set()
        self.join(10)

    def _sign(self, placed: int) -> None:
        """Sign what has grown; a record that must not be signed goes on growing, and says so every minute."""
        now = time.monotonic()
        # What others have placed, who may have died before they signed it, is looked for less often.
        if now < self._sign_at or (placed == 0 and now < self._look_at):
            return
        self._look_at = now + SIGNED_SECONDS
        try:
            with transaction():
                signed = checkpoints.publish()
        except (LogForked, LogKeyUnusable):
            log.exception("the record is not signed any more: its receipts end where it was signed last")
            self._sign_at = now + REFUSED_SECONDS
            return
        if signed is not None:
            self._sign_at = now + SIGNED_SECONDS
