"""A table while it streams past: what each column gives away, and what that comes to in the end."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from marketplace.privacy.detectors import folding, headers, people, together, weighing
from marketplace.privacy.detectors.cells import PATTERNS, Pattern
from marketplace.privacy.detectors.kinds import Finding, Kind

_ROWS_SHOWN = 3
_INSTITUTIONS_MILLE = 300
_DISTINCT_MAX = 100
_NUMBER_CHARACTERS = frozenset("0123456789.,+-eE \n")


@dataclass
class Tally:
    """How often a kind was found: as whole cells, in the midst of text, how many different, and where first."""

    whole: int = 0
    inside: int = 0
    values: set[int] = field(default_factory=set)
    rows: list[int] = field(default_factory=list)


class ColumnWatch:
    """One column, looked through in batches."""

    def __init__(self, name: str, place: int, announced: frozenset[Kind] | None = None) -> None:
        self.name = name
        self.place = place
        self.announced = headers.announced(name) if announced is None else announced
        self.cells = 0
        self.institutions = 0
        self.tallies: dict[Kind, Tally] = {}
        self._patterns = [one for one in PATTERNS if not one.named or one.kind in self.announced]

    @property
    def is_of_institutions(self) -> bool:
        """Whether enough of the cells end as the names of facilities, offices and companies do."""
        return self.institutions * 1000 >= _INSTITUTIONS_MILLE * max(1, self.cells)

    def add(self, cells: Sequence[str], rows_before: int, rows: Sequence[int] | None = None) -> None:
        """Take in a batch of texts; "" is no cell. They stand in the next rows, or in those given."""
        counts = Counter(cells)
        counts.pop("", None)
        if not counts:
            return
        self.cells += counts.total()
        unique = list(counts)
        text = folding.lines(unique)
        if not self.announced and _is_dull(text):
            return
        if not text.isascii():
            self.institutions += sum(counts[unique[line]] for line in set(_lines_at(people.INSTITUTION, text)))
        for kind, hits in self._hits(text).items():
            tally = self.tallies.setdefault(kind, Tally())
            for line, is_whole in hits.items():
                cell = unique[line]
                tally.whole += counts[cell] if is_whole else 0
                tally.inside += 0 if is_whole else counts[cell]
                if len(tally.values) < _DISTINCT_MAX:
                    tally.values.add(hash(cell))
                if len(tally.rows) < _ROWS_SHOWN:
                    at = cells.index(cell)
                    tally.rows.append(rows_before + at + 1 if rows is None else rows[at])

    def _hits(self, text: str) -> dict[Kind, dict[int, bool]]:
        """Return the lines that hold each kind, and whether as a whole."""
        found: dict[Kind, dict[int, bool]] = {}
        for pattern in self._patterns:
            for line in _lines_of(pattern, text):
                hits = found.setdefault(pattern.kind, {})
                hits[line] = hits.get(line, False) or pattern.whole
        return found


def _is_dull(text: str) -> bool:
    """Whether a batch is of short numbers alone, in which nothing can be found."""
    return text.isascii() and _NUMBER_CHARACTERS.issuperset(text) and max(map(len, text.split("\n"))) < 9


def _lines_at(regex: re.Pattern[str], text: str) -> Iterable[int]:
    return _lines(regex.finditer(text), text)


def _lines_of(pattern: Pattern, text: str) -> Iterable[int]:
    return _lines(pattern.matches(text), text)


def _lines(matches: Iterable[re.Match[str]], text: str) -> Iterable[int]:
    line = at = 0
    for match in matches:
        line += text.count("\n", at, match.start())
        at = match.start()
        yield line


class TableWatch:
    """A table whose rows stream past."""

    def __init__(self, names: Sequence[str], table: str = "") -> None:
        self.columns = [ColumnWatch(name, place) for place, name in enumerate(names, start=1)]
        self._joined = [(one, _watch_of(one)) for one in together.named(names)]
        self.table = table
        self.rows = 0
        self.is_complete = True

    def add_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Take in rows, each exactly as long as the table is wide; "" is null."""
        for column, cells in zip(self.columns, zip(*rows, strict=True), strict=True):
            column.add(cells, self.rows)
        if not self.rows:
            self._joined += [(one, _watch_of(one)) for one in together.silent(rows)]
        for one, watch in self._joined:
            watch.add([one.joined(row) for row in rows], self.rows)
        self.rows += len(rows)

    def findings(self) -> list[Finding]:
        """Return what was found so far, with the weight that the whole table gives it."""
        names = [column.name for column in self.columns]
        found = [finding for column in self.columns for finding in _found(column)]
        found += self._found_together({(one.kind, one.place) for one in found})
        told = any(column.is_of_institutions for column in self.columns)
        return [replace(one, table=self.table) for one in weighing.weighed(found, names, has_institutions=told)]

    def _found_together(self, known: set[tuple[Kind, int]]) -> Iterable[Finding]:
        """Yield what is split over columns, once for each of them that does not hold it by itself."""
        for one, watch in self._joined:
            for finding in _found(watch):
                for column in (self.columns[place] for place in one.columns):
                    if finding.kind is one.kind and (one.kind, column.place) not in known:
                        known.add((one.kind, column.place))
                        yield replace(finding, column=column.name, place=column.place)


def _watch_of(one: together.Together) -> ColumnWatch:
    return ColumnWatch("", 0, frozenset({one.kind} if one.is_named else ()))


def _found(column: ColumnWatch) -> Iterable[Finding]:
    for kind, tally in column.tallies.items():
        hits = weighing.hits(
            kind,
            is_announced=kind in column.announced,
            cells=column.cells,
            whole=tally.whole,
            inside=tally.inside,
            distinct=len(tally.values),
        )
        if hits:
            yield Finding(
                kind, weighing.LEVELS[kind], column.name, column.place, hits, column.cells, tuple(sorted(tally.rows))
            )


def look(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> list[Finding]:
    """Return what a small table gives away, such as a preview; None is null."""
    watch = TableWatch(names)
    watch.add_rows([["" if cell is None else cell for cell in row] for row in rows])
    return watch.findings()
