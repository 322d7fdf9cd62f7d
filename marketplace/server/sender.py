"""The thread that moves the bytes of all downloads, so that a slow reader holds a socket and nothing else."""

import heapq
import itertools
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from marketplace.server.body import Outcome
from marketplace.server.transfer import OnEnd, Push, Transfer

QUANTUM_BYTES = 4 * 2**20
FIRST_PUSH_BYTES = 2**20
REPORT_THREADS = 4
SCAN_SECONDS = 1.0
RECHECK_SECONDS_MIN = 0.005
RECHECK_SECONDS_MAX = 0.25
# include/uapi/linux/eventpoll.h, by number so that `progress` and `stop` can be imported on every system
READABLE, WRITABLE, FAILED, HUNG_UP, EDGES = 0x1, 0x4, 0x8, 0x10, 1 << 31
log = logging.getLogger(__name__)
_running: set["Sender"] = set()


def progress() -> list[tuple[str, int]]:
    """Return (key, acknowledged bytes) of every open download with a key in this process.

    The figures are at most about a second old and never fall.
    """
    return [pair for sender in tuple(_running) for pair in sender.progress()]


def stop(chosen: Callable[[str], bool]) -> None:
    """Break off every open download in this process whose key is ``chosen``; each is reported as broken."""
    for sender in tuple(_running):
        sender.stop(lambda transfer: transfer.key is not None and chosen(transfer.key))


class Sender:
    """An epoll loop over transfers: each ready one gets a quantum in turn, then the next.

    A transfer ends once: complete when the peer acknowledged everything, broken when it is gone, stalled when
    nothing was acknowledged for ``stall_seconds``. Reports run on a few threads of their own, never on the loop.
    """

    def __init__(self, stall_seconds: float = 60.0) -> None:
        self._stall_seconds = stall_seconds
        self._scan_seconds = min(SCAN_SECONDS, stall_seconds / 2)
        self._epoll = select.epoll()
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._alarm, READABLE)
        self._intake = threading.Lock()
        self._arrivals: deque[Transfer] = deque()
        self._orders: deque[Callable[[Transfer], bool]] = deque()
        self._closing = False
        self._transfers: dict[int, Transfer] = {}
        self._ready: deque[Transfer] = deque()
        self._rechecks: list[tuple[float, int, float, Transfer]] = []
        self._numbers = itertools.count()
        self._next_scan = 0.0
        self._reports = ThreadPoolExecutor(REPORT_THREADS, thread_name_prefix="download-report")
        self._thread = threading.Thread(target=self._run, name="download-sender", daemon=True)

    def start(self) -> None:
        """Start the loop."""
        _running.add(self)
        self._thread.start()

    def close(self) -> None:
        """Break off what is open, wait until all of it is reported, and end the loop."""
        with self._intake:
            self._closing = True
        os.eventfd_write(self._alarm, 1)
        self._thread.join()
        _running.discard(self)
        self._reports.shutdown(wait=True)
        self._epoll.close()
        os.close(self._alarm)

    def submit(self, transfer: Transfer, on_end: OnEnd) -> None:
        """Send a body, then report it, then call ``on_end(outcome)``.

        The caller pushes the first bytes, so that what fits at once needs no second thread; when the body ends
        within this call, it is reported on the calling thread.
        """
        pushed = transfer.push_first(FIRST_PUSH_BYTES)
        over = pushed is Push.BROKEN or (pushed is Push.SENT and transfer.arrived())
        self.take_over(transfer, on_end, over=over)

    def take_over(self, transfer: Transfer, on_end: OnEnd, *, over: bool) -> None:
        """Go on with a transfer that somebody has begun to push; one that is ``over`` is reported on this thread."""
        transfer.on_end = on_end
        if over or not self._admit(transfer):
            transfer.conclude(Outcome.BROKEN)

    def report(self, transfer: Transfer, on_end: OnEnd) -> None:
        """Report a transfer that has arrived, on a thread of the sender's."""
        transfer.on_end = on_end
        self._reports.submit(transfer.conclude, Outcome.COMPLETE)

    def stop(self, chosen: Callable[[Transfer], bool]) -> None:
        """Break off the transfers that are ``chosen`` when the loop comes to it; the rest goes on."""
        with self._intake:
            if self._closing:
                return
            self._orders.append(chosen)
        os.eventfd_write(self._alarm, 1)

    def progress(self) -> list[tuple[str, int]]:
        """Return (key, acknowledged bytes at the last look) of the open transfers that have a key."""
        transfers = tuple(self._transfers.values())
        return [(transfer.key, transfer.acked_seen) for transfer in transfers if transfer.key is not None]

    def _admit(self, transfer: Transfer) -> bool:
        with self._intake:
            if self._closing:
                return False
            self._arrivals.append(transfer)
        os.eventfd_write(self._alarm, 1)
        return True

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except Exception:
                log.exception("the download loop met an error and goes on")
        self._take_arrivals()
        for transfer in tuple(self._transfers.values()):
            self._end(transfer, Outcome.BROKEN)

    def _turn(self) -> None:
        for descriptor, events in self._epoll.poll(self._patience()):
            self._wake(descriptor, events)
        self._take_arrivals()
        self._follow_orders()
        for _ in range(len(self._ready)):
            self._serve(self._ready.popleft())
        self._recheck_sent()
        self._scan()

    def _patience(self) -> float:
        if self._ready:
            return 0.0
        due = self._rechecks[0][0] if self._rechecks else float("inf")
        return max(0.0, min(due - time.monotonic(), self._scan_seconds))

    def _wake(self, descriptor: int, events: int) -> None:
        if descriptor == self._alarm:
            os.eventfd_read(self._alarm)
            return
        transfer = self._transfers.get(descriptor)
        if transfer is None:
            return
        if events & (FAILED | HUNG_UP):
            self._end(transfer, Outcome.BROKEN)
        else:
            self._queue(transfer)

    def _take_arrivals(self) -> None:
        while self._arrivals:
            transfer = self._arrivals.popleft()
            if transfer.ended or self._transfers.get(transfer.socket_descriptor) is transfer:
                continue  # submitted twice: one transfer ends, and is billed, once
            transfer.progressed_at = time.monotonic()
            self._transfers[transfer.socket_descriptor] = transfer
            self._queue(transfer)

    def _follow_orders(self) -> None:
        while self._orders:
            chosen = self._orders.popleft()
            for transfer in [each for each in self._transfers.values() if chosen(each)]:
                self._end(transfer, Outcome.BROKEN)

    def _queue(self, transfer: Transfer) -> None:
        if not transfer.queued:
            transfer.queued = True
            self._ready.append(transfer)

    def _serve(self, transfer: Transfer) -> None:
        transfer.queued = False
        if transfer.ended:
            return
        pushed = transfer.push(QUANTUM_BYTES)
        if pushed is Push.MORE:
            self._queue(transfer)
        elif pushed is Push.BROKEN or (pushed is Push.SENT and transfer.arrived()):
            self._end(transfer, Outcome.BROKEN)
        else:
            self._watch(transfer)
            if pushed is Push.SENT and not transfer.rechecked:
                transfer.rechecked = True
                self._recheck_in(RECHECK_SECONDS_MIN, transfer)

    def _watch(self, transfer: Transfer) -> None:
        """Wait for room, for the peer's end, or for its next request, which carries its acknowledgements."""
        if not transfer.registered:
            transfer.registered = True
            self._epoll.register(transfer.socket_descriptor, READABLE | WRITABLE | EDGES)

    def _recheck_in(self, seconds: float, transfer: Transfer) -> None:
        entry = (time.monotonic() + seconds, next(self._numbers), seconds, transfer)
        heapq.heappush(self._rechecks, entry)

    def _recheck_sent(self) -> None:
        """Look for acknowledgements, of which the kernel sends no event, ever less often."""
        now = time.monotonic()
        while self._rechecks and self._rechecks[0][0] <= now:
            _, _, waited, transfer = heapq.heappop(self._rechecks)
            if transfer.ended:
                continue
            if transfer.arrived():
                self._end(transfer, Outcome.COMPLETE)
            else:
                self._recheck_in(min(waited * 2, RECHECK_SECONDS_MAX), transfer)

    def _scan(self) -> None:
        now = time.monotonic()
        if now < self._next_scan:
            return
        self._next_scan = now + self._scan_seconds
        for transfer in tuple(self._transfers.values()):
            if not transfer.note_progress(now, self._stall_seconds):
                self._end(transfer, Outcome.STALLED)

    def _end(self, transfer: Transfer, outcome: Outcome) -> None:
        if transfer.ended:
            return
        transfer.ended = True
        del self._transfers[transfer.socket_descriptor]
        if transfer.registered:
            self._epoll.unregister(transfer.socket_descriptor)
        self._reports.submit(transfer.conclude, outcome)
