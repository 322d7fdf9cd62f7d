"""The report on a year: every figure by principle, in full and as the public may have it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from marketplace.disclosure import queries
from marketplace.disclosure.annual import equity, openness, safety, sustainability, transparency
from marketplace.disclosure.annual.figures import MONTHS, Figure, by_month, public, total, whole
from marketplace.disclosure.annual.reading import Year, has_private_trade
from marketplace.disclosure.models import RegisterMonth
from marketplace.disclosure.states import Principle, Showing
from marketplace.kit import clock, settings

SOURCES: dict[Principle, Callable[[Year], Iterator[Figure]]] = {
    Principle.EQUITY: equity.figures,
    Principle.TRANSPARENCY: transparency.figures,
    Principle.SAFETY: safety.figures,
    Principle.OPENNESS: openness.figures,
    Principle.SUSTAINABILITY: sustainability.figures,
}
_OF_REGISTER = {"trades": "trades", "sales": "yen", "bytes": "bytes"}
Document = dict[str, Any]


def compile_report(year: int) -> tuple[Document, Document]:
    """Return the report on a year in full, and the public version of it, both as JSON."""
    threshold, months = settings.current().register_threshold, queries.list_months_of(year)
    counted = {principle: list(source(Year(year))) for principle, source in SOURCES.items()}
    # The register misses no month from its first one on: before that there was no trade.
    is_told = bool(months) and months[-1].month.endswith(MONTHS[-1])
    # What the register leaves out, the year's other amounts would tell beside it.
    shown = is_told and all(_tells_amounts(month.document) for month in months) and not has_private_trade(Year(year))
    full = _document(year, threshold, counted, whole, is_public=False)

    def told(figure: Figure) -> Document:
        return (
            _of_register(figure, months)
            if figure.key in _OF_REGISTER
            else public(figure, threshold, months_shown=shown)
        )

    return full, _document(year, threshold, counted, told, is_public=True)


def _document(
    year: int,
    threshold: int,
    counted: dict[Principle, list[Figure]],
    tell: Callable[[Figure], Document],
    *,
    is_public: bool,
) -> Document:
    sections = [
        {"principle": principle.value, "figures": [tell(figure) for figure in figures]}
        for principle, figures in counted.items()
    ]
    at = clock.text(clock.now())
    return {"year": year, "computed_at": at, "threshold": threshold, "public": is_public, "sections": sections}


def _of_register(figure: Figure, months: Sequence[RegisterMonth]) -> Document:
    """Return trade as the register has told it already: whoever compared two sources could compute what one hides."""
    name, told = _OF_REGISTER[figure.key], {month.month[5:]: month.document for month in months}
    values = by_month({month: one[name] or 0 for month, one in told.items()})
    parts = [
        {"ja": part.ja, "en": part.en} | _of_month(month, told, name)
        for month, part in zip(MONTHS, values, strict=True)
    ]
    is_known = any(map(_tells_amounts, told.values()))
    showing = Showing.SHOWN if is_known else Showing.WITHHELD
    return whole(figure) | {"parts": parts, "showing": showing.value, "value": total(values) if is_known else None}


def _of_month(month: str, told: dict[str, Document], name: str) -> Document:
    if month in told:
        counted_alone = told[month]["showing"] == Showing.SHOWN and not _tells_amounts(told[month])
        showing = Showing.WITHHELD.value if counted_alone else told[month]["showing"]
        return {"showing": showing, "value": told[month][name]}
    is_before = bool(told) and month < min(told)
    return {"showing": (Showing.SHOWN if is_before else Showing.WITHHELD).value, "value": 0 if is_before else None}


def _tells_amounts(document: Document) -> bool:
    # A month may tell how many bought, and not how much: some of it was a few buyers alone.
    return document["yen"] is not None
