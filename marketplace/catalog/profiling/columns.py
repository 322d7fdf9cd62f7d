"""One column, described while its values stream past in batches."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import reduce
from typing import Any, ClassVar

from marketplace.catalog.profiling import distinct, kinds, words
from marketplace.catalog.profiling.distinct import DistinctCounter
from marketplace.catalog.profiling.distribution import Distribution

_FULL_WIDTH_NUMBER = re.compile("[-+－＋]?[0-9０-９]*[０-９][0-9０-９,，]*(?:[.．][0-9０-９]+)?")
_COMPACT_DATE = kinds.Spelling("compact", "date", "", date.fromisoformat)
_MILLIONTH = Decimal("0.000001")
# What codes, days and moments are written with: no name of anybody is.
_CODE = re.compile("[0-9〒令和平成昭元年月日T:./ ‐−-]{2,25}")
_SKETCHED = frozenset({"integer", "string", "date", "datetime"})
_AMBIGUOUS = frozenset({"month/day/year", "day/month/year"})


class Column:
    """Nulls, distinct values, extremes, examples and type of one column.

    Empty cells are null, and nothing else is; where the format has nulls of its own, "" is an empty text instead.
    Texts are judged by their spelling (``add_texts``); values whose type the format itself states come through
    ``add_values``.
    """

    EXAMPLES: ClassVar[int] = 3
    NOTE_BATCHES: ClassVar[int] = 8

    def __init__(
        self,
        name: str,
        counter: DistinctCounter | None,
        spellings: Iterable[kinds.Spelling] = kinds.SPELLINGS,
        *,
        empty_is_null: bool = True,
    ) -> None:
        self.name = name
        self.empty_texts = 0
        self._empty_is_null = empty_is_null
        self.nulls = 0
        self.examples: list[str] = []
        self._counter = counter
        self._distribution = Distribution.beside(counter)
        self._open = tuple(spellings)
        self._spans: dict[str, tuple[Any, Any]] = {}
        self._text_span: tuple[str, str] | None = None
        self._is_text = False
        self._batches = 0
        self._has_full_width = False
        self._may_be_compact_dates = True
        self.stated: set[str] = set()

    def add_texts(self, cells: Sequence[str]) -> None:
        """Take in a batch of texts whose type is to be inferred; "" is null."""
        values = set(cells)
        if "" in values:
            values.discard("")
            self._count_empty(cells.count(""))
        if not values:
            return
        self._is_text = True
        self._keep_examples(cells)
        if self._counter:
            self._counter.add(values)
            self._distribution.add([cell for cell in cells if cell] if "" in cells else cells)
        span = min(values), max(values)
        self._text_span = span if self._text_span is None else _wider(self._text_span, span)
        self._note(values)
        if self._open:
            self._narrow(values)

    def add_values(
        self,
        kind: str,
        values: Sequence[Any],
        extremes: tuple[Any, Any] | None = None,
        counts: Sequence[int] | None = None,
    ) -> None:
        """Take in non-null values of a stated type; extremes are of one comparable type, or None.

        ``counts`` says how often each is there, where they are given once.
        """
        texts = [kinds.shown(value) for value in values]
        self.stated.add(kind)
        self._keep_examples(texts)
        if self._counter:
            self._counter.add(texts)
            if counts is None:
                self._distribution.add(texts)
            else:
                self._distribution.add_counted(dict(zip(texts, counts, strict=True)))
        if extremes is not None:
            self._spans[kind] = _wider(self._spans.get(kind, extremes), extremes)

    def state(self, kind: str) -> None:
        """Note the type of values that are neither counted nor shown, such as binary ones."""
        self.stated.add(kind)

    def _count_empty(self, count: int) -> None:
        if self._empty_is_null:
            self.nulls += count
        else:
            self.empty_texts += count
            self._is_text = True

    def add_nulls(self, count: int) -> None:
        """Count values that the format itself marks as absent."""
        self.nulls += count

    def _keep_examples(self, cells: Iterable[str]) -> None:
        if len(self.examples) >= self.EXAMPLES:
            return
        for cell in cells:
            if cell and cell not in self.examples:
                self.examples.append(cell)
                if len(self.examples) >= self.EXAMPLES:
                    return

    def _note(self, values: set[str]) -> None:
        self._batches += 1
        if not self._has_full_width and self._batches <= self.NOTE_BATCHES:
            self._has_full_width = any(map(_FULL_WIDTH_NUMBER.fullmatch, values))

    def _narrow(self, values: set[str]) -> None:
        """Close the spellings that a value of this batch does not follow, and widen the spans of the rest."""
        text = kinds.joined(values)
        kept: list[kinds.Spelling] = []
        names: set[str] = set()
        for spelling in self._open:
            # A spelling waits while the stricter one that it contains holds, and takes over its span when that fails.
            if spelling.contains in names or (spelling.bulk.fullmatch(text) and self._follows(spelling, values)):
                kept.append(spelling)
                names.add(spelling.name)
        self._open = tuple(kept)

    def _follows(self, spelling: kinds.Spelling, values: set[str]) -> bool:
        found = kinds.span(spelling, values)
        if found is None:
            return False
        known = [self._spans[name] for name in (spelling.name, spelling.contains) if name in self._spans]
        try:
            self._spans[spelling.name] = reduce(_wider, known, found)
        except TypeError:  # moments with and without an offset
            return False
        if spelling.kind == "integer":
            self._judge_compact_dates(values, found)
        return True

    def _judge_compact_dates(self, values: set[str], found: tuple[int, int]) -> None:
        if self._may_be_compact_dates:
            is_plausible = found[0] >= 19000101 and found[1] <= 21001231
            self._may_be_compact_dates = is_plausible and kinds.span(_COMPACT_DATE, values) is not None

    def _spelling(self) -> kinds.Spelling | None:
        names = {spelling.name for spelling in self._open}
        if not self._is_text or not names or names >= _AMBIGUOUS:
            return None
        return self._open[0]

    def kind(self) -> str:
        """Return the type: what was stated, what the spelling shows, "mixed", or "empty" without any value."""
        found = set(self.stated)
        if self._is_text:
            spelling = self._spelling()
            found.add(spelling.kind if spelling else "string")
        if found == {"integer", "decimal"}:
            return "decimal"
        if len(found) > 1:
            return "mixed"
        return found.pop() if found else "empty"

    def report(self, rows: int, cell_characters: int) -> dict[str, Any]:
        """Return the column's part of the profile, for a table of so many rows."""
        spelling, kind = self._spelling(), self.kind()
        low, high = self._extremes(spelling, kind)
        return {
            "name": cut(self.name, cell_characters),
            "type": kind,
            "format": spelling.name if spelling and spelling.kind in {"date", "datetime", "time"} else None,
            "nulls": self.nulls,
            "empty_texts": self.empty_texts,
            "null_fraction": f"{self.nulls}/{rows}",
            "null_share": share(self.nulls, rows),
            **distinct.report(self._counter),
            "min": None if low is None else cut(kinds.shown(low), cell_characters),
            "max": None if high is None else cut(kinds.shown(high), cell_characters),
            "examples": [cut(example, cell_characters) for example in self.examples],
            "distribution": self._distribution.report(kind, spelling.read if spelling else None),
        }

    def _extremes(self, spelling: kinds.Spelling | None, kind: str) -> tuple[Any, Any]:
        if kind == "mixed":
            return None, None
        spans = [self._spans[stated] for stated in self.stated if stated in self._spans]
        if spelling is not None:
            spans.append(self._spans[spelling.name])
        elif self._text_span is not None:
            spans.append(self._text_span)
        try:
            return reduce(_wider, spans) if spans else (None, None)
        except TypeError:  # moments with and without an offset, from two sources
            return None, None

    def sketch(self) -> list[int] | None:
        """Return a sketch of the values, by which others tell how many they have as well; None but for codes."""
        kind = self.kind()
        shown = [*self.examples, *map(kinds.shown, filter(None, self._extremes(self._spelling(), kind)))]
        if self._counter is None or kind not in _SKETCHED or not shown or not all(map(_CODE.fullmatch, shown)):
            return None
        return self._counter.sketch()

    def warnings(self) -> list[dict[str, Any]]:
        """Return what a reader of this column should know besides its type."""
        found = []
        name = cut(self.name, 100)
        if self._has_full_width and self.kind() == "string":
            found.append(words.warning("full-width-digits", column=name))
        if self._is_text and {spelling.name for spelling in self._open} >= _AMBIGUOUS:
            found.append(words.warning("ambiguous-dates", column=name))
        if self._is_text and self.kind() == "integer" and self._may_be_compact_dates:
            found.append(words.warning("compact-dates", column=name))
        return found


def share(part: int, whole: int) -> str:
    """Return part/whole with six decimals, half to even; "0.000000" of nothing."""
    if whole == 0:
        return "0.000000"
    return str((Decimal(part) / Decimal(whole)).quantize(_MILLIONTH, ROUND_HALF_EVEN))


def cut(text: str, characters: int) -> str:
    """Return the text, shortened with an ellipsis to at most so many characters."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _wider(known: tuple[Any, Any], found: tuple[Any, Any]) -> tuple[Any, Any]:
    return min(known[0], found[0]), max(known[1], found[1])
