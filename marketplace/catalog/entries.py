"""What the search index holds of a document: its fields, and the entry that a public document becomes.

The fields of texts lie in each other: what stands in the title also stands in the head, and all of it in the text.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from marketplace.catalog import bands, completions, meaning, merit, narrowing, places, words
from marketplace.catalog.rules import COLUMN_NAMES_MAX
from marketplace.catalog.sight import EVERYBODY
from marketplace.kit import clock

TITLE, HEAD, TEXT = "title", "head", "text"
PRIVATE = "private"  # has one term, where a document is for a group alone
VALUES_MAX, VALUE_LENGTH_MAX = 300, 60
DISTINCT_MAX = 50
INSTANT_MAX = (1 << 43) - 1
GRAMS_OF_DESCRIPTION_MAX = 1_000
Document = Mapping[str, Any]


@lru_cache(maxsize=1)
def schema() -> Any:
    """Return the fields of the index. The key is a raw text field: deleting by a number aborts the process."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    for field in ("audience", PRIVATE, narrowing.CELL):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("name", tokenizer_name="raw", index_option="basic")
    for field in (TITLE, HEAD, TEXT, "spelt", "pairs", "beginning"):
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="basic")
    for facet in narrowing.FACETS:
        builder.add_text_field(facet, tokenizer_name="raw", index_option="basic")
    for counted in (*narrowing.COUNTED.values(), "tag"):
        builder.add_text_field(counted, fast=True, tokenizer_name="raw", index_option="basic")
    # Never filled: an index that was made with another table of synonyms has another form, and is made anew.
    builder.add_boolean_field(f"synonyms_{meaning.digest()}")
    builder.add_bytes_field("called", stored=True)
    for key in bands.WIDTHS:
        builder.add_text_field(bands.field_of(key), tokenizer_name="raw", index_option="basic")
    for number in ("recency", "standing", narrowing.FIRST_DAY, narrowing.LAST_DAY, *narrowing.EDGES):
        builder.add_integer_field(number, fast=True)
    return builder.build()


def entry_of(document: dict[str, Any]) -> Any:
    """Return the index entry of a document, to be found by its audience."""
    import tantivy

    entry = tantivy.Document()
    entry.add_text("id", document["id"])
    entry.add_text("audience", document.get("audience") or EVERYBODY)
    if document.get("audience"):
        entry.add_text(PRIVATE, PRIVATE)
    for title in filter(None, _titles(document)):
        entry.add_text("name", words.name_of(title))
    for field, text in _texts_of(document).items():
        entry.add_text(field, text)
    facets = narrowing.facets_of(document)
    for facet, values in (facets | {"tag": document["keywords"]}).items():
        for value in dict.fromkeys(values):
            entry.add_text(facet, value)
    for facet, counted in narrowing.COUNTED.items():
        entry.add_text(counted, narrowing.together(facet, facets[facet]))
    for cell in narrowing.cells_of(document):
        entry.add_text(narrowing.CELL, cell)
    entry.add_bytes("called", completions.written(document))
    keys = {"recency": recency_of(document["id"], document.get("published_at")), "standing": merit.key_of(document)}
    for field, key in keys.items():
        entry.add_integer(field, key)
        entry.add_text(bands.field_of(field), bands.term_of(field, key))
    for name, number in narrowing.numbers_of(document).items():
        entry.add_integer(name, number)
    return entry


def recency_of(dataset_id: str, published_at: str | None) -> int:
    """Return a number that grows with the instant of publication (ms) and hardly ever is that of another dataset."""
    at = clock.parse(published_at) if published_at else datetime.fromtimestamp(0, clock.JST)
    tail = int.from_bytes(hashlib.sha256(dataset_id.encode()).digest()[:3])
    return min(int(at.timestamp() * 1000), INSTANT_MAX) << 20 | tail >> 4


def title_texts(document: Document) -> list[str]:
    """Return what a document is called."""
    return _titles(document)


def head_texts(document: Document) -> list[str]:
    """Return what a document is known by beside its titles: tags, columns, publisher and office, place."""
    publisher = document["publisher"]
    columns = [words.split_camel(column) for column in document["columns"][:COLUMN_NAMES_MAX]]
    office = document.get("contact_name") or ""
    return [
        *document["keywords"], *columns, publisher["name_ja"], publisher["name_en"], office,
        *places.names_of(document["region"]),
    ]  # fmt: skip


def body_texts(document: Document) -> list[str]:
    """Return what else a document says: descriptions, and the values of columns that have few."""
    return [document["description_ja"], document["description_en"], *values_of(document)]


def values_of(document: Document) -> list[str]:
    """Return values that stand in columns of few different texts, as the profiles of its newest release show them."""
    files = document["releases"][0]["files"] if document.get("releases") else ()
    values: dict[str, None] = {}
    for profile in filter(None, (file.get("profile") for file in files)):
        for place, column in enumerate(profile.get("columns") or ()):
            if _has_few(column):
                values.update(dict.fromkeys(_shown(profile, place, column)))
    return [value for value in values if len(value) <= VALUE_LENGTH_MAX][:VALUES_MAX]


def _titles(document: Document) -> list[str]:
    return [document["title_ja"], document["title_en"]]


def _texts_of(document: Document) -> dict[str, str]:
    titles, head, body = title_texts(document), head_texts(document), body_texts(document)
    in_title = dict.fromkeys(_tokens(titles))
    in_head = in_title | dict.fromkeys(_tokens(head))
    in_text = in_head | dict.fromkeys(_tokens(body))
    named = (words.read_text(text) for text in (*titles, *document["keywords"]))
    described = [text[:GRAMS_OF_DESCRIPTION_MAX] for text in body[:2]]
    return {
        TITLE: " ".join(in_title),
        HEAD: " ".join(in_head),
        TEXT: " ".join(in_text),
        "spelt": " ".join(dict.fromkeys(word for name in named for word in name.spelt)),
        "pairs": words.grams(*titles, *document["keywords"], *described),
        "beginning": " ".join(completions.beginnings(document)),
    }


def _tokens(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        reading = words.read_text(text)
        yield from reading.forms
        yield from meaning.meanings_of(reading.keys)


def _has_few(column: Document) -> bool:
    different = column.get("distinct_estimate")
    return column.get("type") == "string" and isinstance(different, int) and different <= DISTINCT_MAX


def _shown(profile: Document, place: int, column: Document) -> Iterator[str]:
    told = column.get("distribution") or {}
    yield from (str(one["value"]) for one in told.get("values", ()))
    yield from filter(None, column.get("examples") or ())
    for row in profile.get("preview") or ():
        if place < len(row) and row[place]:
            yield row[place]
