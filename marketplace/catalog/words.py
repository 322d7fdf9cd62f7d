"""Cutting Japanese and English text into the words that the search index knows."""

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

WORD_LENGTH_MAX = 100
QUERY_LENGTH_MAX = 1_000
# SudachiPy refuses more than 49,149 bytes at once; a character has at most 4.
_PIECE = re.compile(r".{1,8000}(?![^\s。])|.{1,8000}", re.DOTALL)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SILENT = {"空白", "補助記号"}
_PARTICLES = {"助詞", "助動詞"}
_sudachi = threading.local()


@dataclass(frozen=True, slots=True)
class Word:
    """The ways in which one word may be written in the index, and whether it only binds others."""

    forms: tuple[str, ...]
    particle: bool


@dataclass(frozen=True, slots=True)
class Phrase:
    """A query cut twice: into the shortest words (Sudachi mode A) and into whole names (mode C)."""

    parts: tuple[Word, ...]
    units: tuple[Word, ...]


def fold(text: str) -> str:
    """Return the text without differences of width, case and composition, and without control characters."""
    harmless = text.encode("utf-8", "ignore").decode()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", harmless).casefold())
    if folded.isprintable():
        return folded
    return "".join(" " if unicodedata.category(sign).startswith("C") else sign for sign in folded)


def name_of(text: str) -> str:
    """Return what two titles have in common that differ only in width, case and spaces."""
    return "".join(fold(text).split())


def index_text(*texts: str) -> str:
    """Return every form of every word of the texts, separated by spaces, for the index."""
    return " ".join(form for text in texts for form in _index_forms(text))


def split_camel(name: str) -> str:
    """Return ``facilityName`` as itself and as ``facility Name``, so that either way of writing finds it."""
    spaced = _CAMEL.sub(" ", name)
    return name if spaced == name else f"{name} {spaced}"


def read_query(text: str, words_max: int) -> Phrase:
    """Cut what someone looks for into at most ``words_max`` distinct words.

    Particles are left out, unless there is nothing else. A text without any word gives an empty phrase.
    """
    cut = list(_cut(fold(text)[:QUERY_LENGTH_MAX]))
    parts = (part for _, parts in cut for part in parts)
    return Phrase(_telling(parts, words_max), _telling((unit for unit, _ in cut), words_max))


def _telling(words: Iterable[Word], words_max: int) -> tuple[Word, ...]:
    distinct = list(dict.fromkeys(words))
    content = [word for word in distinct if not word.particle]
    return tuple((content or distinct)[:words_max])


def _index_forms(text: str) -> Iterator[str]:
    forms: dict[str, None] = {}
    for piece in _PIECE.findall(fold(text)):
        for unit, parts in _cut(piece):
            forms.update(dict.fromkeys(form for word in (unit, *parts) for form in word.forms))
    yield from forms


def _cut(piece: str) -> Iterator[tuple[Word, tuple[Word, ...]]]:
    # Sudachi finds whole names (mode C) and knows how each splits into shortest words (mode A).
    import sudachipy

    shortest = sudachipy.SplitMode.A
    for unit in _tokenizer().tokenize(piece):
        word = _word(unit)
        if word:
            # What is shortest already splits into nothing.
            yield word, tuple(filter(None, map(_word, unit.split(shortest)))) or (word,)


def _word(morpheme: Any) -> Word | None:
    kind = _kind(morpheme.part_of_speech_id())
    return None if kind in _SILENT else _word_of(morpheme.surface(), morpheme.normalized_form(), kind in _PARTICLES)


@lru_cache(maxsize=50_000)
def _word_of(surface: str, normal: str, particle: bool) -> Word:
    # サーバ and サーバー meet in their normal form. One character is left as it stands: ひと would become 一.
    folded = fold(normal)
    forms = [surface] if len(folded) < 2 else [surface, folded]
    return Word(tuple(dict.fromkeys(_stem("".join(form.split())[:WORD_LENGTH_MAX]) for form in forms)), particle)


@lru_cache(maxsize=5_000)
def _kind(part_of_speech_id: int) -> str:
    return str(_dictionary().pos_of(part_of_speech_id)[0])


def _stem(word: str) -> str:
    return str(_english().analyze(word)[0]) if word.isascii() and word.isalpha() else word


@lru_cache(maxsize=1)
def _english() -> Any:
    import tantivy

    stemmer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(tantivy.Filter.stemmer("english"))
    return stemmer.build()


@lru_cache(maxsize=1)
def _dictionary() -> Any:
    import sudachipy

    return sudachipy.Dictionary(dict="core")


def _tokenizer() -> Any:
    # A tokenizer serves one thread at a time; the dictionary behind it is shared and read-only.
    if not hasattr(_sudachi, "tokenizer"):
        import sudachipy

        _sudachi.tokenizer = _dictionary().tokenizer(mode=sudachipy.SplitMode.C)
    return _sudachi.tokenizer
