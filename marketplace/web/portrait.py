"""What a page shows of a dataset so that it can be judged: pictures with their words, made on the server. Pure."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

from marketplace.web import figures
from marketplace.web.language import say

Document = dict[str, Any]
BAR, GAP, HEIGHT = 7, 1, 28
MAP_WIDTH, MAP_HEIGHT_MAX, MARGIN = 480, 420, 34
DEGREES_LEAST = Decimal("0.001")
VALUES_READ = 5
CELLS_READ = 3
MIDDLE_LATITUDES = 60
# The width of a degree of longitude in hundredths of one of latitude, by whole degrees of latitude: 100 cos(latitude).
_NARROWING = (
    100, 100, 100, 100, 100, 100, 99, 99, 99, 99, 98, 98, 98, 97, 97, 97, 96, 96, 95, 95, 94, 93, 93, 92,
    91, 91, 90, 89, 88, 87, 87, 86, 85, 84, 83, 82, 81, 80, 79, 78, 77, 75, 74, 73, 72, 71, 69, 68,
    67, 66, 64, 63, 62, 60, 59, 57, 56, 54, 53, 52, 50,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a sparkline; ``few`` is one whose count is not told."""

    x: int
    y: int
    height: int
    few: bool


@dataclass(frozen=True, slots=True)
class Spark:
    """How the values of a column are spread, drawn and said."""

    width: int
    bars: list[Bar]
    words: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands on a drawn map, and what is written there."""

    x: int
    y: int
    words: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the grid as it is drawn; ``shade`` in hundredths, by how many lie in it."""

    x: int
    y: int
    width: int
    height: int
    shade: int


@dataclass(frozen=True, slots=True)
class Map:
    """The outline of the box in which all rows lie, with what lies in it: no coastlines, no streets."""

    width: int
    height: int
    box: tuple[int, int, int, int]
    points: list[Place]
    cells: list[Cell]
    vertical: list[Place]
    horizontal: list[Place]
    words: str


def spark(distribution: Document | None) -> Spark | None:
    """Return a column's distribution as bars, or None where there is none to show."""
    if not distribution:
        return None
    if distribution["kind"] == "values":
        counts = [one["count"] for one in distribution["values"]]
        words = _values_in_words(distribution)
    else:
        counts = distribution["counts"]
        words = _histogram_in_words(distribution)
    return Spark(len(counts) * (BAR + GAP), _bars(counts), words)


def _bars(counts: list[int | None]) -> list[Bar]:
    most = max((count for count in counts if count), default=1)
    heights = [2 if count is None else max(1, HEIGHT * count // most) if count else 0 for count in counts]
    return [
        Bar(place * (BAR + GAP), HEIGHT - height, height, count is None)
        for place, (count, height) in enumerate(zip(counts, heights, strict=True))
    ]


def _values_in_words(distribution: Document) -> str:
    shown = distribution["values"][:VALUES_READ]
    told = say("、", ", ").join(f"{one['value']} {figures.count(one['count'])}" for one in shown)
    rest = sum(one["count"] for one in distribution["values"][VALUES_READ:]) + distribution["others"]
    return told + (say(f"、その他 {rest:,}", f", others {rest:,}") if rest else "")


def _histogram_in_words(distribution: Document) -> str:
    low, high, counts = distribution["low"], distribution["high"], distribution["counts"]
    most = max(range(len(counts)), key=lambda place: counts[place] or 0) + 1
    return say(
        f"{low} から {high} まで（両端の約1％を除く）を{len(counts)}区間に分けると、最も多いのは{most}番目です。",
        f"From {low} to {high}, without a hundredth at each end, in {len(counts)} parts: most lie in part {most}.",
    )


def drawn_map(coverage: Document) -> Map | None:
    """Return the bounding box as a drawing, north above and east to the right, or None where there is none."""
    if not coverage.get("bbox"):
        return None
    west, south, east, north = map(Decimal, coverage["bbox"])
    across, up = max(east - west, DEGREES_LEAST), max(north - south, DEGREES_LEAST)
    middle = min(MIDDLE_LATITUDES, abs(int((south + north) / 2)))
    width = MAP_WIDTH - 2 * MARGIN
    height = int(width * up * 100 / (across * _NARROWING[middle]))
    if height > MAP_HEIGHT_MAX:
        width, height = max(40, width * MAP_HEIGHT_MAX // height), MAP_HEIGHT_MAX
    height = max(40, height)
    points = [
        Place(
            MARGIN + int((Decimal(longitude) - west) * width / across),
            MARGIN + int((north - Decimal(latitude)) * height / up),
            f"{latitude}, {longitude}",
        )
        for longitude, latitude in coverage["points"]
        if west <= Decimal(longitude) <= east and south <= Decimal(latitude) <= north
    ]
    box = (MARGIN, MARGIN, width, height)
    vertical = [Place(MARGIN, 0, _degrees(west, "E", "W")), Place(MARGIN + width, 0, _degrees(east, "E", "W"))]
    horizontal = [Place(0, MARGIN, _degrees(north, "N", "S")), Place(0, MARGIN + height, _degrees(south, "N", "S"))]
    scale = Scale(west, north, width / across, height / up)
    grid = coverage.get("grid")
    cells = _cells(grid, scale, box) if grid else []
    words = _map_in_words((west, south, east, north), len(points)) + (_grid_in_words(grid) if grid else "")
    return Map(width + 2 * MARGIN, height + 2 * MARGIN, box, points, cells, vertical, horizontal, words)


class Scale(NamedTuple):
    """Where the drawing begins, in degrees, and how many pixels a degree has across and down."""

    west: Decimal
    north: Decimal
    across: Decimal
    down: Decimal


def _cells(grid: Document, scale: Scale, box: tuple[int, int, int, int]) -> list[Cell]:
    """Return the cells of a grid as rectangles, cut to the box: what lies beyond it holds nothing."""
    size, most = Decimal(grid["degrees"]), max((count or 0 for _x, _y, count in grid["cells"]), default=0)
    drawn = []
    for x, y, count in grid["cells"]:
        left = max(box[0], MARGIN + int((x * size - scale.west) * scale.across))
        right = min(box[0] + box[2], MARGIN + int(((x + 1) * size - scale.west) * scale.across) + 1)
        top = max(box[1], MARGIN + int((scale.north - (y + 1) * size) * scale.down))
        bottom = min(box[1] + box[3], MARGIN + int((scale.north - y * size) * scale.down) + 1)
        shade = 25 + 65 * count // most if count else 15
        if right > left and bottom > top:
            drawn.append(Cell(left, top, right - left, bottom - top, shade))
    return drawn


def _grid_in_words(grid: Document) -> str:
    degrees, cells = Decimal(grid["degrees"]), grid["cells"]
    fullest = sorted((cell for cell in cells if cell[2]), key=lambda cell: (-cell[2], cell[0], cell[1]))[:CELLS_READ]
    told = say("、", "; ").join(
        f"{_degrees((y + Decimal('0.5')) * degrees, 'N', 'S')} {_degrees((x + Decimal('0.5')) * degrees, 'E', 'W')}"
        f" {figures.count(count)}"
        for x, y, count in fullest
    )
    few = say("どの升目も10件未満です。", "None holds ten or more.")
    return say(
        f"{degrees:f}度の升目{figures.count(len(cells))}個に地物があります。",
        f" Features lie in {figures.count(len(cells))} cells of {degrees:f} degrees. ",
    ) + (say(f"最も多い升目の中心と件数：{told}。", f"The fullest, by their middle: {told}.") if fullest else few)


def _map_in_words(box: tuple[Decimal, Decimal, Decimal, Decimal], points: int) -> str:
    west, south, east, north = box
    sides = (_degrees(south, "N", "S"), _degrees(north, "N", "S"), _degrees(west, "E", "W"), _degrees(east, "E", "W"))
    shown = say(f"見本の{points}点を示します。", f"{points} points of the sample are shown.") if points else ""
    return (
        say(
            f"すべての行が収まる範囲：緯度 {sides[0]} 〜 {sides[1]}、経度 {sides[2]} 〜 {sides[3]}。",
            f"The box in which all rows lie: latitude {sides[0]} to {sides[1]}, longitude {sides[2]} to {sides[3]}. ",
        )
        + shown
    )


def _degrees(number: Decimal, positive: str, negative: str) -> str:
    rounding = ROUND_FLOOR if number >= 0 else ROUND_CEILING
    shown = abs(number).quantize(Decimal("0.001"), rounding)
    return f"{shown}°{positive if number >= 0 else negative}"
