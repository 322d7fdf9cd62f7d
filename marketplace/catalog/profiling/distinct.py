"""Counting distinct texts: exactly while they are few, then by the smallest hashes (bottom-k, Beyer et al. 2007)."""

import sys
from collections.abc import Iterable
from typing import ClassVar

SKETCH = 256
MADE_BY = f"{sys.implementation.cache_tag}-{sys.hash_info.algorithm}-{sys.byteorder}"
"""What hashes texts: only sketches that were made by the same can be compared."""
_KEPT_BITS = 48  # JSON holds no more than 53
_BITS = 61
_SPACE = 1 << _BITS
_MASK = _SPACE - 1


class DistinctCounter:
    """Holds at most ``capacity`` 61-bit hashes; exact up to that many, then off by about 1/sqrt(capacity)."""

    CAPACITY_MAX: ClassVar[int] = 16_384
    CAPACITY_MIN: ClassVar[int] = 64
    TOTAL: ClassVar[int] = 1_000_000

    def __init__(self, capacity: int = CAPACITY_MAX) -> None:
        self.capacity = capacity
        self._smallest: set[int] = set()
        self._ceiling = _SPACE
        self.is_exact = True

    @classmethod
    def shared_by(cls, columns: int) -> "DistinctCounter":
        """Return a counter sized so that all columns of a table together stay within a fixed memory."""
        return cls(max(cls.CAPACITY_MIN, min(cls.CAPACITY_MAX, cls.TOTAL // max(1, columns))))

    def add(self, texts: Iterable[str]) -> None:
        """Count the texts; the seed of ``hash`` is fixed in the reader's environment, so that profiles repeat."""
        if self.is_exact:
            self._smallest.update([value & _MASK for value in map(hash, texts)])
        else:
            ceiling = self._ceiling
            self._smallest.update([kept for value in map(hash, texts) if (kept := value & _MASK) < ceiling])
        if len(self._smallest) > (self.capacity if self.is_exact else 2 * self.capacity):
            self._shrink()

    def _shrink(self) -> None:
        self.is_exact = False
        kept = sorted(self._smallest)[: self.capacity]
        self._ceiling = kept[-1] + 1
        self._smallest = set(kept)

    def estimate(self) -> int:
        """Return the number of distinct texts seen."""
        if self.is_exact:
            return len(self._smallest)
        self._shrink()
        return (self.capacity - 1) * _SPACE // max(1, self._ceiling - 1)

    def sketch(self) -> list[int]:
        """Return the smallest hashes of the texts seen, ``SKETCH`` at most; those of all of them where they are fewer.

        None at all where a wide table has left too little room to know them.
        """
        if not self.is_exact and self.capacity < SKETCH:
            return []
        return [one >> (_BITS - _KEPT_BITS) for one in sorted(self._smallest)[:SKETCH]]


def report(counter: DistinctCounter | None) -> dict[str, object]:
    """Return the count and how it was found, as a part of a column's profile; None counts nothing."""
    if counter is None:
        return {"distinct_estimate": None, "distinct_method": "not-counted"}
    method = "exact" if counter.is_exact else "bottom-k"
    return {"distinct_estimate": counter.estimate(), "distinct_method": method}
