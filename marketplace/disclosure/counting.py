"""What one month of trade comes to, by dataset and class of buyer: one statement over orders, earnings and usage."""

from collections import defaultdict
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import text

from marketplace.audit.verbs import Verb
from marketplace.disclosure.rules import Cell
from marketplace.kit.clock import JST
from marketplace.kit.db import db
from marketplace.metering.periods import following

UNLISTED = ""
"""The key of all datasets together that the public cannot see (any more)."""

# A trade counts in the month in which its order was fulfilled, money on the day when it was booked, bytes when they
# were fetched. A class of buyers is told by dataset, and no buyer is in two of them: so many different ones stand
# behind each figure, and they add up, except over datasets. Each buyer is netted before holders of an amount are
# counted: who bought and got all of it back holds none. What is listed to a group alone is no part of it, not even of
# what is told together: beside a month without it, or by somebody who knows the rest, its sales would be left over.
_MONTH = text("""
WITH trade AS (
    SELECT o.dataset_id, o.organization_id AS buyer_id, count(*) AS trades
      FROM audit_entry e JOIN purchase_order o ON o.id = e.subject
     WHERE e.verb = :fulfilled AND e.occurred_at >= :first AND e.occurred_at < :after
     GROUP BY 1, 2
), money AS (
    SELECT dataset_id, buyer_organization_id AS buyer_id, sum(net_yen) AS yen
      FROM earning WHERE occurred_on >= :first_day AND occurred_on < :next_day
     GROUP BY 1, 2
), fetched AS (
    SELECT dataset_id, organization_id AS buyer_id, sum(bytes_acked) AS bytes
      FROM usage_rollup WHERE hour >= :first AND hour < :after
     GROUP BY 1, 2
), found AS (
    SELECT dataset_id, buyer_id, trades, 0 AS yen, 0 AS bytes FROM trade
     UNION ALL SELECT dataset_id, buyer_id, 0, yen, 0 FROM money
     UNION ALL SELECT dataset_id, buyer_id, 0, 0, bytes FROM fetched
), each AS (
    SELECT coalesce(l.dataset_id, '') AS dataset_id, buyer_id,
           sum(trades) AS trades, sum(yen) AS yen, sum(bytes) AS bytes
      FROM found LEFT JOIN listing l ON l.dataset_id = found.dataset_id
     WHERE NOT EXISTS (SELECT FROM dataset d WHERE d.id = found.dataset_id AND d.audience IS NOT NULL)
     GROUP BY 1, 2
)
SELECT each.dataset_id, b.kind, count(DISTINCT buyer_id) AS buyers,
       sum(trades) AS trades, sum(yen) AS yen, sum(bytes) AS bytes,
       count(*) FILTER (WHERE trades <> 0) AS trading, count(*) FILTER (WHERE yen <> 0) AS paying,
       count(*) FILTER (WHERE bytes <> 0) AS fetching
  FROM each JOIN organization b ON b.id = each.buyer_id
 GROUP BY GROUPING SETS ((1, 2), ())
 ORDER BY 1, 2
""")


def month_of_trade(month: date) -> tuple[Cell, int]:
    """Return the trade of a month as datasets with classes of buyers, and how many different buyers it had.

    Counts are buyers, amounts trades, yen before tax and bytes, holders those who have some of each.
    """
    rows = db.session.execute(_MONTH, _asked(month)).all()
    parts: dict[str, list[Cell]] = defaultdict(list)
    buyers = 0
    for row in rows:
        if row.kind is None:
            buyers = row.buyers
        else:
            parts[row.dataset_id].append(_leaf(row))
    return _total("total", [_total(dataset_id, kinds) for dataset_id, kinds in parts.items()]), buyers


def span(month: date) -> tuple[datetime, datetime]:
    """Return the instants at which a month in Japan begins and the next one does."""
    return datetime.combine(month, time.min, JST), datetime.combine(following(month), time.min, JST)


def _asked(month: date) -> dict[str, object]:
    first, after = span(month)
    days = {"first_day": month, "next_day": following(month)}
    return {"fulfilled": Verb.ORDER_FULFILLED.value, "first": first, "after": after} | days


def _leaf(row: Any) -> Cell:
    amounts = int(row.trades), int(row.yen), int(row.bytes)
    return Cell(row.kind, row.buyers, amounts, (row.trading, row.paying, row.fetching))


def _total(key: str, parts: list[Cell]) -> Cell:
    amounts = tuple(sum(part.amounts[place] for part in parts) for place in range(3))
    holders = tuple(sum(part.holders[place] for part in parts) for place in range(3))
    return Cell(key, sum(part.count for part in parts), amounts, holders, tuple(parts))
