"""Cells of the earth: whatever touches a box shares a cell with it, and little else does."""

import random

import pytest

from marketplace.catalog import grid
from marketplace.catalog.extent import DEGREE, LATITUDE_MAX, LONGITUDE_MAX, Box
from marketplace.catalog.search import SearchIndex
from tests.factories.catalog import DocumentFactory


def touches(one: Box, other: Box) -> bool:
    return one.west <= other.east and one.east >= other.west and one.south <= other.north and one.north >= other.south


def box(chance: random.Random) -> Box:
    """A box of any size at round edges, where cells meet, and at others."""
    step = chance.choice((1, DEGREE // 10, DEGREE, 10 * DEGREE))
    west, south = (
        chance.randrange(-170 * DEGREE // step, 170 * DEGREE // step) * step,
        chance.randrange(-80 * DEGREE // step, 80 * DEGREE // step) * step,
    )
    wide, high = (chance.choice((0, 1, DEGREE // 10, DEGREE, 7 * DEGREE, 60 * DEGREE)) for _ in range(2))
    return Box(west, south, min(LONGITUDE_MAX, west + wide), min(LATITUDE_MAX, south + high))


def test_whatever_touches_a_box_has_one_of_its_cells() -> None:
    chance = random.Random(3)
    asked, places = [box(chance) for _ in range(150)], [box(chance) for _ in range(150)]
    # Many that touch: some places lie around what is asked for.
    places += [Box(one.west - 1, one.south - DEGREE, one.west, one.north) for one in asked if one.west > -LONGITUDE_MAX]
    found = 0
    for one in asked:
        cells = grid.asked_of(one)
        for place in places:
            if touches(one, place):
                found += 1
                assert cells is None or set(cells) & set(grid.cells_of(place)), (one, place)
    assert found > 150


def test_a_place_has_few_cells_and_a_box_asks_for_not_too_many() -> None:
    chance = random.Random(4)
    for one in (box(chance) for _ in range(300)):
        assert len(grid.cells_of(one)) <= grid.HOME_MAX * (len(grid.SIZES) + 1)
        assert len(grid.asked_of(one) or []) <= 2 * grid.ASKED_MAX


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("139,35,140,36", {"tokyo", "japan", "world"}),
        ("139.7,35.6,139.71,35.61", {"tokyo", "japan", "world"}),
        ("139.8,35.7,139.81,35.71", {"japan", "world"}),
        ("-180,-90,180,90", {"tokyo", "japan", "world", "fiji"}),
        ("-10,-10,-1,-1", {"world"}),
        ("178,-20,-178,-10", {"fiji", "world"}),
        ("140,35,141,36", {"japan", "world"}),
    ],
)
def test_boxes_of_all_sizes_find_what_touches_them(index: SearchIndex, asked: str, found: set[str]) -> None:
    places = {
        "tokyo": ["139.6", "35.5", "139.7", "35.6"], "japan": ["122", "24", "146", "46"],
        "world": ["-180", "-90", "180", "90"], "fiji": ["177", "-19", "179", "-16"],
    }  # fmt: skip
    index.rebuild([*(DocumentFactory(id=name, bbox=edges) for name, edges in places.items()), DocumentFactory()])
    assert {hit.dataset_id for hit in index.search("", {"bbox": [asked]}).hits} == found
