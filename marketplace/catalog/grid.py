"""Cells of the earth, by which the index finds what may touch a box: few are then compared with its edges.

There are cells of ten degrees, of one, and of a tenth. A place has its home where it covers few cells, and has its
cells of that size and of all larger ones. Whoever looks takes the finest cells of which a box covers not too many:
those of the places at home there or finer, and the larger cells of the places that are at home in those.
"""

from collections.abc import Iterator

from marketplace.catalog.extent import DEGREE, Box

SIZES = (10 * DEGREE, DEGREE, DEGREE // 10)
HOME_MAX, ASKED_MAX = 9, 150
EVERYWHERE = "everywhere"


def cells_of(box: Box) -> list[str]:
    """Return under which cells a place is found."""
    covered = [_cells(box, size) for size in SIZES]
    home = max((level for level, cells in enumerate(covered) if cells <= HOME_MAX), default=None)
    if home is None or box.west > box.east:
        return [EVERYWHERE]
    within = [f"{level}:{at}" for level in range(home + 1) for at in _named(box, SIZES[level])]
    return within + [f"home{home}:{at}" for at in _named(box, SIZES[home])]


def asked_of(box: Box) -> list[str] | None:
    """Return the cells of every place that may touch a box; None where these are too many to ask for."""
    finest = max((level for level, size in enumerate(SIZES) if _cells(box, size) <= ASKED_MAX), default=None)
    if finest is None:
        return None
    larger = [f"home{level}:{at}" for level in range(finest) for at in _named(box, SIZES[level])]
    return [EVERYWHERE, *larger, *(f"{finest}:{at}" for at in _named(box, SIZES[finest]))]


def _cells(box: Box, size: int) -> int:
    return (box.east // size - box.west // size + 1) * (box.north // size - box.south // size + 1)


def _named(box: Box, size: int) -> Iterator[str]:
    for x in range(box.west // size, box.east // size + 1):
        yield from (f"{x}:{y}" for y in range(box.south // size, box.north // size + 1))
