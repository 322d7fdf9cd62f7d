"""Equity, inclusion and social impact: who takes part, and what of it costs nothing."""

from collections.abc import Iterator

from marketplace.disclosure.annual.figures import Figure, Part, Secrecy, fewest, labelled, total
from marketplace.disclosure.annual.reading import Year, row, rows
from marketplace.disclosure.states import KINDS
from marketplace.licensing.states import DiscountClass

_LISTED = """
SELECT count(*) AS listed,
       count(*) FILTER (WHERE document->'price_classes' @> '["free"]') AS free,
       count(*) FILTER (WHERE document->'price_classes' = '[]') AS unoffered,
       count(*) FILTER (WHERE document->>'title_ja' <> '' AND document->>'title_en' <> '') AS bilingual
  FROM listing
"""
_MEMBERS = """
SELECT kind, count(*) AS many FROM organization
 WHERE state = 'verified' AND capacities @> CAST(:capacity AS jsonb) GROUP BY 1 ORDER BY 1
"""
_ELIGIBLE = """
SELECT discount_class, count(DISTINCT organization_id) AS many FROM eligibility
 WHERE state = 'granted' AND decided_at >= :first AND decided_at < :after GROUP BY 1 ORDER BY 1
"""
_FREE = """
SELECT count(*) AS trades, count(*) FILTER (WHERE o.price_kind = 'free') AS free,
       count(DISTINCT o.organization_id) FILTER (WHERE o.price_kind = 'free') AS free_buyers,
       count(DISTINCT o.organization_id) FILTER (WHERE o.price_kind <> 'free') AS paying_buyers
  FROM audit_entry e JOIN purchase_order o ON o.id = e.subject
 WHERE e.verb = 'billing.order.fulfilled' AND e.occurred_at >= :first AND e.occurred_at < :after
"""


def figures(year: Year) -> Iterator[Figure]:
    """Yield the figures of the principle."""
    yield from _catalogue(year)
    yield _members(year, "provider", "データ提供者(種類別)", "Providers by kind")
    yield _members(year, "buyer", "データ利用者(種類別)", "Buyers by kind")
    yield _eligible(year)
    yield _free(year)


def _catalogue(year: Year) -> Iterator[Figure]:
    found = row(_LISTED, year)
    paid = found.listed - found.free - found.unoffered
    yield Figure(
        key="datasets",
        ja="公開中のデータ",
        en="Datasets listed",
        value=found.listed,
        secrecy=Secrecy.OPEN,
        how_ja="集計日に公開カタログにあるデータの数。無料の販売条件が一つでもあれば「無料」。",
        how_en="Datasets in the public catalogue on the day of counting; free if any offer of them is.",
        parts=labelled(
            (
                (("無料", "Free"), found.free),
                (("有料のみ", "For a fee only"), paid),
                (("提供条件なし", "No offer"), found.unoffered),
            )
        ),
    )
    yield Figure(
        key="bilingual",
        ja="日英両方の題名を持つデータ",
        en="Datasets with titles in Japanese and English",
        value=found.bilingual,
        of=found.listed,
        secrecy=Secrecy.OPEN,
        how_ja="公開カタログのうち、日本語と英語の両方の題名があるもの。",
        how_en="Of the public catalogue, those that have a title in both languages.",
    )


def _members(year: Year, capacity: str, ja: str, en: str) -> Figure:
    found = rows(_MEMBERS, year, capacity=f'["{capacity}"]')
    parts = labelled((KINDS[one.kind], one.many) for one in found)
    return Figure(
        key=f"{capacity}s",
        ja=ja,
        en=en,
        value=total(parts),
        parts=parts,
        how_ja="集計日に審査済みの組織の数。一つの組織が提供と利用の両方に数えられることがある。",
        how_en="Organizations verified on the day of counting; one may both provide and buy.",
    )


def _eligible(year: Year) -> Figure:
    found = rows(_ELIGIBLE, year)
    parts = tuple(
        Part(DiscountClass(one.discount_class).ja, DiscountClass(one.discount_class).en, one.many) for one in found
    )
    return Figure(
        key="eligible",
        ja="割引資格を認められた利用者",
        en="Buyers found eligible for a discount",
        value=total(parts),
        parts=parts,
        how_ja="その年に公益・学術・中小企業・市内事業者として認められた組織の数(区分ごとに数える)。",
        how_en="Organizations found this year to be public-interest, academic, small or local; counted in each class.",
    )


def _free(year: Year) -> Figure:
    found = row(_FREE, year)
    return Figure(
        key="free_trades",
        ja="無料の取引の割合",
        en="Share of trades that were free",
        value=found.free,
        of=found.trades,
        parties=fewest((found.free_buyers, found.paying_buyers)),
        secrecy=Secrecy.TRADED,
        how_ja="その年に履行された注文のうち、価格が無料のもの。",
        how_en="Of the orders fulfilled in the year, those at the price of nothing.",
    )
