"""Geometries on a coarse grid: never finer than a kilometre or so, never many cells, no count of few."""

import json
from decimal import Decimal

import pytest

from marketplace.catalog import coverage
from marketplace.catalog.profiling import grid, profile_file
from marketplace.catalog.profiling.grid import Grid


def gridded(*geometries):
    made = Grid()
    for geometry in geometries:
        made.add(geometry)
    return made.document()


def point(x, y):
    return {"type": "Point", "coordinates": [Decimal(str(x)), Decimal(str(y))]}


def test_a_cell_counts_its_features_and_tells_no_count_of_few():
    told = gridded(*[point("141.3541", "43.0619")] * 10, point("141.3549", "43.0611"), point("141.0", "-43.0"))
    assert told == {"degrees": "0.01", "cells": [[14100, -4300, None], [14135, 4306, 11]]}
    assert gridded() is None
    assert gridded({"type": "Point", "coordinates": [Decimal(70000), Decimal(50000)]}, None, "x") is None


def test_lines_and_the_edges_of_areas_are_outlines_that_count_once_a_feature():
    line = {"type": "LineString", "coordinates": [[0, 0], [Decimal("0.035"), 0]]}
    assert [cell[:2] for cell in gridded(line)["cells"]] == [[0, 0], [1, 0], [2, 0], [3, 0]]
    ring = [[0, 0], [Decimal("0.04"), 0], [Decimal("0.04"), Decimal("0.04")], [0, Decimal("0.04")], [0, 0]]
    area = {"type": "Polygon", "coordinates": [ring]}
    cells = {(x, y): count for x, y, count in gridded(*[area] * 12)["cells"]}
    assert (2, 2) not in cells  # an outline, and nothing within
    assert {(2, 0), (4, 2), (2, 4), (0, 2)} <= set(cells)
    assert set(cells.values()) == {12}
    collected = {"type": "GeometryCollection", "geometries": [line, point(1, 1)]}
    assert len(gridded(collected)["cells"]) == 5
    scattered = {"type": "MultiPoint", "coordinates": [[0, 0], [Decimal("0.09"), 0]]}
    assert len(gridded(scattered)["cells"]) == 2


def test_what_lies_wide_is_told_coarsely_and_keeps_its_sum():
    told = gridded(*(point(x, y) for x in range(-170, 171, 4) for y in range(-80, 81, 2) for _ in range(10)))
    assert len(told["cells"]) <= grid.CELLS_MAX
    assert Decimal(told["degrees"]) > 1
    assert sum(count for _x, _y, count in told["cells"]) == 86 * 81 * 10


def test_hostile_geometries_are_survived():
    deep = []
    for _ in range(50):
        deep = [deep]
    huge = {"type": "LineString", "coordinates": [[-180, -90], [180, 90]] * 200}
    nested = {"type": "GeometryCollection", "geometries": [{"geometries": [{"coordinates": deep}]}, 5, None]}
    assert len(gridded(huge, nested, {"type": "Point", "coordinates": ["x", True]})["cells"]) <= grid.CELLS_MAX


def test_a_geojson_file_has_its_grid_in_its_profile(tmp_path):
    features = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [141.3541, 43.0619]}, "properties": {"n": n}}
        for n in range(20)
    ]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found = profile_file(path, "a.geojson").document
    assert found["grid"] == {"degrees": "0.01", "cells": [[14135, 4306, 20]]}


def test_real_sightings_lie_in_few_cells(shared_data):
    found = profile_file(shared_data / "sapporo_bears_ccby4.geojson", "bears.geojson").document
    assert 10 < len(found["grid"]["cells"]) <= grid.CELLS_MAX


CELL = {"degrees": "0.01", "cells": [[14135, 4306, 20]]}


def document(*profiles, **more):
    return {"releases": [{"files": [{"profile": one} for one in profiles]}]} | more


def test_several_files_are_told_as_one_as_coarse_as_the_coarsest():
    other = {"degrees": "0.04", "cells": [[3533, 1076, 15], [3534, 1076, None]]}
    told = coverage.grid(document({"grid": CELL}, {"grid": other}, {"columns": []}))
    assert told == {"degrees": "0.04", "cells": [[3533, 1076, 35], [3534, 1076, None]]}
    assert coverage.grid(document({"columns": []})) is None


@pytest.mark.parametrize(
    "people",
    [
        {"offers": [{"privacy_class": "personalInformation"}]},
        {"offers": [{"privacy_class": "nonPersonalInformation"}, {"privacy_class": "anonymouslyProcessedInformation"}]},
        {"privacy_class": "other"},
    ],
)
def test_no_place_of_people_is_shown(people):
    table = {"columns": [{"name": "緯度"}, {"name": "経度"}], "preview": [["43.0619", "141.3541"]], "grid": CELL}
    assert coverage.grid(document(table)) is not None
    assert coverage.points(document(table), 5) != []
    assert coverage.grid(document(table, **people)) is None
    assert coverage.points(document(table, **people), 5) == []
    masked = table | {"columns": [*table["columns"], {"name": "氏名", "masked": ["name"]}]}
    assert coverage.grid(document(masked)) is None
    assert coverage.points(document(masked), 5) == []
