"""How the values of a column are spread: a few frequent values, or a histogram, and nothing that is rare."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from marketplace.catalog.profiling.distinct import DistinctCounter

Document = dict[str, Any]
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1, 1, 1)  # noqa: DTZ001 - values without a zone are measured from it as they are written


class Distribution:
    """Counts values while they are few and short, and beside that keeps an even sample of them, both bounded.

    What fewer than ``RARE`` rows have in common is never told: no value of theirs, no bar, and no end of an axis.
    """

    RARE: ClassVar[int] = 10
    BARS: ClassVar[int] = 16
    VALUES_SHOWN: ClassVar[int] = 12
    DIFFERENT_MAX: ClassVar[int] = 200
    CHARACTERS_MAX: ClassVar[int] = 60

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._counts: Counter[str] | None = Counter()
        self._sample: list[Any] = []
        self._step = 1
        self._seen = 0

    @classmethod
    def beside(cls, counter: DistinctCounter | None) -> "Distribution":
        """Return one that shares its table's memory as the counter does."""
        return cls(max(16, (counter.capacity if counter else 0) // 4))

    def add(self, values: Sequence[Any]) -> None:
        """Take in values that are not null, each as often as it is there."""
        if self._counts is not None:
            self._count(Counter(map(str, values)))
        self._sample += values[-self._seen % self._step :: self._step]
        self._seen += len(values)
        self._thin()

    def add_counted(self, counts: Mapping[Any, int]) -> None:
        """Take in values with how often each is there."""
        if self._counts is not None:
            self._count({str(value): count for value, count in counts.items()})
        for value, count in counts.items():
            self._sample += [value] * len(range(-self._seen % self._step, count, self._step))
            self._seen += count
            self._thin()

    def _count(self, counts: Mapping[str, int]) -> None:
        if self._counts is None:
            return
        self._counts.update(counts)
        if len(self._counts) > self.DIFFERENT_MAX or max(map(len, counts), default=0) > self.CHARACTERS_MAX:
            self._counts = None

    def _thin(self) -> None:
        while len(self._sample) > 2 * self._size:
            self._sample = self._sample[::2]
            self._step *= 2

    def report(self, kind: str, read: Callable[[str], Any] | None) -> Document | None:
        """Return what may be told, for a column of that type whose texts are read so; None where it is too little."""
        if self._counts is not None and (len(self._counts) <= self.VALUES_SHOWN or kind not in _SCALES):
            return self._frequent()
        return self._histogram(kind, read) if kind in _SCALES else None

    def _frequent(self) -> Document | None:
        counts = self._counts or Counter()
        shown = [(value, count) for value, count in _by_count(counts) if count >= self.RARE][: self.VALUES_SHOWN]
        if not shown:
            return None
        others = self._seen - sum(count for _value, count in shown)
        return {
            "kind": "values",
            "values": [{"value": value, "count": count} for value, count in shown],
            "others": others,
        }

    def _histogram(self, kind: str, read: Callable[[str], Any] | None) -> Document | None:
        place, shown = _SCALES[kind]
        try:
            places = sorted(place(read(value) if read and isinstance(value, str) else value) for value in self._sample)
            cut = max(-(-self.RARE // self._step), len(places) // 100)
            if len(places) <= 3 * cut or places[cut] == places[-cut - 1]:
                return None
            low, high = places[cut], places[-cut - 1]
            ends = {"low": shown(low), "high": shown(high)}
            bars = self._bars(places, low, high)
        except (ValueError, TypeError, ArithmeticError, KeyError):
            return None
        is_legible = max(map(len, ends.values())) <= self.CHARACTERS_MAX
        return {"kind": "histogram", **ends, "counts": bars, "sampled": self._step > 1} if is_legible else None

    def _bars(self, places: list[Any], low: Any, high: Any) -> list[int | None]:
        """Return how many values stand in each of equal parts, what lies beyond the ends in the last; None is few."""
        whole = isinstance(low, int)
        bars = min(self.BARS, int(high - low) + 1) if whole else self.BARS
        width = high - low + 1 if whole else high - low
        counts = [0] * bars
        for one in places:
            counts[max(0, min(bars - 1, int((one - low) * bars // width)))] += self._step
        return [count if count >= self.RARE or count == 0 else None for count in counts]


def _by_count(counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _number(value: Any) -> Decimal | int:
    number = value if isinstance(value, int) else Decimal(str(value))
    if isinstance(number, Decimal) and not number.is_finite():
        raise ValueError("not a number on an axis")
    return number


def _decimal(value: Any) -> Decimal:
    return Decimal(_number(value))


def _whole(value: Any) -> int:
    return int(_number(value))


def _day(value: Any) -> int:
    return (date.fromisoformat(value) if isinstance(value, str) else value).toordinal()


def _second(value: Any) -> int:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    there = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return int((there - _EPOCH) // _SECOND)


_SCALES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], str]]] = {
    "integer": (_whole, str),
    "decimal": (_decimal, lambda value: f"{value.normalize():f}"),
    "date": (_day, lambda value: date.fromordinal(value).isoformat()),
    "datetime": (_second, lambda value: (_EPOCH + value * _SECOND).isoformat(" ")),
}
