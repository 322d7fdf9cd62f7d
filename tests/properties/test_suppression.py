"""What is told of small numbers, for every table up to a size, and for random trees: no hidden figure can be known."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.disclosure.rules import Cell, Told, tell
from marketplace.disclosure.states import Showing


def table(counts: tuple[int, ...]) -> Cell:
    """A total with these parts."""
    return Cell("total", sum(counts), parts=tuple(Cell(f"part {place}", count) for place, count in enumerate(counts)))


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
    """Totals with parts, theirs, and two amounts that add up, each with holders among those who are counted."""
    leaf = st.integers(0, 30).flatmap(
        lambda buyers: st.builds(held, st.just(buyers), *[st.tuples(st.integers(0, buyers), st.integers(-3, 9))] * 2)
    )
    return leaf if depth == 0 else st.lists(trees(depth - 1), min_size=1, max_size=6).map(added)


def held(buyers: int, *amounts: tuple[int, int]) -> Cell:
    """So many buyers, with amounts that some of them hold; what nobody holds is nothing."""
    holders = tuple(holders for holders, _amount in amounts)
    return Cell("", buyers, tuple(amount if holders else 0 for holders, amount in amounts), holders)


def added(parts: list[Cell]) -> Cell:
    """The total of these parts, each under a key of its own."""
    keyed = tuple(replace(part, key=str(place)) for place, part in enumerate(parts))
    amounts, holders = (
        tuple(map(sum, zip(*rows, strict=True)))
        for rows in ([part.amounts for part in parts], [part.holders for part in parts])
    )
    return Cell("", sum(part.count for part in parts), amounts, holders, keyed)


def pairs(cell: Cell, told: Told):
    """Every figure beside what is told of it."""
    yield cell, told
    for part, of_part in zip(cell.parts, told.parts or (), strict=False):
        yield from pairs(part, of_part)


@given(trees(2), st.integers(3, 6))
def test_nothing_small_is_shown_and_what_is_shown_is_true(cell, threshold):
    for real, told in pairs(cell, tell(cell, threshold)):
        is_shown = told.showing is Showing.SHOWN
        assert told.count == (real.count if is_shown else None)
        assert told.amounts in ((real.amounts, None) if is_shown else (None,))
        assert is_shown <= (real.count == 0 or real.count >= threshold)
        assert (told.showing is Showing.FEW) == (0 < real.count < threshold)
        assert is_shown or told.parts is None


@given(trees(2), st.integers(3, 6))
def test_what_is_left_of_a_total_is_shared_by_several_and_nothing_beside_them_tells_an_amount(cell, threshold):
    for real, told in pairs(cell, tell(cell, threshold)):
        hidden = [part for part, of_part in zip(real.parts, told.parts or (), strict=False) if of_part.count is None]
        if told.showing is Showing.SHOWN and hidden:
            assert len(hidden) >= 2
            assert sum(part.count for part in hidden) >= threshold
            for part, of_part in zip(real.parts, told.parts, strict=True):
                assert all(below.amounts is None for _real, below in pairs(part, of_part))


@given(trees(2), st.integers(3, 6), st.integers(0, 1))
def test_no_sum_of_amounts_that_are_told_is_one_that_is_not(cell, threshold, place):
    told = told_by_path(tell(cell, threshold))
    leaves = {path: belongs for path, _real, belongs in rows_of(cell)}
    given_away = [path for path, one in told.items() if one.amounts is None and follows(path, leaves, told)]
    assert given_away == []
    # The same for those who know what costs nothing, of what a few hold alone: what many paid is no small number.
    paid = {path: belongs & paying(cell, place) for path, belongs in leaves.items()}
    few = [path for path, real, _belongs in rows_of(cell) if 0 < real.holders[place] < threshold]
    assert [path for path in few if follows(path, paid, told)] == []


def rows_of(cell: Cell, path: str = "", numbers: Iterator[int] | None = None) -> list[tuple[str, Cell, frozenset[int]]]:
    """Every figure with its path, and the numbers of the leaves that it adds up, in one order."""
    numbers = count() if numbers is None else numbers
    if not cell.parts:
        return [(path, cell, frozenset([next(numbers)]))]
    below = [row for part in cell.parts for row in rows_of(part, f"{path}/{part.key}", numbers)]
    return [(path, cell, frozenset().union(*(leaves for _path, _cell, leaves in below))), *below]


def paying(cell: Cell, place: int) -> frozenset[int]:
    """The leaves in which somebody has some of this amount."""
    return frozenset().union(*(leaf for _path, real, leaf in rows_of(cell) if not real.parts and real.holders[place]))


def told_by_path(told: Told, path: str = "") -> dict[str, Told]:
    """Every figure that is told, also without amounts."""
    found = {path: told}
    for part in told.parts or ():
        found |= told_by_path(part, f"{path}/{part.key}")
    return found


def follows(path: str, leaves: dict[str, frozenset[int]], told: dict[str, Told]) -> bool:
    """Whether additions and subtractions of amounts that are told come to this one."""
    known = [leaves[other] for other, one in told.items() if one.amounts is not None]
    return rank([*known, leaves[path]]) == rank(known)


def rank(rows: list[frozenset[int]]) -> int:
    """How many of these sums are independent of the others, by elimination."""
    left = [{leaf: Fraction(1) for leaf in row} for row in rows if row]
    found = 0
    while left:
        pivot = left.pop()
        leaf = next(iter(pivot))
        found += 1
        left = [reduced for row in left if (reduced := without(row, pivot, leaf))]
    return found


def without(row: dict[int, Fraction], pivot: dict[int, Fraction], leaf: int) -> dict[int, Fraction]:
    """A sum less as much of another as leaves nothing at one leaf."""
    share = row.get(leaf, Fraction(0)) / pivot[leaf]
    less = {one: row.get(one, Fraction(0)) - share * pivot.get(one, Fraction(0)) for one in {*row, *pivot}}
    return {one: value for one, value in less.items() if value}


def market(*datasets: tuple[int, int] | tuple[int, int, int]) -> Cell:
    """Datasets with buyers, yen and how many paid (all, if it costs anything), each of one class."""
    return added([added([sold(*dataset)]) for dataset in datasets])


def sold(buyers: int, yen: int, payers: int | None = None) -> Cell:
    """What so many buyers paid."""
    return held(buyers, ((buyers if yen else 0) if payers is None else payers, yen))


def test_what_one_buyer_paid_is_not_the_rest_beside_what_is_free():
    told = tell(market((1, 50_000), (6, 0), (10, 1_000_000)), 5)
    assert told.amounts == (1_050_000,)
    assert [part.showing for part in told.parts] == [Showing.FEW, Showing.WITHHELD, Showing.SHOWN]
    assert [part.count for part in told.parts] == [None, None, 10]
    assert [part.amounts for part in told.parts] == [None, None, None]
    assert [kind.amounts for kind in told.parts[2].parts] == [None]


def test_a_total_that_only_a_few_paid_is_not_told():
    told = tell(market((1, 50_000), (6, 0), (10, 0)), 5)
    assert (told.showing, told.count, told.amounts) == (Showing.SHOWN, 17, None)
    free = tell(market((1, 0), (6, 0), (10, 0)), 5)
    assert free.amounts == (0,)


def test_what_one_of_many_buyers_paid_is_not_told():
    told = tell(market((6, 500_000, 1), (9, 9_000)), 5)
    assert told.amounts == (509_000,)
    assert [(part.count, part.amounts) for part in told.parts] == [(6, None), (9, None)]
    assert [kind.amounts for part in told.parts for kind in part.parts] == [None, None]
    alone = tell(market((6, 500_000, 1), (9, 0)), 5)
    assert (alone.count, alone.amounts) == (15, None)


def test_what_one_paid_and_another_got_back_is_not_told_as_nothing():
    told = tell(market((6, 500_000, 1), (9, -500_000, 1)), 5)
    assert (told.count, told.amounts) == (15, None)


def test_one_who_paid_for_several_datasets_is_one():
    assert tell(market(*[(6, 1_000, 1)] * 9), 5).amounts is None


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
