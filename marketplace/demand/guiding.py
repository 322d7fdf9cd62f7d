"""What comparable deals cost: counted once a month from fulfilled orders, and told only of enough of them.

Deals are of the same theme, the same kind of price, and a prefecture or the whole country, over three years up to the
end of the month before. A buyer counts once, with the median of what it paid, so that nobody's many orders make the
price; at least five buyers and three providers stand behind each figure. Quartiles are told to two significant
digits, counts as the lower end of a band, and a month that was counted never changes.
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import exists, select, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.demand import rules
from marketplace.demand.models import PriceGuide
from marketplace.kit import clock, settings
from marketplace.kit.db import db

PROVIDERS_MIN = 3
YEARS = 3
# A deal whose money went back in part or whole is none; private offers and what the public cannot see are left out.
_DEALS = text("""
WITH deal AS (
    SELECT o.id, o.organization_id AS buyer_id, o.provider_organization_id AS provider_id, o.price_kind,
           o.amount_net_yen AS yen, d.themes, d.region
      FROM purchase_order o
      JOIN dataset d ON d.id = o.dataset_id
      JOIN offer f ON f.id = o.offer_id
     WHERE o.state = 'fulfilled' AND o.amount_net_yen > 0 AND f.buyer_organization_id IS NULL
       AND o.organization_id <> o.provider_organization_id
       AND o.created_at >= :first AND o.created_at < :after
       AND EXISTS (SELECT FROM listing l WHERE l.dataset_id = o.dataset_id)
       AND NOT EXISTS (
           SELECT FROM refund r JOIN invoice i ON i.id = r.invoice_id
            WHERE i.order_id = o.id AND r.state <> 'failed')
), placed AS (
    SELECT deal.*, theme, area
      FROM deal, jsonb_array_elements_text(themes) AS theme,
           unnest(CASE region WHEN 'JP' THEN ARRAY['JP'] ELSE ARRAY['JP', left(region, 2)] END) AS area
), bought AS (
    SELECT theme, price_kind, area, buyer_id, count(*) AS deals,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY yen) AS yen
      FROM placed GROUP BY 1, 2, 3, 4
), sold AS (
    SELECT theme, price_kind, area, count(DISTINCT provider_id) AS providers FROM placed GROUP BY 1, 2, 3
)
SELECT theme, price_kind, area, sum(deals) AS deals, count(*) AS buyers,
       percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY yen) AS yen
  FROM bought JOIN sold USING (theme, price_kind, area)
 WHERE providers >= :providers
 GROUP BY 1, 2, 3 HAVING count(*) >= :buyers
""")


def count_month(today: date) -> int:
    """Count what deals cost up to the end of the month before, if nobody has; return how many figures are new."""
    month, first, after = _span(today)
    if db.session.scalar(select(exists().where(PriceGuide.month == month))):
        return 0
    asked = {
        "first": first,
        "after": after,
        "providers": PROVIDERS_MIN,
        "buyers": settings.current().price_guidance_min,
    }
    rows = [_row(month, found) for found in db.session.execute(_DEALS, asked).mappings()]
    if not rows:
        return 0
    written = insert(PriceGuide).on_conflict_do_nothing().returning(PriceGuide.theme)
    return len(db.session.scalars(written, rows).all())


def _row(month: str, found: Any) -> dict[str, Any]:
    lower, median, upper = (rules.rounded(int(yen)) for yen in found["yen"])
    return {
        "month": month,
        "theme": found["theme"],
        "price_kind": found["price_kind"],
        "region": found["area"],
        "deals_min": rules.band(int(found["deals"])),
        "buyers_min": rules.band(int(found["buyers"])),
        "lower_yen": lower,
        "median_yen": median,
        "upper_yen": upper,
    }


def _span(today: date) -> tuple[str, datetime, datetime]:
    """Return the month that has ended, and the instants between which deals count."""
    first = today.replace(year=today.year - YEARS, day=1)
    after = today.replace(day=1)
    return f"{after - timedelta(days=1):%Y-%m}", _midnight(first), _midnight(after)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, clock.JST)
