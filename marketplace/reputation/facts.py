"""What twelve months of a provider come to: releases, sales, what was given back and what was contested."""

from collections.abc import Sequence
from datetime import date, datetime, time
from itertools import groupby
from typing import Any

from sqlalchemy import text

from marketplace.catalog import punctuality
from marketplace.kit.clock import JST
from marketplace.kit.db import db
from marketplace.metering.periods import following
from marketplace.reputation.rules import Facts, Share

MONTHS = 12
# What is or was listed to everybody, sold at an offer that everybody could see: orders in the month in which they were
# placed, and paid bills of metered usage in the month in which they were issued. Money goes back of a bill, not of its
# lines, so one that bills something private as well is left out.
_SALES = text("""
WITH ordered AS (
    SELECT o.id, o.organization_id AS buyer
      FROM purchase_order o JOIN dataset d ON d.id = o.dataset_id JOIN offer f ON f.id = o.offer_id
     WHERE o.provider_organization_id = :provider AND d.audience IS NULL AND f.buyer_organization_id IS NULL
       AND o.state = 'fulfilled' AND o.amount_gross_yen > 0 AND o.organization_id <> :provider
       AND o.created_at >= :first AND o.created_at < :after
), billed AS (
    SELECT i.id, i.recipient_organization_id AS buyer
      FROM access_grant g JOIN dataset d ON d.id = g.dataset_id JOIN offer f ON f.id = g.offer_id
      JOIN rated_line l ON l.grant_id = g.id JOIN invoice i ON i.id = l.invoice_id
     WHERE g.provider_organization_id = :provider AND i.kind = 'usage' AND i.state = 'paid' AND i.amount_gross_yen > 0
       AND i.recipient_organization_id <> :provider AND i.created_at >= :first AND i.created_at < :after
     GROUP BY i.id HAVING bool_and(d.audience IS NULL AND f.buyer_organization_id IS NULL)
), sold AS (
    SELECT id, buyer, id AS order_id, NULL AS bill_id FROM ordered
    UNION ALL
    SELECT id, buyer, NULL, id FROM billed
), went AS (
    SELECT sold.id, sold.buyer,
           EXISTS (SELECT FROM invoice i JOIN refund r ON r.invoice_id = i.id
                    WHERE (i.order_id = sold.order_id OR i.id = sold.bill_id) AND r.state = 'succeeded'
                      AND r.reason IN ('requested', 'service_level')) AS refunded,
           EXISTS (SELECT FROM invoice i JOIN dispute d ON d.invoice_id = i.id
                    WHERE (i.order_id = sold.order_id OR i.id = sold.bill_id) AND d.state <> 'warning') AS disputed,
           EXISTS (SELECT FROM invoice i JOIN dispute d ON d.invoice_id = i.id
                    WHERE (i.order_id = sold.order_id OR i.id = sold.bill_id) AND d.state = 'lost') AS lost
      FROM sold
)
SELECT count(*) AS sold, count(DISTINCT buyer) AS sold_to,
       count(*) FILTER (WHERE refunded) AS refunded, count(DISTINCT buyer) FILTER (WHERE refunded) AS refunded_to,
       count(*) FILTER (WHERE disputed) AS disputed, count(DISTINCT buyer) FILTER (WHERE disputed) AS disputed_by,
       count(*) FILTER (WHERE lost) AS lost, count(DISTINCT buyer) FILTER (WHERE lost) AS lost_to
  FROM went
""")
_RELEASES = text("""
SELECT d.id, d.update_frequency, r.published_at
  FROM dataset d JOIN release r ON r.dataset_id = d.id
 WHERE d.organization_id = :provider AND d.audience IS NULL AND d.state <> 'withdrawn'
   AND r.state = 'published' AND r.published_at < :after
 ORDER BY d.id, r.published_at
""")


def of_months(provider_id: str, last: date) -> Facts:
    """Return the facts of the twelve months that end with one, by its first day."""
    after = _start(following(last))
    asked = {"provider": provider_id, "first": _start(first_month(last)), "after": after}
    row = db.session.execute(_SALES, asked).one()
    on_time, promised = _kept(db.session.execute(_RELEASES, asked).all(), asked["first"], after)  # type: ignore[arg-type]
    return Facts(
        promised=promised,
        on_time=on_time,
        sold=Share(row.sold, row.sold_to),
        refunded=Share(row.refunded, row.refunded_to),
        disputed=Share(row.disputed, row.disputed_by),
        lost=Share(row.lost, row.lost_to),
    )


def first_month(last: date) -> date:
    """Return the first of the twelve months that end with one."""
    return following(last).replace(year=following(last).year - 1)


def _kept(rows: Sequence[Any], first: datetime, after: datetime) -> tuple[int, int]:
    on_time = promised = 0
    for _dataset_id, releases in groupby(rows, key=lambda row: row.id):
        known = list(releases)
        frequency, moments = known[0].update_frequency, [row.published_at for row in known]
        turns = [turn for turn in punctuality.turns(frequency, moments) if turn.published_at >= first]
        kept, due = punctuality.kept(turns)
        next_due = punctuality.next_due(frequency, max(moments))
        # What was promised and has not come yet is late as well.
        missed = next_due is not None and first <= next_due < after
        on_time, promised = on_time + kept, promised + due + missed
    return on_time, promised


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, JST)
