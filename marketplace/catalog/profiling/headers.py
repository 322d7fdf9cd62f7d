"""Whether the first row of a table names its columns."""

from collections.abc import Sequence

from marketplace.catalog.profiling import kinds

_FIRST_YEAR, _LAST_YEAR = 1868, 2200


def is_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether the row reads like names: no typed values in it, or none of the kind found below it."""
    filled = [cell for cell in first if cell]
    if not filled:
        return False
    typed = [(place, cell) for place, cell in enumerate(first) if cell and kinds.kind_of(cell) != "string"]
    if not typed:
        return len(set(filled)) == len(filled) or _differs_somewhere(first, rest)
    if len(typed) == len(filled):
        return False
    return all(_is_year(cell) and not _holds_years(rest, place) for place, cell in typed)


def _differs_somewhere(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether a column below a text holds only typed values."""
    for place in range(len(first)):
        below = [row[place] for row in rest if place < len(row) and row[place]]
        if below and all(kinds.kind_of(cell) != "string" for cell in below):
            return True
    return False


def _is_year(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) == 4 and _FIRST_YEAR <= int(cell) <= _LAST_YEAR


def _holds_years(rest: Sequence[Sequence[str]], place: int) -> bool:
    below = [row[place] for row in rest if place < len(row) and row[place]]
    return bool(below) and all(map(_is_year, below))
