"""Hiding what a detector found, before a sample of a table is shown to anybody."""

from collections.abc import Iterable, Sequence

from marketplace.privacy.detectors import folding
from marketplace.privacy.detectors.cells import PATTERNS
from marketplace.privacy.detectors.kinds import Finding, Level

MASK = "＊＊＊"
_INSIDE = tuple(pattern for pattern in PATTERNS if not pattern.whole)


def masked(text: str) -> str:
    """Return a text with what identifies somebody in the midst of it replaced; unchanged where nothing does."""
    plain = folding.folded(text)
    spans = sorted(match.span() for pattern in _INSIDE for match in pattern.matches(plain))
    if not spans:
        return text
    kept, at = [], 0
    for start, end in spans:
        if start >= at:
            kept.append(plain[at:start] + MASK)
        at = max(at, end)
    return "".join(kept) + plain[at:]


def masked_rows(
    rows: Sequence[Sequence[str | None]], findings: Iterable[Finding], *, notes: bool = False
) -> list[list[str | None]]:
    """Return rows in which the columns of the findings are masked whole; notes only where asked for."""
    hidden = {one.place for one in findings if notes or one.level is not Level.NOTE}
    return [[MASK if place in hidden and cell else cell for place, cell in enumerate(row, start=1)] for row in rows]
