"""Bars and lines: where their marks stand, and what they show in words, for those who cannot see them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.disclosure.annual import words

WIDTH = 480.0
_TALL, _ROW, _LABELS, _VALUES, _BELOW, _ABOVE = 120.0, 24.0, 210.0, 90.0, 16.0, 14.0
_SMALL = 6.5
_MONTHS = 12
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Label:
    """Words at a place; ``anchor`` is start, middle or end."""

    at: Point
    words: str
    anchor: str
    size: float


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing in points from its upper left corner: bars (x, y, width, height), stretches of a line, words."""

    height: float
    bars: tuple[tuple[float, float, float, float], ...] = ()
    lines: tuple[tuple[Point, ...], ...] = ()
    labels: tuple[Label, ...] = ()


def plot(figure: dict[str, Any], threshold: int) -> Plot | None:
    """Return the drawing of a figure's parts, None where it has none, or all are known to be nothing."""
    parts = figure["parts"]
    if all(part["value"] == 0 for part in parts):
        return None
    most = max((part["value"] or 0 for part in parts), default=0) or 1
    said = [words.part_value(part, figure["unit"], threshold)[0] for part in parts]
    if figure["is_line"] or len(parts) == _MONTHS:
        return _upright(parts, said, most, is_line=figure["is_line"])
    return _lying(parts, said, most)


def described(figure: dict[str, Any], threshold: int) -> str:
    """Return what the drawing shows as a sentence."""
    return "、".join(f"{part['ja']} {words.part_value(part, figure['unit'], threshold)[0]}" for part in figure["parts"])


def _upright(parts: Sequence[dict[str, Any]], said: Sequence[str], most: int, *, is_line: bool) -> Plot:
    step, room, floor = WIDTH / len(parts), _TALL - _BELOW - _ABOVE, _TALL - _BELOW
    tops = [_ABOVE + room * (1 - max(part["value"] or 0, 0) / most) for part in parts]
    known = [part["value"] is not None for part in parts]
    middles = [step * (place + 0.5) for place in range(len(parts))]
    labels = [Label((x, _TALL - 4), part["ja"], "middle", 8) for x, part in zip(middles, parts, strict=True)]
    size = min(_SMALL, *(_fitting(text, step) for text in said))
    labels += [Label((x, top - 4), text, "middle", size) for x, top, text in zip(middles, tops, said, strict=True)]
    ground = ((0.0, floor), (WIDTH, floor))
    if is_line:
        return Plot(_TALL, _dots(middles, tops, known), (ground, *_stretches(middles, tops, known)), tuple(labels))
    bars = [
        (x - step * 0.3, top, step * 0.6, floor - top)
        for x, top, is_known in zip(middles, tops, known, strict=True)
        if is_known
    ]
    return Plot(_TALL, tuple(bars), (ground,), tuple(labels))


def _fitting(text: str, room: float) -> float:
    """Return the size at which a text does not touch its neighbours: Japanese signs are as wide as they are high."""
    return room / (0.6 * len(text) + 0.4 * sum(not sign.isascii() for sign in text) + 0.5)


def _lying(parts: Sequence[dict[str, Any]], said: Sequence[str], most: int) -> Plot:
    room = WIDTH - _LABELS - _VALUES
    bars, labels = [], []
    for place, (part, text) in enumerate(zip(parts, said, strict=True)):
        y, length = _ROW * place, room * max(part["value"] or 0, 0) / most
        labels += _names(part, y)
        labels.append(Label((_LABELS + length + 6, y + 15), text, "start", 9))
        if part["value"] is not None:
            bars.append((_LABELS, y + 5, length, _ROW - 10))
    return Plot(_ROW * len(parts), tuple(bars), (), tuple(labels))


def _names(part: dict[str, Any], y: float) -> list[Label]:
    """Return the names of a bar, Japanese above English; a format such as CSV has one for both."""
    if part["ja"] == part["en"]:
        return [Label((_LABELS - 8, y + 15), part["ja"], "end", 9)]
    return [Label((_LABELS - 8, y + 11), part["ja"], "end", 9), Label((_LABELS - 8, y + 20), part["en"], "end", _SMALL)]


def _dots(
    xs: Sequence[float], ys: Sequence[float], known: Sequence[bool]
) -> tuple[tuple[float, float, float, float], ...]:
    return tuple((x - 2, y - 2, 4.0, 4.0) for x, y, is_known in zip(xs, ys, known, strict=True) if is_known)


def _stretches(xs: Sequence[float], ys: Sequence[float], known: Sequence[bool]) -> tuple[tuple[Point, ...], ...]:
    """Return the line in stretches: it is broken where a value is hidden."""
    found: list[list[Point]] = [[]]
    for x, y, is_known in zip(xs, ys, known, strict=True):
        if is_known:
            found[-1].append((x, y))
        elif found[-1]:
            found.append([])
    return tuple(tuple(stretch) for stretch in found if len(stretch) > 1)
