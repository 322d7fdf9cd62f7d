"""What each format takes of a public document, read once and in one way. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from marketplace.licensing.regions import region_name
from marketplace.licensing.terms import UsageTerms

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What a dataset was made of: another one that everybody sees here, or something elsewhere with its title."""

    dataset_id: str | None
    url: str | None
    title: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A dataset as the public sees it: its document, when that last changed, and the terms of its offers by hash.

    ``sources``: what it was made of.
    """

    document: Document
    changed_at: datetime
    terms: Mapping[str, UsageTerms] = field(default_factory=dict)
    sources: Sequence[Source] = ()

    @property
    def id(self) -> str:
        """The dataset's id."""
        return str(self.document["id"])

    @property
    def newest(self) -> Document | None:
        """The release that was published last, if any."""
        releases = self.document.get("releases") or []
        return releases[0] if releases else None

    @property
    def issued_at(self) -> str:
        """When the first of the releases that are shown was published."""
        known = [one["published_at"] for one in self.document.get("releases") or () if one.get("published_at")]
        return str(min(known, default=self.document["published_at"]))

    @property
    def is_free(self) -> bool:
        """Whether somebody gets it for nothing; what nothing is offered of is read where it comes from."""
        offers = self.document.get("offers") or []
        return not offers or any(one["price_kind"] == "free" for one in offers)

    def name(self) -> str:
        """Return the title in one language: Japanese where there is one."""
        return str(self.document["title_ja"] or self.document["title_en"])

    def descriptions(self) -> tuple[str, str]:
        """Return the description in Japanese and English; where there is none at all, the title takes its place."""
        ja, en = self.document["description_ja"], self.document["description_en"]
        return (ja, en) if ja.strip() or en.strip() else (self.document["title_ja"], self.document["title_en"])

    def files(self) -> Iterator[Document]:
        """Yield the files of the newest release, those that the document has."""
        yield from self.newest["files"] if self.newest else ()

    def links(self) -> Iterator[Document]:
        """Yield where the files of a dataset that was taken over lie, those links that are known to be alive."""
        yield from (link for link in self.document.get("links") or () if not link.get("dead"))

    def origin(self) -> str | None:
        """Return the address of the record that the dataset was taken over from."""
        return (self.document.get("origin") or {}).get("url")

    def note_of(self, column: str) -> Document:
        """Return what the provider says of a column beside its name; nothing where it says nothing."""
        notes = self.document.get("column_notes") or ()
        return next((dict(note) for note in notes if note["name"] == column), {})

    def period(self) -> tuple[str | None, str | None] | None:
        """Return the first and the last day that the data are about, where the document says so."""
        told = self.document.get("temporal") or {}
        first, last = told.get("from"), told.get("until")
        return (first, last) if first or last else None

    def bbox(self) -> tuple[str, str, str, str] | None:
        """Return west, south, east and north of all geographic files together, where a profile tells them."""
        if told := self.document.get("bbox"):
            return _box(told)
        boxes = [found for file in self.files() if (found := (file.get("profile") or {}).get("bbox"))]
        whole = [read for box in boxes if (read := _box(box))]
        if not whole:
            return None
        west, south, east, north = zip(*whole, strict=True)
        return _least(west), _least(south), _most(east), _most(north)


def region_names(code: str) -> tuple[str, str]:
    """Return what a region is called in Japanese and English: the prefecture of a local government."""
    iso = f"JP-{code[:2]}" if len(code) == 6 and code.isdecimal() else code
    return region_name(iso, 0), region_name(iso, 1)


def _box(edges: Sequence[Any]) -> tuple[str, str, str, str] | None:
    """Return the edges of a box as decimals without exponents; None for what is none."""
    try:
        west, south, east, north = (f"{Decimal(str(edge)):f}" for edge in edges)
    except (ValueError, InvalidOperation):
        return None
    return west, south, east, north


def _least(numbers: tuple[str, ...]) -> str:
    return min(numbers, key=Decimal)


def _most(numbers: tuple[str, ...]) -> str:
    return max(numbers, key=Decimal)
