"""What is told of small numbers, for every table up to a size, and for random trees: no hidden figure can be known."""

from collections import defaultdict
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.disclosure.rules import Cell, Told, tell
from marketplace.disclosure.states import Showing


def table(counts: tuple[int, ...]) -> Cell:
    """A total with these parts."""
    return Cell("total", sum(counts), (), tuple(Cell(f"part {place}", count) for place, count in enumerate(counts)))


@pytest.mark.parametrize(("parts", "most", "threshold"), [(2, 16, 3), (3, 24, 5), (4, 14, 3), (5, 11, 3)])
def test_even_who_knows_these_rules_finds_several_tables_behind_each_that_is_told(parts, most, threshold):
    # Every table up to a total, sorted by what is told of it: what all behind one have in common is known.
    behind = defaultdict(list)
    for counts in product(range(most + 1), repeat=parts):
        if sum(counts) <= most:
            behind[tell(table(counts), threshold)].append(counts)
    known = [
        (told, place)
        for told, tables in behind.items()
        for place, part in enumerate(told.parts or ())
        if part.count is None and len({counts[place] for counts in tables}) == 1
    ]
    assert known == []
    hiding = [told for told in behind if told.parts and any(part.count is None for part in told.parts)]
    assert len(hiding) > len(behind) / 5  # some parts are hidden, and not all of them always


def trees(depth: int) -> st.SearchStrategy[Cell]:
    """Totals with parts, theirs, and two amounts that add up."""
    leaf = st.builds(
        lambda count, yen, size: Cell("", count, (yen, size)), st.integers(0, 30), *[st.integers(0, 9)] * 2
    )
    return leaf if depth == 0 else st.lists(trees(depth - 1), min_size=1, max_size=6).map(added)


def added(parts: list[Cell]) -> Cell:
    """The total of these parts, each under a key of its own."""
    keyed = tuple(Cell(str(place), part.count, part.amounts, part.parts) for place, part in enumerate(parts))
    amounts = tuple(sum(part.amounts[place] for part in parts) for place in (0, 1))
    return Cell("", sum(part.count for part in parts), amounts, keyed)


def pairs(cell: Cell, told: Told):
    """Every figure beside what is told of it."""
    yield cell, told
    for part, of_part in zip(cell.parts, told.parts or (), strict=False):
        yield from pairs(part, of_part)


@given(trees(2), st.integers(3, 6))
def test_nothing_small_is_shown_and_what_is_shown_is_true(cell, threshold):
    for real, told in pairs(cell, tell(cell, threshold)):
        is_shown = told.showing is Showing.SHOWN
        assert (told.count, told.amounts) == ((real.count, real.amounts) if is_shown else (None, None))
        assert is_shown <= (real.count == 0 or real.count >= threshold)
        assert (told.showing is Showing.FEW) == (0 < real.count < threshold)
        assert is_shown or told.parts is None


@given(trees(2), st.integers(3, 6))
def test_what_is_left_of_a_total_is_shared_by_several_and_no_amount_of_them_is_known_to_be_nothing(cell, threshold):
    for real, told in pairs(cell, tell(cell, threshold)):
        hidden = [part for part, of_part in zip(real.parts, told.parts or (), strict=False) if of_part.count is None]
        if told.showing is Showing.SHOWN and hidden:
            assert len(hidden) >= 2
            assert sum(part.count for part in hidden) >= threshold
            for place, amount in enumerate(real.amounts):
                assert amount == 0 or sum(part.amounts[place] for part in hidden) > 0


@given(trees(1), st.integers(3, 6), st.integers(0, 40))
def test_a_total_of_few_different_parties_is_hidden_whatever_its_count(cell, threshold, parties):
    told = tell(cell, threshold, parties=parties)
    assert (told.showing is Showing.FEW) == (0 < parties < threshold)


def test_thousands_of_parts_are_told_at_once():
    counts = (*range(1, 4_000), *[1] * 16_000)
    told = tell(table(counts), 5)
    assert told.parts is not None
    assert sum(part.showing is Showing.FEW for part in told.parts) == 16_004
    assert sum(part.showing is Showing.WITHHELD for part in told.parts) == 1
