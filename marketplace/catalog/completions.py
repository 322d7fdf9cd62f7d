"""How a word that somebody begins to type may go on: the beginnings by which a document is found, and their ends."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from marketplace.catalog import spelling, words

BEGINNING_MAX = 10
NAMES_MAX = 40
NAME_LENGTH_MAX = 300
Document = Mapping[str, Any]


def beginnings(document: Document) -> Iterator[str]:
    """Yield every beginning of titles, tags and publishers, and of how they sound."""
    begun = (_begun_short(name) if len(name) <= words.SHORT_LENGTH_MAX else _begun(name) for name in names_of(document))
    yield from dict.fromkeys(beginning for name in begun for beginning in name)


@lru_cache(maxsize=20_000)
def _begun_short(name: str) -> tuple[str, ...]:
    return _begun(name)


def _begun(name: str) -> tuple[str, ...]:
    return tuple(way[:length] for way in ways(name) for length in range(1, min(len(way), BEGINNING_MAX) + 1))


def names_of(document: Document) -> list[str]:
    """Return titles, tags and publisher of a document."""
    publisher = document["publisher"]
    titles = [document["title_ja"], document["title_en"]]
    names = [*titles, publisher["name_ja"], publisher["name_en"], *document["keywords"]]
    return list(filter(None, names))[:NAMES_MAX]


def written(document: Document) -> bytes:
    """Return titles and publisher as the index keeps them, to be told as completions."""
    publisher = document["publisher"]
    kept = [[document["title_ja"], document["title_en"]], [publisher["name_ja"], publisher["name_en"]]]
    return "\n".join(" ".join(name.split())[:NAME_LENGTH_MAX] for names in kept for name in names).encode(
        "utf-8", "ignore"
    )


def plain(text: str) -> str:
    """Return what is typed without spaces, width, case and old kanji; kana as katakana."""
    name = words.name_of(text)
    return spelling.katakana(name) if spelling.is_kana(name) else name


def ways(name: str) -> list[str]:
    """Return how a name may be begun: as it is written, and as it sounds."""
    written = words.name_of(name)
    return list(
        dict.fromkeys([written, plain(written), words.read_text(name).sound] if not written.isascii() else [written])
    )


def going_on(typed: str, names: Iterable[str]) -> Iterator[str]:
    """Yield those names that go on from what was typed, written or spoken."""
    wanted = plain(typed)
    return (name for name in names if any(way.startswith(wanted) for way in ways(name)))
