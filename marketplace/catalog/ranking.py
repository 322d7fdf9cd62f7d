"""What the search index holds of a document, and how near a document is to a query.

Nearness is a step, not a sum of statistics: the title is the query; the title has its whole names;
the title has all its words; title, keywords, columns and publisher have them; the text has them.
A step depends on the document and the query alone, so that no page shifts because another dataset
came or went, and a rebuilt index ranks as the old one did. Within a step the newest stands first.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from marketplace.catalog import words
from marketplace.catalog.rules import COLUMN_NAMES_MAX
from marketplace.catalog.words import Word
from marketplace.kit import clock

WORDS_MAX = 32
FACET_VALUES_MAX = 2_500  # more than Japan has municipalities
EVERYTHING = 0
NEAREST, UNITS_IN_TITLE, ALL_IN_TITLE, ALL_IN_HEAD, ALL_IN_TEXT = 105, 104, 103, 102, 101
FACETS = ("theme", "format", "price_class", "region", "publisher", "frequency")
HEAD = ("title", "head")
TEXT = ("title", "head", "body")


@dataclass(frozen=True, slots=True)
class Step:
    """One degree of nearness; every document of a nearer step also satisfies each farther one."""

    score: int
    query: Any


@lru_cache(maxsize=1)
def schema() -> Any:
    """Return the fields of the index. The key is a raw text field: deleting by a number aborts the process."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("recency", fast=True)
    builder.add_text_field("name", tokenizer_name="raw", index_option="basic")
    for field in TEXT:
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="basic")
    for facet in FACETS:
        builder.add_text_field(facet, fast=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def entry_of(document: dict[str, Any]) -> Any:
    """Return the index entry of a public document."""
    import tantivy

    entry = tantivy.Document()
    titles = [document["title_ja"], document["title_en"]]
    publisher = document["publisher"]
    entry.add_text("id", document["id"])
    entry.add_integer("recency", recency_of(document["id"], document.get("published_at")))
    for title in filter(None, titles):
        entry.add_text("name", words.name_of(title))
    columns = [words.split_camel(column) for column in document["columns"][:COLUMN_NAMES_MAX]]
    names = [publisher["name_ja"], publisher["name_en"]]
    entry.add_text("title", words.index_text(*titles))
    entry.add_text("head", words.index_text("\n".join([*document["keywords"], *columns, *names])))
    entry.add_text("body", words.index_text(document["description_ja"], document["description_en"]))
    for facet, values in _facets_of(document).items():
        for value in dict.fromkeys(values):
            entry.add_text(facet, value)
    return entry


def recency_of(dataset_id: str, published_at: str | None) -> int:
    """Return a number that grows with the instant of publication (ms) and hardly ever is that of another dataset."""
    at = clock.parse(published_at) if published_at else datetime.fromtimestamp(0, clock.JST)
    tail = int.from_bytes(hashlib.sha256(dataset_id.encode()).digest()[:3])
    return int(at.timestamp() * 1000) << 20 | tail >> 4


def exact_steps(text: str) -> list[Step]:
    """Return the steps of nearness for documents that have every word of the query, nearest first."""
    from tantivy import Query

    if not words.fold(text).strip():
        return [Step(EVERYTHING, Query.all_query())]
    phrase = words.read_query(text, WORDS_MAX)
    if not phrase.parts:
        return []
    titled = every([_having(word, ("title",)) for word in phrase.parts])
    named = Query.term_query(schema(), "name", words.name_of(text), "basic")
    whole = every([_having(unit, ("title",)) for unit in phrase.units])
    return [
        Step(NEAREST, every([titled, named])),
        Step(UNITS_IN_TITLE, every([titled, either([named, whole])])),
        Step(ALL_IN_TITLE, titled),
        Step(ALL_IN_HEAD, every([_having(word, HEAD) for word in phrase.parts])),
        Step(ALL_IN_TEXT, every([_having(word, TEXT) for word in phrase.parts])),
    ]


def loose_steps(text: str) -> list[Step]:
    """Return the steps for documents that have some words, at least half; none for fewer than three words."""
    from tantivy import Occur, Query

    having = [(Occur.Should, _having(word, TEXT)) for word in words.read_query(text, WORDS_MAX).parts]
    if len(having) < 3:
        return []
    least = (len(having) + 1) // 2
    return [Step(count, Query.boolean_query(having, count)) for count in range(len(having) - 1, least - 1, -1)]


def every(queries: Sequence[Any], but: Any = None) -> Any:
    """Return the query for documents that satisfy all of these, and not ``but``."""
    from tantivy import Occur, Query

    refused = [] if but is None else [(Occur.MustNot, but)]
    return Query.boolean_query([*((Occur.Must, query) for query in queries), *refused])


def either(queries: Sequence[Any]) -> Any:
    """Return the query for documents that satisfy one of these."""
    from tantivy import Occur, Query

    return Query.boolean_query([(Occur.Should, query) for query in queries])


def one_of(facet: str, values: Sequence[str]) -> Any:
    """Return the query for documents with one of these facet values."""
    return _any_term([facet], [value.encode("utf-8", "ignore").decode() for value in values])


def not_after(recency: int) -> Any:
    """Return the query for documents as old as this or older."""
    from tantivy import FieldType, Query

    return Query.range_query(schema(), "recency", FieldType.Integer, upper_bound=recency)


def _having(word: Word, fields: Sequence[str]) -> Any:
    return _any_term(fields, word.forms)


def _any_term(fields: Sequence[str], terms: Sequence[str]) -> Any:
    # Not a term set: tantivy walks its whole dictionary for one, 1 ms where a term takes microseconds.
    from tantivy import Query

    return either([Query.term_query(schema(), field, term, "basic") for field in fields for term in terms])


def _facets_of(document: dict[str, Any]) -> dict[str, list[str]]:
    return {
        "theme": document["themes"],
        "format": document["formats"],
        "price_class": document["price_classes"],
        "region": [document["region"]],
        "publisher": [document["publisher"]["id"]],
        "frequency": [document["frequency"]],
    }
