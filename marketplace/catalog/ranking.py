"""How near a document is to a query: steps of nearness, each with its points.

A step depends on the document and the query alone, as do the points of a standing (``merit``) that come to it: no page
shifts because another dataset came or went, and a rebuilt index ranks as the old one did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

from marketplace.catalog import meaning
from marketplace.catalog.entries import HEAD, TEXT, TITLE, schema
from marketplace.catalog.meaning import MEANING, Concept, Question, Term
from marketplace.catalog.narrowing import any_term, either, every
from marketplace.catalog.words import Word

WORDS_MAX = 32
FUZZY_TWICE_LEAST = 8
EVERYTHING = "everything"
POINTS = {
    EVERYTHING: 0,
    "title_is_query": 1000,
    "names_in_title": 960,
    "words_in_title": 920,
    "meaning_in_title": 880,
    "words_in_head": 850,
    "meaning_in_head": 810,
    "words_in_text": 780,
    "meaning_in_text": 740,
    "meaning_in_characters": 700,
    "most_words": 500,
    "nearly_spelt": 400,
    "characters": 300,
}
"""The steps, nearest first, and what each is worth. ``most_words`` is taken when few have all, the rest when none."""
PER_MISSING_WORD = 10
PAIRS_MISSING_MAX = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One degree of nearness, and the query for all documents that reach it."""

    name: str
    points: int
    query: Any


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps of a query, nearest first, and the query for all documents that stand on any of them."""

    steps: tuple[Step, ...]
    all: Any

    def __bool__(self) -> bool:
        """Tell whether anything can be found at all."""
        return bool(self.steps)


NOTHING = Ladder((), None)


@lru_cache(maxsize=2_000)
def exact(text: str) -> Ladder:
    """Return the steps for documents that have every word of the query, or one that means the same."""
    from tantivy import Query

    question = meaning.read(text, WORDS_MAX)
    if not question.name:
        return _joined([Step(EVERYTHING, POINTS[EVERYTHING], Query.all_query())])
    if not question.concepts:
        return NOTHING
    titled = _written(question, TITLE)
    named = any_term(schema(), ["name"], [question.name])
    whole = every([_having(unit, TITLE) for unit in question.units])
    steps = [
        ("title_is_query", every([titled, named])),
        ("names_in_title", every([titled, either([named, whole])])),
        ("words_in_title", titled),
        ("words_in_head", _written(question, HEAD)),
        ("words_in_text", _written(question, TEXT)),
    ]
    farthest = steps[-1][1]
    if any(concept.groups or concept.heard for concept in question.concepts):
        meant = (("meaning_in_title", TITLE), ("meaning_in_head", HEAD), ("meaning_in_text", TEXT))
        steps += [(name, every([_meant(concept, field) for concept in question.concepts])) for name, field in meant]
        farthest = either([farthest, steps[-1][1]])
    ordered = sorted(steps, key=lambda step: -POINTS[step[0]])
    return Ladder(tuple(Step(name, POINTS[name], query) for name, query in ordered), farthest)


@lru_cache(maxsize=500)
def wide(text: str) -> Ladder:
    """Return those steps, with that for the characters of all words, and those for most of three words or more."""
    near, more = exact(text), beyond(text)
    return Ladder((*near.steps, *more.steps), either([near.all, more.all])) if more else near


@lru_cache(maxsize=500)
def beyond(text: str) -> Ladder:
    """Return what ``wide`` adds: all that there is where nothing has all words."""
    question = meaning.read(text, WORDS_MAX)
    steps = []
    if any(filter(None, (concept.shapes for concept in question.concepts))):
        shaped = every([_shaped(concept) for concept in question.concepts])
        steps.append(Step("meaning_in_characters", POINTS["meaning_in_characters"], shaped))
    most = _most(question)
    # The last of most words holds all that have more of them.
    farthest = [step.query for step in (*steps, *most[-1:])]
    return Ladder((*steps, *most), either(farthest)) if farthest else NOTHING


@lru_cache(maxsize=500)
def loose(text: str) -> Ladder:
    """Return the steps for documents that have words spelt nearly so, or the same runs of characters."""
    question = meaning.read(text, WORDS_MAX)
    steps = []
    if any(word.spelt for word in question.words):
        near = every([_nearly(concept) for concept in question.concepts])
        steps.append(Step("nearly_spelt", POINTS["nearly_spelt"], near))
    if question.pairs:
        shaped = every([any_term(schema(), ["pairs"], [pair]) for pair in question.pairs])
        steps.append(Step("characters", POINTS["characters"], shaped))
    return _joined(steps)


def _joined(steps: Sequence[Step]) -> Ladder:
    return NOTHING if not steps else Ladder(tuple(steps), either([step.query for step in steps]))


def _most(question: Question) -> list[Step]:
    """Return the steps for all things but one or two, as conjunctions: those are led by the rarest thing of each."""
    meant = [_meant(concept, TEXT) for concept in question.concepts]
    if len(meant) < 3:
        return []
    missing = [1, 2] if 4 <= len(meant) <= PAIRS_MISSING_MAX else [1]
    return [
        Step(
            "most_words",
            POINTS["most_words"] - PER_MISSING_WORD * count,
            either([every(there) for there in combinations(meant, len(meant) - count)]),
        )
        for count in missing
    ]


def _written(question: Question, field: str) -> Any:
    return every([_having(word, field) for word in question.words])


def _meant(concept: Concept, field: str) -> Any:
    tokens = [f"{MEANING}{group}" for group in concept.groups] + list(concept.heard.forms if concept.heard else ())
    # Where the words of a term stand together the index has its meaning. Each further way to say a thing is dear: what
    # has several ways cannot be skipped through, where other things are rarer.
    written = [] if concept.groups and not concept.heard else [_said(concept.term, field)]
    return either([*written, *([any_term(schema(), [field], tokens)] if tokens else [])])


def _shaped(concept: Concept) -> Any:
    shapes = [every([any_term(schema(), ["pairs"], [pair]) for pair in pairs]) for pairs in concept.shapes if pairs]
    return either([_meant(concept, TEXT), *shapes])


def _said(term: Term, field: str) -> Any:
    return every([_having(word, field) for word in term])


def _having(word: Word, field: str) -> Any:
    return any_term(schema(), [field], word.forms)


def _nearly(concept: Concept) -> Any:
    alike = [_meant(other, TEXT) for other in meaning.mistyped(concept)]
    return either([_meant(concept, TEXT), every([_fuzzy(word) for word in concept.term]), *alike])


def _fuzzy(word: Word) -> Any:
    from tantivy import Query

    if not word.spelt:
        return _having(word, TEXT)
    distance = 2 if len(word.spelt) >= FUZZY_TWICE_LEAST else 1
    near = Query.fuzzy_term_query(schema(), "spelt", word.spelt, distance=distance, transposition_cost_one=True)
    return either([_having(word, TEXT), near])
