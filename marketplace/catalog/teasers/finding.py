"""Finding announced datasets by words and filters, as the catalogue finds those that are listed.

What is found by stands beside the announcement and is written with it, so that no index follows later: the words that
the search index would have of it, their meanings, and its facets. They are never counted among what can be bought.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from marketplace.catalog import meaning, places, words
from marketplace.catalog.teasers.models import Teaser
from marketplace.catalog.teasers.states import LIVE
from marketplace.kit.db import db
from marketplace.kit.pages import Page, cut, decode_cursor
from marketplace.kit.texts import storable

CONCEPTS_MAX = 12
TOKENS_MAX = 2000
_FACET = "="
FILTERS = ("theme", "region", "publisher")
"""What announcements can be narrowed by; by anything else that datasets have, none of them is found."""


def tokens_of(said: Mapping[str, Any]) -> list[str]:
    """Return by which words and facets an announcement is found, of its fields as they are kept."""
    columns = [text for note in said["columns"] for text in (note["name"], note["label_ja"], note["label_en"])]
    texts = [said[name] for name in ("title_ja", "title_en", "description_ja", "description_en")]
    found: dict[str, None] = {}
    for value in said["themes"]:
        found[_facet("theme", value)] = None
    for value in places.holding(said["region"]):
        found[_facet("region", value)] = None
    for text in filter(None, [*texts, *columns, *places.names_of(said["region"])]):
        reading = words.read_text(text)
        found.update(dict.fromkeys([*reading.forms, *meaning.meanings_of(reading.keys)]))
    return list(found)[:TOKENS_MAX]


def find(
    asked: str, filters: Mapping[str, Sequence[str]], cursor: str | None = None, size: int = 3
) -> tuple[Page[Teaser], int]:
    """Return announcements that are not listed yet and have all that is asked for, newest first, and how many."""
    matching = and_(Teaser.state.in_(LIVE), *_words(asked), *_narrowed(filters))
    total = db.session.scalar(select(func.count()).select_from(Teaser).where(matching)) or 0
    after = decode_cursor(cursor, 1)
    earlier = Teaser.id < storable(str(after[0])) if after else true()
    found = select(Teaser).where(matching, earlier).order_by(Teaser.id.desc()).limit(size + 1)
    return cut(db.session.scalars(found).all(), size, lambda row: [row.id]), total


def _words(asked: str) -> list[ColumnElement[bool]]:
    return [_said(concept) for concept in meaning.read(asked, CONCEPTS_MAX).concepts] if asked.strip() else []


def _said(concept: meaning.Concept) -> ColumnElement[bool]:
    """Return whether something is said: by all words of its term, by its meaning, or by how it sounds."""
    meant = [f"{meaning.MEANING}{group}" for group in concept.groups] + list(_tokens([concept.heard]))
    by_words = and_(*(_any(_tokens([word])) for word in concept.term))
    return or_(by_words, _any(meant)) if meant else by_words


def _tokens(of: Iterable[words.Word | None]) -> list[str]:
    return [storable(token) for word in of if word for token in (word.tokens or word.forms)]


def _any(tokens: Sequence[str]) -> ColumnElement[bool]:
    shared: ColumnElement[bool] = Teaser.tokens.overlap(list(tokens))
    return shared


def _narrowed(filters: Mapping[str, Sequence[str]]) -> list[ColumnElement[bool]]:
    return [_has(name, list(map(storable, values))) for name, values in filters.items() if values]


def _has(name: str, values: list[str]) -> ColumnElement[bool]:
    if name == "publisher":
        return Teaser.organization_id.in_(values)
    return _any([_facet(name, value) for value in values])


def _facet(name: str, value: str) -> str:
    return f"{_FACET}{name}{_FACET}{value}"
