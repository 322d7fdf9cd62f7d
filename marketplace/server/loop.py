"""One thread's loop over descriptors, with a letter box for all other threads."""

import logging
import os
import select
from collections import deque
from collections.abc import Callable

READABLE, WRITABLE, EDGES = 0x1, 0x4, 1 << 31  # include/uapi/linux/eventpoll.h
EVENTS_MAX = 256
OnEvent = Callable[[], None]
log = logging.getLogger(__name__)


class Loop:
    """epoll and callbacks: each runs on the thread that calls `turn`, and its errors end nothing but itself."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._alarm, READABLE)
        self._watched: dict[int, OnEvent] = {self._alarm: self._hear}
        self._posted: deque[OnEvent] = deque()
        self._rung = False

    def watch(self, descriptor: int, events: int, on_event: OnEvent) -> None:
        """Call ``on_event`` whenever one of the events comes."""
        self._epoll.register(descriptor, events)
        self._watched[descriptor] = on_event

    def forget(self, descriptor: int, on_event: OnEvent) -> None:
        """Stop watching, unless the descriptor has been closed meanwhile and is another's by now."""
        if self._watched.get(descriptor) == on_event:
            del self._watched[descriptor]
            try:
                self._epoll.unregister(descriptor)
            except OSError:  # closed, and so forgotten by the kernel
                return

    def post(self, deed: OnEvent) -> None:
        """Have the loop do something; from any thread, and from signal handlers."""
        self._posted.append(deed)
        self.ring()

    def ring(self) -> None:
        """Wake the loop."""
        if not self._rung:
            self._rung = True
            os.eventfd_write(self._alarm, 1)

    def turn(self, seconds: float) -> None:
        """Wait for events and serve them."""
        for descriptor, _ in self._epoll.poll(seconds, EVENTS_MAX):
            on_event = self._watched.get(descriptor)
            if on_event is not None:
                _guarded(on_event)

    def close(self) -> None:
        """Do what was posted last, and give the descriptors back; nobody may post any more."""
        self._do_posted()
        self._epoll.close()
        os.close(self._alarm)

    def _hear(self) -> None:
        os.eventfd_read(self._alarm)
        self._rung = False  # before looking: what is posted after that rings again
        self._do_posted()

    def _do_posted(self) -> None:
        for _ in range(len(self._posted)):
            _guarded(self._posted.popleft())


def _guarded(deed: OnEvent) -> None:
    try:
        deed()
    except Exception:
        log.exception("the event loop met an error and goes on")
