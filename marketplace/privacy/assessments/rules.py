"""When an assessment is needed, and what it must say. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from marketplace.identity.rules import checked_text
from marketplace.kit.errors import Invalid
from marketplace.kit.texts import is_storable
from marketplace.privacy.assessments.questions import questions
from marketplace.privacy.assessments.states import Depth
from marketplace.privacy.rules import PERSONAL, PROCESSED
from marketplace.privacy.states import PrivacyClass

ANSWER_MAX = 4_000
SUMMARY_MAX = 2_000
WORDS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Signs:
    """What of a dataset says how much of an assessment it needs."""

    privacy_class: PrivacyClass
    has_lawful_basis: bool = False
    has_quasi_identifiers: bool = False


def threshold(signs: Signs) -> tuple[Depth, tuple[str, ...]]:
    """Return how much of an assessment is needed, and the grounds by name."""
    full = {"personal-class": signs.privacy_class in PERSONAL, "lawful-basis": signs.has_lawful_basis}
    short = {
        "processed-class": signs.privacy_class in PROCESSED,
        "quasi-identifiers": signs.has_quasi_identifiers,
    }
    grounds = tuple(name for name, holds in (full | short).items() if holds)
    if any(full.values()):
        return Depth.FULL, grounds
    return (Depth.SHORT if any(short.values()) else Depth.NONE), grounds


def checked_answers(depth: Depth, privacy_class: PrivacyClass, answers: Mapping[str, str]) -> dict[str, str]:
    """Return answers to questions that there are, or raise Invalid."""
    known = {question.code for question in questions(depth, privacy_class)}
    errors = [
        {"pointer": f"/answers/{code}", "detail": "is no question of this assessment, or too long an answer"}
        for code, answer in answers.items()
        if code not in known or len(answer) > ANSWER_MAX or not is_storable(code, answer)
    ]
    if errors:
        raise Invalid(errors=errors)
    return {code: answer.strip() for code, answer in answers.items()}


def missing(depth: Depth, privacy_class: PrivacyClass, answers: Mapping[str, str], *summaries: str) -> list[str]:
    """Return what keeps an assessment from being submitted: unanswered questions, and summaries."""
    unanswered = [one.code for one in questions(depth, privacy_class) if not answers.get(one.code, "").strip()]
    named = ("summary_ja", "summary_en")
    return unanswered + [name for name, text in zip(named, summaries, strict=True) if not text.strip()]


def checked_words(field: str, words: str) -> str:
    """Return words of people tidied, or raise Invalid."""
    return checked_text(field, words, WORDS_MAX)
