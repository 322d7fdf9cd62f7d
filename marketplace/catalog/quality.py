"""How well a dataset is described, kept up and fit for machines: points of a hundred, and how to win the others. Pure.

The points are whole numbers and hang on the public document and the clock alone, so that everybody can count them
again. They judge the description, never what the data is worth.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from marketplace.catalog import dictionary, punctuality
from marketplace.catalog.quality_words import Advice, Part
from marketplace.catalog.states import Frequency, Theme
from marketplace.kit import clock

Document = dict[str, Any]
DESCRIPTION_LEAST, DESCRIPTION_GOOD = 40, 200
KEYWORDS_LEAST, KEYWORDS_GOOD = 1, 3
NOTHING_PROMISED = frozenset({Frequency.UNKNOWN, Frequency.OTHER})
_OPEN_FORMATS = frozenset({"csv", "tsv", "json", "json-lines", "geojson", "parquet", "geoparquet"})
_OFFICE_FORMATS = frozenset({"xlsx", "xlsm", "ods", "zip"})


class Mark(NamedTuple):
    """Points won of those that there are, and what would win the rest."""

    points: int
    improve: list[Advice]


@dataclass(frozen=True, slots=True)
class Quality:
    """The marks by part; their sum is the score."""

    marks: dict[Part, Mark]

    @property
    def score(self) -> int:
        """The points of all parts together, 0 to 100."""
        return sum(mark.points for mark in self.marks.values())

    def document(self) -> Document:
        """Return it as a public document keeps it."""
        parts = [
            {
                "part": part.value,
                "points": mark.points,
                "points_max": POINTS[part],
                "improve": [advice.value for advice in mark.improve],
            }
            for part, mark in self.marks.items()
        ]
        return {"score": self.score, "parts": parts}


def assess(document: Document, notes: Iterable[Document], now: datetime) -> Quality:
    """Judge a public document, with what its provider says of its columns, as the clock has it."""
    columns = dictionary.described(dictionary.newest_columns(document), notes)
    marks = {
        Part.DESCRIPTION: _description(document),
        Part.TAGS: _tags(document),
        Part.DICTIONARY: _dictionary(columns),
        Part.FORMATS: _formats(document),
        Part.FRESHNESS: _freshness(document, now),
        Part.COMPLETENESS: _completeness(columns),
        Part.TERMS: _terms(document),
    }
    return Quality(marks)


def _won(*rules: tuple[int, bool, Advice]) -> Mark:
    """Return the points of the rules that hold, and the advice of those that do not."""
    return Mark(sum(points for points, holds, _ in rules if holds), [advice for _, holds, advice in rules if not holds])


def _description(document: Document) -> Mark:
    longest = max(len(document[name].strip()) for name in ("description_ja", "description_en"))
    titles = all(document[name].strip() for name in ("title_ja", "title_en"))
    both = all(document[name].strip() for name in ("description_ja", "description_en"))
    return _won(
        (3, titles, Advice.TITLE_IN_BOTH),
        (6, longest >= DESCRIPTION_LEAST, Advice.DESCRIPTION_LONGER),
        (3, longest >= DESCRIPTION_GOOD, Advice.DESCRIPTION_FULL),
        (3, both, Advice.DESCRIPTION_IN_BOTH),
    )


def _tags(document: Document) -> Mark:
    tags = len(document.get("keywords") or ())
    return _won(
        (4, tags >= KEYWORDS_LEAST, Advice.TAG),
        (3, tags >= KEYWORDS_GOOD, Advice.MORE_TAGS),
        (3, set(document["themes"]) != {Theme.OTHER.value}, Advice.THEME),
    )


def _dictionary(columns: Sequence[Document]) -> Mark:
    if not columns:
        return Mark(0, [Advice.TABLE])
    said = [column for column in columns if column["description_ja"] or column["description_en"] or _labelled(column)]
    numbers = [column for column in columns if column["type"] in dictionary.NUMERIC]
    measured = [column for column in numbers if column["unit"]]
    meaning = _share(12, len(said), len(columns))
    units = _share(8, len(measured), len(numbers)) if numbers else 8
    return Mark(
        meaning + units,
        [*([Advice.COLUMNS] if meaning < 12 else []), *([Advice.UNITS] if units < 8 else [])],
    )


def _labelled(column: Document) -> bool:
    return bool(column["label_ja"] or column["label_en"])


def _formats(document: Document) -> Mark:
    files = document["releases"][0]["files"] if document.get("releases") else []
    if not files:
        return Mark(0, [Advice.FILES])
    profiles = [file.get("profile") or {} for file in files]
    formats = {str(profile.get("format") or "").casefold() for profile in profiles}
    if formats & _OPEN_FORMATS:
        best, advice = 10, []
    elif formats & _OFFICE_FORMATS:
        best, advice = 6, [Advice.OPEN_FORMAT]
    else:
        best, advice = 1, [Advice.OPEN_FORMAT]
    clean = _share(5, sum(_is_clean(profile) for profile in profiles), len(profiles))
    return Mark(best + clean, [*advice, *([Advice.CLEAN_FILES] if clean < 5 else [])])


def _is_clean(profile: Document) -> bool:
    encoding = str(profile.get("encoding") or "utf-8").casefold().replace("_", "-")
    is_read = bool(profile.get("columns")) and profile.get("header") is not False
    return is_read and not profile.get("warnings") and encoding.startswith(("utf-8", "ascii", "us-ascii"))


def _freshness(document: Document, now: datetime) -> Mark:
    frequency = document.get("frequency", "")
    published = published_moments(document)
    if frequency not in set(Frequency) or frequency in NOTHING_PROMISED:
        return Mark(2 if published else 0, [Advice.FREQUENCY, *([] if published else [Advice.FILES])])
    if not published:
        return Mark(5, [Advice.FILES])
    due = punctuality.next_due(frequency, max(published))
    in_time = due is None or due >= now
    on_time, promised = punctuality.kept(punctuality.turns(frequency, published))
    kept = _share(7, on_time, promised) if promised else 7
    return Mark(
        5 + (8 if in_time else 0) + kept,
        [*([] if in_time else [Advice.OVERDUE]), *([Advice.PUNCTUALITY] if kept < 7 else [])],
    )


def _completeness(columns: Sequence[Document]) -> Mark:
    shares = [Decimal(column["null_share"]) for column in columns if column["null_share"] is not None]
    if not shares:
        return Mark(0, [Advice.TABLE])
    points = int(10 * (1 - sum(shares, Decimal(0)) / len(shares)) + Decimal("0.5"))
    return Mark(points, [Advice.NULLS] if points < 10 else [])


def _terms(document: Document) -> Mark:
    contact = any(document.get(name) for name in ("contact_name", "contact_email", "contact_url"))
    licence = document.get("licence_hint")
    return _won(
        (5, bool(document.get("offers")), Advice.OFFER),
        (3, bool(licence) and licence != "other", Advice.LICENCE),
        (2, contact, Advice.CONTACT),
    )


def published_moments(document: Document) -> list[datetime]:
    """Return when the releases that a public document shows were published."""
    return [clock.parse(one["published_at"]) for one in document.get("releases", ()) if one.get("published_at")]


def _share(points: int, part: int, whole: int) -> int:
    """Return so much of the points as the part is of the whole, rounded down: all of them for the whole alone."""
    return points * part // whole


POINTS: dict[Part, int] = {
    Part.DESCRIPTION: 15,
    Part.TAGS: 10,
    Part.DICTIONARY: 20,
    Part.FORMATS: 15,
    Part.FRESHNESS: 20,
    Part.COMPLETENESS: 10,
    Part.TERMS: 10,
}
