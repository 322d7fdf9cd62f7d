"""Codes that people read: enumerations with a Japanese and an English label."""

import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, Self


class Labelled(StrEnum):
    """A code with its labels; written ``NAME = "code", "日本語", "English", *aliases``."""

    _value_: str
    ja: str
    en: str
    aliases: tuple[str, ...]

    # Type checkers take an enumeration's __new__ for the signature of looking a member up by its code.
    if not TYPE_CHECKING:  # pragma: no branch - never false at run time

        def __new__(cls, code: str, ja: str, en: str, *aliases: str) -> Self:
            """Make one member out of its code, labels and the other spellings accepted on input."""
            member = str.__new__(cls, code)
            member._value_ = code
            member.ja, member.en, member.aliases = ja, en, aliases
            return member

    @classmethod
    def named(cls, word: str) -> Self | None:
        """Return the member that the word names as code, Japanese label or alias, whatever its width or case."""
        wanted = _fold(word)
        for member in cls:
            if wanted in map(_fold, (member.value, member.ja, *member.aliases)):
                return member
        return None


def _fold(word: str) -> str:
    return unicodedata.normalize("NFKC", word).strip().casefold()
