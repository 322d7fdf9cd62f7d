"""A search as it was asked, where its pages end, and what is kept of its answers."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from marketplace.catalog import ranking
from marketplace.kit.errors import Invalid
from marketplace.kit.pages import decode_cursor, encode_cursor

KEPT_MAX = 200
LADDERS = (ranking.exact, ranking.wide, ranking.loose)
"""How widely is looked: where fewer than a few have all words, those with most follow; where none, what is alike."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hit stands: by score, then by its key, which is newer or better where it is larger, then by id."""

    score: int
    key: int
    dataset_id: str
    step: str = ""

    @property
    def rank(self) -> tuple[int, int, str]:
        """The order of hits: what is smaller comes first."""
        return (-self.score, -self.key, self.dataset_id)

    @property
    def order(self) -> tuple[int, int]:
        """The same, as far as it is known before the id is."""
        return (-self.score, -self.key)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends, and how widely was looked for it: the next goes on as the first began."""

    breadth: int
    place: Place

    @property
    def text(self) -> str:
        """Return the cursor as it is handed out."""
        return encode_cursor([self.breadth, self.place.score, self.place.key, self.place.dataset_id])


class Kept:
    """Answers that hold for one commit of the index, the last used of them; threads share it."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        """Return what was kept under a key, or None."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def keep(self, key: Hashable, answer: Any) -> None:
        """Keep an answer, in place of the one that was not asked for longest."""
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > KEPT_MAX:
                self._answers.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Asking:
    """A search as it was asked: words, the query of each filter, where the last page ended, and how long a page is."""

    words: str
    narrow: dict[str, Any]
    after: Cursor | None
    size: int
    key: tuple[Hashable, ...]
    """By what its counts are kept: commit, reader, words and filters."""


def read_cursor(cursor: str | None) -> Cursor | None:
    """Return where a page begins; raises Invalid for a cursor that this search did not hand out."""
    key = decode_cursor(cursor, 4)
    if key is None:
        return None
    breadth, score, at, dataset_id = key
    if not (all(map(_is_small, key[:3])) and isinstance(dataset_id, str) and breadth < len(LADDERS)):
        raise Invalid(
            "The cursor is not one that this search handed out.",
            errors=[{"pointer": "/cursor", "detail": "use next_cursor of the page before, unchanged"}],
        )
    return Cursor(breadth, Place(score, at, dataset_id))


def _is_small(number: object) -> bool:
    return isinstance(number, int) and 0 <= number < 1 << 63
