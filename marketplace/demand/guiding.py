"""What comparable deals cost: counted once a month from fulfilled orders, and told only of enough of them.

Deals are of the same theme (the first of their dataset), the same kind of price, and a prefecture or the whole country,
over three years up to the end of the month before. A buyer counts once, with the median of what it paid, so that
nobody's many orders make the price; at least five buyers and three providers stand behind each figure. Quartiles are
told to two significant digits, counts as the lower end of a band; a figure never changes, and the next one is told once
enough buyers differ (``comparing``).
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import exists, select, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.demand import comparing, queries, rules
from marketplace.demand.comparing import Costs, Deal, Figure
from marketplace.demand.models import PriceGuide
from marketplace.kit import settings
from marketplace.kit.db import db

# A deal whose money went back in part or whole is none; private offers and what the public cannot see are left out. A
# dataset of two themes counts in its first one alone: two figures of nearly the same deals would tell the rest.
_DEALS = text("""
SELECT d.themes ->> 0 AS theme, o.price_kind, CASE d.region WHEN 'JP' THEN 'JP' ELSE left(d.region, 2) END AS area,
       o.organization_id AS buyer_id, o.provider_organization_id AS provider_id, o.amount_net_yen AS yen, o.created_at
  FROM purchase_order o
  JOIN dataset d ON d.id = o.dataset_id
  JOIN offer f ON f.id = o.offer_id
 WHERE o.state = 'fulfilled' AND o.amount_net_yen > 0 AND f.buyer_organization_id IS NULL
   AND o.organization_id <> o.provider_organization_id
   AND o.created_at >= :first AND o.created_at < :after
   AND d.audience IS NULL AND EXISTS (SELECT FROM listing l WHERE l.dataset_id = o.dataset_id)
   AND NOT EXISTS (
       SELECT FROM refund r JOIN invoice i ON i.id = r.invoice_id
        WHERE i.order_id = o.id AND r.state <> 'failed')
 ORDER BY 1, 2
""")


def count_month(today: date) -> int:
    """Count what deals cost up to the end of the month before, if nobody has; return how many figures are new."""
    month = f"{today.replace(day=1) - timedelta(days=1):%Y-%m}"
    if db.session.scalar(select(exists().where(PriceGuide.month == month))):
        return 0
    before = queries.price_figures(comparing.oldest(month))
    buyers_min = settings.current().price_guidance_min
    rows = []
    for (theme, price_kind), deals in _markets(month, (told.month for told in before)):
        told = [Figure(one.month, one.region) for one in before if (one.theme, one.price_kind) == (theme, price_kind)]
        key = {"month": month, "theme": theme, "price_kind": price_kind}
        rows += [key | _figures(costs) for costs in comparing.tellable(deals, told, month, buyers_min)]
    if not rows:
        return 0
    written = insert(PriceGuide).on_conflict_do_nothing().returning(PriceGuide.theme)
    return len(db.session.scalars(written, rows).all())


def _markets(month: str, before: Iterable[str]) -> Iterator[tuple[tuple[str, str], list[Deal]]]:
    """Yield the deals of each theme and kind of price, of a month's span and of those told before."""
    first, _after = comparing.span(min((month, *before)))
    asked = {"first": first, "after": comparing.span(month)[1]}
    found = db.session.execute(_DEALS, asked, execution_options={"stream_results": True})
    for key, rows in groupby(found, key=lambda row: (row.theme, row.price_kind)):
        yield key, [Deal(row.area, row.buyer_id, row.provider_id, row.yen, row.created_at) for row in rows]


def _figures(costs: Costs) -> dict[str, Any]:
    lower, median, upper = (rules.rounded(yen) for yen in costs.quartiles)
    return {
        "region": costs.area,
        "deals_min": rules.band(costs.deals),
        "buyers_min": rules.band(costs.buyers),
        "lower_yen": lower,
        "median_yen": median,
        "upper_yen": upper,
    }
