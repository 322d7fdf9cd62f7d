"""The two languages of the exchange, equal in rank, and which of them a reader prefers."""

from collections.abc import Iterable
from typing import Literal

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, ...] = ("ja", "en")


def preferred(accepted: Iterable[tuple[str, float]]) -> Language:
    """Return the language liked best among pairs of language range and quality (RFC 9110 section 12.5.4).

    A range counts by its first subtag, so that ``ja-JP`` is Japanese; English where neither is named.
    """
    liked = [
        (language, quality)
        for tag, quality in accepted
        for language in LANGUAGES
        if tag.lower().split("-")[0] == language and quality > 0
    ]
    return max(liked, key=lambda pair: pair[1])[0] if liked else "en"
