"""The agenda: stories that wait, and go on when their time has come. Time moves from one to the next."""

import heapq
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta

Story = Generator[timedelta, None, None]
"""What happens to somebody: does a step, yields how long it waits, does the next."""


class Agenda:
    """Stories in the order of their next step; of two at the same instant, the one entered first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, int, Story]] = []
        self._entered = 0

    def enter(self, at: datetime, story: Story) -> None:
        """Let a story take its next step at an instant."""
        self._entered += 1
        heapq.heappush(self._waiting, (at, self._entered, story))

    def due(self, until: datetime) -> Iterator[tuple[datetime, Story]]:
        """Take out, one after the other, what is due before an instant; what is entered meanwhile comes too."""
        while self._waiting and self._waiting[0][0] < until:
            at, _number, story = heapq.heappop(self._waiting)
            yield at, story

    def __len__(self) -> int:
        return len(self._waiting)
