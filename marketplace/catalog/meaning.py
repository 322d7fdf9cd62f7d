"""What a query may mean: its words, grouped as the table of synonyms groups them, with other ways to say the same."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from marketplace.catalog import spelling, words
from marketplace.catalog.synonyms import GROUPS
from marketplace.catalog.words import SOUND, Word

WORDS_IN_TERM_MAX = 5
OTHERS_MAX = 16
SHAPE_LEAST = 3  # 京都 stands in 東京都, and is another place
Term = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing that is looked for: the words as they were written, and other terms for it."""

    term: Term
    others: tuple[Term, ...]

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
        yield from _spoken(chunk[:-1], chunk[-1].sound)
        return
    at = 0
    while at < len(chunk):
        length = next(
            (n for n in range(min(WORDS_IN_TERM_MAX, len(chunk) - at), 1, -1) if _key(chunk[at : at + n]) in _table()),
            1,
        )
        term = tuple(chunk[at : at + length])
        yield Concept(term, _others(term))
        at += length


def _spoken(parts: Sequence[Word], sound: str) -> Iterator[Concept]:
    """Yield what kana may stand for: the word of that sound, which no cutting of kana need find."""
    term = tuple(parts) or (_heard(sound),)
    heard = (_heard(sound),)
    yield Concept(term, tuple(dict.fromkeys([heard, *_others(heard), *_others(term)]))[:OTHERS_MAX])


def _others(term: Term) -> tuple[Term, ...]:
    others = [other for group in _table().get(_key(term), ()) for other in _terms()[group] if _key(other) != _key(term)]
    return tuple(dict.fromkeys(others))[:OTHERS_MAX]


def _key(term: Sequence[Word]) -> tuple[str, ...]:
    # The dictionary writes English in katakana, but not every ending of it.
    return tuple(word.forms[0] if word.forms[0].isascii() else word.forms[-1] for word in term)


@lru_cache(maxsize=1)
def _terms() -> list[list[Term]]:
    return [[_term(term) for term in group] for group in GROUPS]


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, ...], list[int]]:
    table: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, group in enumerate(_terms()):
        for term in group:
            table[_key(term)].append(number)
        for spoken in filter(spelling.is_kana, GROUPS[number]):
            table[_key((_heard(spelling.katakana(spoken)),))].append(number)
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
    return [Concept(term, _others(term)) for term in map(_term, sorted(near))]


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
