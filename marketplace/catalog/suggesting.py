"""How the words that somebody types may go on: tags, publishers and titles that a reader may know of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from marketplace.catalog import completions, words
from marketplace.catalog.entries import schema
from marketplace.catalog.narrowing import any_term

SUGGESTIONS_MAX = 10
NEAREST_MAX = 50
TAGS_MAX = 1_000
TYPED_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A text to look for, whether it is a ``tag``, a ``publisher`` or a ``title``, and a tag's number of datasets."""

    text: str
    kind: str
    datasets: int | None = None


def suggest(searcher: Any, typed: str, size: int = SUGGESTIONS_MAX) -> list[Suggestion]:
    """Return tags by their frequency, then publishers and titles of the best datasets, that go on from what was typed.

    Without anything typed these are the most frequent tags.
    """
    from tantivy import Query

    typed = typed[:TYPED_LENGTH_MAX]
    begun = {form[: completions.BEGINNING_MAX] for form in (words.name_of(typed), completions.plain(typed)) if form}
    query = any_term(schema(), ["beginning"], sorted(begun)) if begun else Query.all_query()
    tags = list(_tags(searcher, query, typed))
    named = list(_named(searcher, query, typed)) if begun else []
    # Half of the room at most for tags, unless nothing else would fill it.
    room = max(size // 2, size - len(named))
    return _distinct([*tags[:room], *named])[:size]


def _tags(searcher: Any, query: Any, typed: str) -> Iterator[Suggestion]:
    counted = searcher.aggregate(query, {"tag": {"terms": {"field": "tag", "size": TAGS_MAX}}})["tag"]["buckets"]
    counts = {bucket["key"]: int(bucket["doc_count"]) for bucket in counted}
    for tag in sorted(completions.going_on(typed, counts), key=lambda tag: (-counts[tag], tag)):
        yield Suggestion(tag, "tag", counts[tag])


def _named(searcher: Any, query: Any, typed: str) -> Iterator[Suggestion]:
    found = searcher.search(query, NEAREST_MAX, count=False, order_by_field="standing").hits
    called = [bytes(searcher.doc(at)["called"][0]).decode().split("\n") for _key, at in found]
    for kind, places in (("publisher", (2, 3)), ("title", (0, 1))):
        names = dict.fromkeys(names[place] for names in called for place in places if names[place])
        yield from (Suggestion(name, kind) for name in completions.going_on(typed, names))


def _distinct(suggestions: Iterable[Suggestion]) -> list[Suggestion]:
    return list({words.name_of(one.text): one for one in reversed(list(suggestions))}.values())[::-1]
