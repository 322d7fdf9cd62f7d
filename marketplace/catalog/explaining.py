"""Why a dataset stands where it does among what a search found, in figures that add up."""

from collections.abc import Mapping
from typing import Any

from marketplace.catalog import entries, meaning, merit, ranking, words
from marketplace.catalog.answering import SearchHit
from marketplace.catalog.meaning import Concept, Term
from marketplace.catalog.ranking import EVERYTHING

STEPS = {
    EVERYTHING: ("言葉なし: 新しい順", "no words: the newest first"),
    "title_is_query": ("題名そのもの", "the title is the query"),
    "names_in_title": ("題名に名称がそのままある", "the title has its names whole"),
    "words_in_title": ("題名にすべての語がある", "the title has all words"),
    "meaning_in_title": ("題名にすべての語またはその同義語がある", "the title has all words, or such as mean the same"),
    "words_in_head": (
        "題名・タグ・列名・提供者・地域にすべての語がある",
        "title, tags, columns, publisher and place have all words",
    ),
    "meaning_in_head": ("同じ範囲にすべての語またはその同義語がある", "these have all words, or such as mean the same"),
    "words_in_text": ("説明や値も含めすべての語がある", "all words are there, with descriptions and values"),
    "meaning_in_text": (
        "説明や値も含めすべての語またはその同義語がある",
        "all words, or such as mean the same, are there",
    ),
    "meaning_in_characters": (
        "切れ目を問わず、語または同義語の文字の並びがある",
        "the characters of all words, or such as mean the same, are there",
    ),
    "most_words": ("大半の語がある", "most of the words are there"),
    "nearly_spelt": ("つづりの近い語がある", "words spelt nearly like these are there"),
    "characters": ("同じ文字の並びがある", "the same runs of characters are there"),
}
_FIELDS = ((entries.TITLE, entries.title_texts), (entries.HEAD, entries.head_texts), (entries.TEXT, entries.body_texts))


def explain(text: str, hit: SearchHit, document: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a hit's score, and for each thing looked for where and as what it was found."""
    standing, (ja, en) = merit.standing_of(document), STEPS[hit.step]
    parts = {"quality": standing.quality, "trust": standing.trust, "freshness": standing.freshness}
    ranked = hit.step != EVERYTHING
    return {
        "score": hit.score,
        "nearness": {"step": hit.step, "points": hit.score - standing.points if ranked else 0, "ja": ja, "en": en},
        "standing": parts if ranked else dict.fromkeys(parts, 0),
        "words": _found(text, document),
    }


def _found(text: str, document: dict[str, Any]) -> list[dict[str, str | None]]:
    forms = {field: _forms(texts(document)) for field, texts in _FIELDS}
    return [_place_of(concept, forms) for concept in meaning.read(text, ranking.WORDS_MAX).concepts]


def _forms(texts: list[str]) -> set[str]:
    return {form for text in texts for form in words.read_text(text).forms}


def _place_of(concept: Concept, forms: Mapping[str, set[str]]) -> dict[str, str | None]:
    for field, there in forms.items():
        for term in (concept.term, *concept.others):
            if all(there.intersection(word.forms) for word in term):
                return {"word": _written(concept.term), "found_as": _written(term), "field": field}
    return {"word": _written(concept.term), "found_as": None, "field": None}


def _written(term: Term) -> str:
    apart = " " if all(word.forms[0].isascii() for word in term) else ""
    return apart.join(word.spelt or word.forms[0] for word in term)
