"""Facets as links: each value adds or takes away one filter of the search."""

from collections.abc import Callable
from dataclasses import dataclass

from marketplace.catalog.narrowing import FACETS
from marketplace.identity import queries as identity
from marketplace.web import figures
from marketplace.web.language import say

TITLES = {
    "theme": ("分野", "Theme"),
    "format": ("形式", "Format"),
    "licence": ("ライセンス", "Licence"),
    "price_class": ("料金", "Price"),
    "region": ("地域", "Region"),
    "publisher": ("提供者", "Publisher"),
    "frequency": ("更新頻度", "Update frequency"),
    "year": ("対象年", "Year of the data"),
    "privacy_class": ("個人情報の区分", "Personal data"),
    "delivery": ("受け渡し", "Delivery"),
    "quality": ("品質（点）", "Quality (points)"),
}
LABELS: dict[str, Callable[[str], str]] = {
    "theme": figures.theme,
    "format": str.upper,
    "licence": figures.licence,
    "price_class": figures.price_class,
    "region": figures.region,
    "frequency": figures.frequency,
    "year": str,
    "privacy_class": figures.privacy_class,
    "delivery": figures.delivery,
    "quality": str,
}
VALUES_SHOWN = 12
Filters = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet: how many datasets have it, and where following it leads."""

    label: str
    datasets: int
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Group:
    """One facet with its most frequent values and all chosen ones; ``hidden`` counts the rest."""

    title: str
    values: list[Value]
    hidden: int


def groups(counts: dict[str, dict[str, int]], filters: Filters, address: Callable[[Filters], str]) -> list[Group]:
    """Return the facets of a search result that have any value."""
    return [
        _group(facet, counts.get(facet, {}), filters, address)
        for facet in FACETS
        if counts.get(facet) or filters.get(facet)
    ]


def _group(facet: str, counts: dict[str, int], filters: Filters, address: Callable[[Filters], str]) -> Group:
    chosen = filters.get(facet, [])
    # The code is no wish of anybody's: it keeps the order of equal counts the same from page to page.
    ranked = sorted(counts, key=lambda code: (-counts[code], code))
    shown = [*dict.fromkeys([*ranked[:VALUES_SHOWN], *chosen])]
    labels = _labels(facet, shown)
    values = [
        Value(labels[code], counts.get(code, 0), address(_toggled(filters, facet, code)), code in chosen)
        for code in shown
    ]
    return Group(say(*TITLES[facet]), values, len(set(counts) - set(shown)))


def _toggled(filters: Filters, facet: str, code: str) -> Filters:
    before = filters.get(facet, [])
    after = [other for other in before if other != code] if code in before else [*before, code]
    return {**filters, facet: after}


def _labels(facet: str, codes: list[str]) -> dict[str, str]:
    if facet != "publisher":
        return {code: LABELS[facet](code) for code in codes}
    known = identity.find_organizations(codes)
    return {code: say(known[code].name_ja, known[code].name_en) if code in known else code for code in codes}
