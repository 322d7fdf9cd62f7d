"""What a query may mean: its words, grouped as the table of synonyms groups them, with other ways to say the same."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from marketplace.catalog import spelling, words
from marketplace.catalog.synonyms import GROUPS
from marketplace.catalog.words import SOUND, Word

WORDS_IN_TERM_MAX = 5
MEANING = "§"  # before the number of a line of the table: no word begins with it
_ENDINGS_OF_PLACES = frozenset("都道府県市区町村")
OTHERS_MAX = 16
SHAPE_LEAST = 3  # 京都 stands in 東京都, and is another place
Term = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing that is looked for: the words as they were written, the lines of the table that have it, its sound."""

    term: Term
    groups: tuple[int, ...] = ()
    heard: Word | None = None

    @property
    def others(self) -> tuple[Term, ...]:
        """Return other terms for it."""
        heard = [] if self.heard is None else [(self.heard,)]
        known = (other for group in self.groups for other in _terms()[group] if key_of(other) != key_of(self.term))
        return tuple(dict.fromkeys([*heard, *known]))[:OTHERS_MAX]

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """Return the lines of the table that have it, each by the first term on it."""
        return [key_of(_terms()[group][0]) for group in self.groups]

    @property
    def shapes(self) -> list[tuple[str, ...]]:
        """Return the pairs of characters of each way to say it that is long enough to be known by them."""
        written = ("".join(word.forms[0] for word in term) for term in (self.term, *self.others))
        return [
            tuple(words.pairs_of(text)) for text in written if len(text) >= SHAPE_LEAST and not text.startswith(SOUND)
        ]


@dataclass(frozen=True, slots=True)
class Question:
    """A query as it is looked for: things, whole names (Sudachi mode C), the title it may be, pairs of characters."""

    concepts: tuple[Concept, ...]
    units: tuple[Word, ...]
    name: str
    pairs: tuple[str, ...]

    @property
    def words(self) -> tuple[Word, ...]:
        """Return all words as they were written."""
        return tuple(dict.fromkeys(word for concept in self.concepts for word in concept.term))


@lru_cache(maxsize=2_000)
def read(text: str, words_max: int) -> Question:
    """Read a query of at most ``words_max`` distinct words; one without any word has no concept."""
    text = text[: words.QUERY_LENGTH_MAX]
    phrase = words.read_query(text, words_max)
    concepts: dict[Concept, None] = {}
    for chunk in _chunks(text, frozenset(phrase.parts)):
        concepts.update(dict.fromkeys(_concepts(chunk)))
    pairs = tuple(dict.fromkeys(words.pairs_of(text)))[: words_max * 2]
    return Question(tuple(concepts), phrase.units, words.name_of(text), pairs)


def _chunks(text: str, telling: frozenset[Word]) -> Iterator[list[Word]]:
    """Yield the telling words between spaces where they are kana, all others of the text in one run."""
    run: list[Word] = []
    for piece in words.fold(text).split():
        found = [word for word in words.cut(piece) if word in telling]
        if spelling.is_kana(piece) and len(piece) > 1:
            yield run
            yield [*found, Word((), particle=True, sound=spelling.katakana(piece))]
            run = []
        else:
            run += found
    yield run


def _concepts(chunk: Sequence[Word]) -> Iterator[Concept]:
    if chunk and not chunk[-1].forms:
        yield _spoken(chunk[:-1], chunk[-1].sound)
        return
    at = 0
    while at < len(chunk):
        longest = range(min(WORDS_IN_TERM_MAX, len(chunk) - at), 1, -1)
        length = next((size for size in longest if key_of(chunk[at : at + size]) in _table()), 1)
        groups = _groups(chunk[at : at + length])
        # 札幌市 is one place, also where the table knows 札幌 alone.
        if length == 1 and at + 1 < len(chunk) and chunk[at + 1].forms[0] in _ENDINGS_OF_PLACES:
            length = 2
        yield Concept(tuple(chunk[at : at + length]), groups)
        at += length


def _spoken(parts: Sequence[Word], sound: str) -> Concept:
    """Return what kana may stand for: the word of that sound, which no cutting of kana need find."""
    heard = _heard(sound)
    term = tuple(parts) or (heard,)
    return Concept(term, tuple(dict.fromkeys([*_groups((heard,)), *_groups(term)])), heard)


def meanings_of(keys: Sequence[str]) -> list[str]:
    """Return what stands in the index for each line of the table that has a term among these words, in their order."""
    found: dict[int, None] = {}
    for at, first in enumerate(keys):
        for known in _beginnings().get(first, ()):
            if tuple(keys[at : at + len(known)]) == known:
                found.update(dict.fromkeys(_table()[known]))
    return [f"{MEANING}{group}" for group in found]


@lru_cache(maxsize=1)
def digest() -> str:
    """Return a name for the table as it is: an index that was made with another is not ours."""
    return hashlib.sha256(repr(GROUPS).encode()).hexdigest()[:8]


def key_of(term: Sequence[Word]) -> tuple[str, ...]:
    """Return by what the table knows a term."""
    return tuple(word.key for word in term)


def _groups(term: Sequence[Word]) -> tuple[int, ...]:
    return tuple(_table().get(key_of(term), ()))


@lru_cache(maxsize=1)
def _beginnings() -> dict[str, list[tuple[str, ...]]]:
    """Return the keys of the table by their first word."""
    begun: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for known in _table():
        begun[known[0]].append(known)
    return dict(begun)


@lru_cache(maxsize=1)
def _terms() -> list[list[Term]]:
    return [[_term(term) for term in group] for group in GROUPS]


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, ...], list[int]]:
    table: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, group in enumerate(_terms()):
        for term in group:
            table[key_of(term)].append(number)
        for spoken in filter(spelling.is_kana, GROUPS[number]):
            table[key_of((_heard(spelling.katakana(spoken)),))].append(number)
    return dict(table)


def _term(text: str) -> Term:
    term = words.read_query(text, WORDS_IN_TERM_MAX).parts
    # No cutting of kana need find the word that they stand for: せんきょ would become a form of する.
    is_cut = spelling.is_kana(text) and (len(term) != 1 or term[0].forms[0] != spelling.settled(text))
    return (_heard(spelling.katakana(text)),) if is_cut else term


def _heard(sound: str) -> Word:
    return Word((SOUND + sound,), particle=False)


def mistyped(concept: Concept) -> list[Concept]:
    """Return what the table of synonyms knows that differs from a single word by one slip of the fingers."""
    if len(concept.term) != 1 or not concept.term[0].spelt:
        return []
    typed = concept.term[0].spelt
    near = {known for shape in _slips(typed) for known in _spelt().get(shape, ())} - {typed}
    return [Concept(term, _groups(term)) for term in map(_term, sorted(near))]


@lru_cache(maxsize=1)
def _spelt() -> dict[str, list[str]]:
    """Return the words of the table by themselves and by what is left of them without one letter."""
    shapes: dict[str, list[str]] = defaultdict(list)
    single = {term[0].spelt for group in _terms() for term in group if len(term) == 1 and term[0].spelt}
    for known in single:
        for shape in _slips(known):
            shapes[shape].append(known)
    return dict(shapes)


def _slips(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
