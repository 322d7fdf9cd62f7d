"""Cutting Japanese and English text into the words that the search index knows."""

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from marketplace.catalog import spelling

WORD_LENGTH_MAX = 100
QUERY_LENGTH_MAX = 1_000
SHORT_LENGTH_MAX = 40
SPELT_LEAST = 4
# SudachiPy refuses more than 49,149 bytes at once; a character has at most 4.
_PIECE = re.compile(r".{1,8000}(?![^\s。])|.{1,8000}", re.DOTALL)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_RUN = re.compile(r"[^\W\x00-\x7f]{2,}")
_SILENT = {"空白", "補助記号"}
_PARTICLES = {"助詞", "助動詞"}
# Words that bind others, or that a catalogue of data is full of: nothing is looked for by them where there are others.
_LITTLE = (
    "a about and are as at by for from in is of on or per the to what where which with "
    "data dataset datasets information list open db データ データセット オープンデータ 情報 一覧 リスト 数 状況"
)
_SAYING_LITTLE = frozenset(_LITTLE.split())
SOUND = "="  # before the reading of a word: no word begins with it
_LOOSE = {"等", "別", "用", "区", "毎", "中", "的"}
_NAMING = {"普通名詞", "固有名詞"}
_PLACES = {"地名", "人名", "助数詞可能", "副詞可能"}
_sudachi = threading.local()


@dataclass(frozen=True, slots=True)
class Word:
    """The ways in which one word may be written in the index, whether it only binds others, and how it sounds.

    The last form is the dictionary's; the sound is katakana, empty where the letters say it. What may be mistyped is
    ``spelt`` as it stands in the text, without stemming; ``said`` is how it sounds, or else how it is written.
    The index takes its ``tokens``: forms, and the sound.
    """

    forms: tuple[str, ...]
    particle: bool
    sound: str = ""
    spelt: str = ""
    said: str = ""
    tokens: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return by what a table of words knows it: the dictionary writes English in katakana, but not each ending."""
        return self.forms[0] if self.forms[0].isascii() else self.forms[-1]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the index takes it: its telling words in order, their forms, what may be mistyped, how it sounds."""

    keys: tuple[str, ...]
    forms: tuple[str, ...]
    spelt: tuple[str, ...]
    sound: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """A query cut twice: into the shortest words (Sudachi mode A) and into whole names (mode C)."""

    parts: tuple[Word, ...]
    units: tuple[Word, ...]


def fold(text: str) -> str:
    """Return the text without differences of width, case, composition and old kanji, and without control characters."""
    harmless = text.encode("utf-8", "ignore").decode()
    folded = spelling.modern(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", harmless).casefold()))
    if folded.isprintable():
        return folded
    return "".join(" " if unicodedata.category(sign).startswith("C") else sign for sign in folded)


def name_of(text: str) -> str:
    """Return what two titles have in common that differ only in width, case and spaces."""
    return "".join(fold(text).split())


def index_text(*texts: str) -> str:
    """Return every form of every word of the texts, separated by spaces, for the index."""
    return " ".join(dict.fromkeys(form for text in texts for form in read_text(text).forms))


def read_text(text: str) -> Reading:
    """Read a text for the index, whatever its length."""
    # Tags, columns and publishers come again and again.
    return _read_short(text) if len(text) <= SHORT_LENGTH_MAX else _read(text)


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


def cut(text: str) -> Iterator[Word]:
    """Yield the shortest words of a text in their order, with particles."""
    for _unit, parts in _cut(fold(text)[:QUERY_LENGTH_MAX]):
        yield from parts


def grams(*texts: str) -> str:
    """Return every pair of neighbouring characters of the words of these texts, separated by spaces."""
    found: dict[str, None] = {}
    for text in texts:
        found.update(dict.fromkeys(pairs_of(text)))
    return " ".join(found)


def pairs_of(text: str) -> list[str]:
    """Return the pairs of neighbouring characters in what is not written in Latin letters and digits."""
    runs = _RUN.findall(fold(text).replace("ー", ""))
    return [run[at : at + 2] for run in runs for at in range(len(run) - 1)]


def _telling(words: Iterable[Word], words_max: int) -> tuple[Word, ...]:
    distinct = list(dict.fromkeys(words))
    content = [word for word in distinct if not word.particle]
    return tuple((content or distinct)[:words_max])


@lru_cache(maxsize=20_000)
def _read_short(text: str) -> Reading:
    return _read(text)


def _read(text: str) -> Reading:
    forms: dict[str, None] = {}
    spelt: dict[str, None] = {}
    sounds: list[str] = []
    keys: list[str] = []
    for piece in _PIECE.findall(fold(text)):
        for unit, parts in _cut(piece):
            sounds.append(unit.said)
            keys += [word.key for word in parts if not word.particle]
            for word in (unit, *parts) if parts != (unit,) else parts:
                for token in word.tokens:
                    forms[token] = None
                if word.spelt:
                    spelt[word.spelt] = None
    return Reading(tuple(keys), tuple(forms), tuple(spelt), "".join(sounds))


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
    if kind in _SILENT:
        return None
    return _word_of(morpheme.surface(), morpheme.normalized_form(), morpheme.reading_form(), kind in _PARTICLES)


@lru_cache(maxsize=50_000)
def _word_of(surface: str, normal: str, reading: str, particle: bool) -> Word:
    # 附属 and 付属 meet in their normal form. One character is left as it stands: ひと would become 一.
    folded = fold(normal)
    written = [surface] if len(folded) < 2 else [surface, folded]
    settled = [spelling.settled("".join(form.split())[:WORD_LENGTH_MAX]) for form in written]
    said = (
        surface if surface.isascii() or not spelling.is_kana(reading) else spelling.katakana(reading)[:WORD_LENGTH_MAX]
    )
    is_heard = not (particle or surface.isascii() or len(said) < 2) and spelling.is_kana(said)
    is_weak = particle or surface in _SAYING_LITTLE
    forms = tuple(dict.fromkeys(map(_stem, settled)))
    heard = (SOUND + said,) if is_heard else ()
    return Word(forms, is_weak, said if is_heard else "", _spelt(surface), said, forms + heard)


def _spelt(surface: str) -> str:
    is_spelt = (surface.isascii() and surface.isalpha()) or spelling.is_kana(surface)
    return spelling.settled(surface) if is_spelt and len(surface) >= SPELT_LEAST else ""


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


def nouns(text: str) -> list[str]:
    """Return the nouns of a text that name things, folded and in its order, without places, people and numbers.

    What is hung on a noun belongs to it: 避難 and 所 are 避難所.
    """
    found: list[str] = []
    for piece in _PIECE.findall(fold(text)[:QUERY_LENGTH_MAX]):
        is_open = False
        for unit in _tokenizer().tokenize(piece):
            kind, second, third = unit.part_of_speech()[:3]
            if kind == "接尾辞" and second == "名詞的" and is_open and unit.surface() not in _LOOSE:
                found[-1] += unit.surface()
            is_open = kind == "名詞" and second in _NAMING and third not in _PLACES
            if is_open:
                found.append(unit.surface().strip())
    return found
