"""A figure of the report: what it says, how it was counted, and what of it the public may have. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from marketplace.disclosure import rules
from marketplace.disclosure.rules import Cell, Told
from marketplace.disclosure.states import Showing, Unit

MONTHS = tuple(f"{number:02d}" for number in range(1, 13))


class Secrecy(StrEnum):
    """What keeps a figure from the public: nothing, smallness, or that the register hides a month of the trade."""

    OPEN = "open"
    COUNTED = "counted"
    TRADED = "traded"


@dataclass(frozen=True, slots=True)
class Part:
    """One bar, or one point of a line; ``parties`` is how many stand behind it, where that is not its value."""

    ja: str
    en: str
    value: int
    parties: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure with its words; of a share ``of`` is the whole, ``parties`` how many stand behind an amount.

    ``value`` is None where nothing was measured. The parts of what is counted add up to the value.
    """

    key: str
    ja: str
    en: str
    how_ja: str
    how_en: str
    value: int | None
    unit: Unit = Unit.COUNT
    of: int | None = None
    parts: tuple[Part, ...] = ()
    is_line: bool = False
    secrecy: Secrecy = Secrecy.COUNTED
    parties: int | None = None


def by_month(counts: Mapping[str, int], parties: Mapping[str, int] | None = None) -> tuple[Part, ...]:
    """Return twelve parts out of values, and who stands behind them, by number of month ("01" to "12")."""
    behind = parties or {}
    return tuple(
        Part(f"{int(month)}月", _ENGLISH[month], int(counts.get(month, 0)), behind.get(month)) for month in MONTHS
    )


def labelled(counts: Iterable[tuple[tuple[str, str], int]]) -> tuple[Part, ...]:
    """Return a part for each label in Japanese and English."""
    return tuple(Part(ja, en, int(value)) for (ja, en), value in counts)


def fewest(parties: Iterable[int | None]) -> int:
    """Return how many stand behind whichever of these has the fewest; what nobody stands behind is no secret."""
    return min((some for some in parties if some), default=0)


def total(parts: Sequence[Part]) -> int:
    """Return what parts add up to."""
    return sum(part.value for part in parts)


def whole(figure: Figure) -> dict[str, Any]:
    """Return the figure with all that is in it, for those who oversee the market."""
    parts = [_part(part, Showing.SHOWN, part.value) for part in figure.parts]
    return _document(figure, Showing.SHOWN, figure.value, parts)


def public(figure: Figure, threshold: int, *, months_shown: bool) -> dict[str, Any]:
    """Return what the public may have of the figure; ``months_shown`` is whether the register hides no month of it."""
    if figure.secrecy is Secrecy.OPEN or figure.value is None:
        return whole(figure)
    if figure.parties is not None and rules.is_few(figure.parties, threshold):
        return _document(figure, Showing.WITHHELD, None, [])
    if figure.secrecy is Secrecy.TRADED and not months_shown:
        return _document(figure, Showing.WITHHELD, None, [])
    if figure.of is not None:
        return _share(figure, threshold)
    return _counted(figure, threshold) if figure.unit is Unit.COUNT else whole(figure)


def _share(figure: Figure, threshold: int) -> dict[str, Any]:
    value, of = figure.value or 0, figure.of or 0
    if any(rules.is_few(count, threshold) for count in (value, of, of - value)):
        return _document(figure, Showing.WITHHELD, None, []) | {"of": None}
    return whole(figure)


def _counted(figure: Figure, threshold: int) -> dict[str, Any]:
    known = () if _is_of_few(figure.parts, threshold) else figure.parts
    parts = tuple(Cell(str(place), part.value) for place, part in enumerate(known))
    told = rules.tell(Cell(figure.key, figure.value or 0, parts=parts), threshold)
    shown: Sequence[Told] = told.parts or ()
    documents = [_part(figure.parts[int(one.key)], one.showing, one.count) for one in shown]
    return _document(figure, told.showing, told.count, documents)


def _is_of_few(parts: Sequence[Part], threshold: int) -> bool:
    # Many deeds may be one's; of such parts none is told, or the others would leave it.
    return any(rules.is_few(part.parties or 0, threshold) for part in parts)


def _part(part: Part, showing: Showing, value: int | None) -> dict[str, Any]:
    return {"ja": part.ja, "en": part.en, "showing": showing.value, "value": value}


def _document(figure: Figure, showing: Showing, value: int | None, parts: list[dict[str, Any]]) -> dict[str, Any]:
    words = {name: getattr(figure, name) for name in ("key", "ja", "en", "how_ja", "how_en", "of", "is_line")}
    said = {"unit": figure.unit.value, "showing": showing.value, "value": value, "parts": parts}
    return words | said | {"parts_hidden": bool(figure.parts) and not parts}


_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ENGLISH = dict(zip(MONTHS, _NAMES, strict=True))
