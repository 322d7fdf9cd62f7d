"""Bringing the cells of a column to one spelling: NFKC, one hyphen, no line breaks, bounded length."""

import re
import unicodedata
from collections.abc import Iterable

CELL_CHARACTERS = 20_000
"""So much of a cell is looked at: the readers refuse cells that are much longer."""

_HYPHENS = dict.fromkeys(map(ord, "‐‑‒–—―−﹣－ｰ─━"), "-")
_LONG_VOWEL = re.compile(r"(?<=[0-9)])ー(?=[0-9(])")  # typed where a hyphen was meant
_BREAKS = dict.fromkeys(map(ord, "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), " ")


def folded(text: str) -> str:
    """Return the text with full-width forms, hyphens and line breaks brought to one spelling."""
    if text.isascii():
        return text.translate(_BREAKS)
    return _plain(text).translate(_BREAKS)


def lines(cells: Iterable[str]) -> str:
    """Return the cells folded, one on each line, in their order."""
    marked = "\n".join(cell[:CELL_CHARACTERS].strip().translate(_BREAKS) for cell in cells)
    if marked.isascii():
        return marked
    return _plain(marked)


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text.translate(_HYPHENS)).translate(_HYPHENS)
    return _LONG_VOWEL.sub("-", plain) if "ー" in plain else plain
