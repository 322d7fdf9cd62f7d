"""Where in the tree entries lie that a search may mean: bits over blocks of places, laid on each other."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select, text

from marketplace.audit.models import BLOCK, Block
from marketplace.kit import clock
from marketplace.kit.db import db

FIRST_BLOCKS, GROWTH = 2, 8
"""So many blocks are asked for first, and so many times more with each further question."""
# Common or rare, a condition costs each block one look, and laying 4 KB on the others. What a block has no row for is
# NULL, and so is all that is laid on it. Of a block that is partly within the range of dates its hours tell; whether an
# entry is within the first or the last of them, the entry itself.
_LAID = text(f"""
WITH laid AS MATERIALIZED (
SELECT b.block,
       CASE WHEN CAST(:organization AS text) IS NULL THEN CAST(-1 AS bit({BLOCK})) ELSE (
            SELECT places FROM audit_trait WHERE trait = 'organization ' || :organization AND block = b.block) END
     & CASE WHEN CAST(:party AS text) IS NULL THEN CAST(-1 AS bit({BLOCK})) ELSE (
            SELECT bit_or(places) FROM audit_trait WHERE block = b.block
               AND trait = ANY(ARRAY['organization ' || :party, 'counterparty ' || :party])) END
     & CASE WHEN CAST(:verb AS text) IS NULL THEN CAST(-1 AS bit({BLOCK})) ELSE (
            SELECT places FROM audit_trait WHERE trait = 'verb ' || :verb AND block = b.block) END
     & CASE WHEN CAST(:dataset AS text) IS NULL THEN CAST(-1 AS bit({BLOCK})) ELSE (
            SELECT places FROM audit_trait WHERE trait = 'dataset ' || :dataset AND block = b.block) END
     & CASE WHEN NOT :amounts THEN CAST(-1 AS bit({BLOCK})) ELSE coalesce(
            (SELECT places FROM audit_floor WHERE block = b.block AND floor <= :amount_from
              ORDER BY floor DESC LIMIT 1),
            (SELECT places FROM audit_floor WHERE block = b.block ORDER BY floor LIMIT 1))
          & ~ coalesce((SELECT places FROM audit_floor WHERE block = b.block AND floor > :amount_to
              ORDER BY floor LIMIT 1), CAST(0 AS bit({BLOCK}))) END
     & CASE WHEN b.first_at >= :since AND b.last_at <= :until THEN CAST(-1 AS bit({BLOCK})) ELSE (
            SELECT bit_or(places) FROM audit_trait WHERE block = b.block AND trait
           BETWEEN 'hour ' || to_char(greatest(:since, b.first_at) AT TIME ZONE 'UTC', 'YYYYMMDDHH24')
               AND 'hour ' || to_char(least(:until, b.last_at) AT TIME ZONE 'UTC', 'YYYYMMDDHH24')) END AS places
  FROM audit_block b
 WHERE b.block >= :low AND b.block < :high AND b.last_at >= :since AND b.first_at <= :until)
SELECT block, places FROM laid WHERE bit_count(places) > 0 ORDER BY block DESC
""")  # noqa: S608 - one number of ours
_EVER = (clock.parse("0001-01-01T00:00:00Z"), clock.parse("9999-12-31T23:59:59Z"))
_AMOUNTS = (-(2**63), 2**63 - 1)


def known() -> int:
    """Return up to which place the blocks know what lies where."""
    last = db.session.execute(select(Block.block, Block.entries).order_by(Block.block.desc()).limit(1)).first()
    return 0 if last is None else last.block * BLOCK + last.entries


def places(wanted: Any, before: int) -> Iterator[int]:
    """Yield the places below ``before`` at which an entry may match a search, from the last to the first.

    None that matches is left out; what does not may be among them, at the edges of the ranges of dates and amounts.
    """
    high, blocks, asked = (before - 1) // BLOCK + 1, FIRST_BLOCKS, _asked(wanted)
    while high > 0:
        low = max(high - blocks, 0)
        for row in db.session.execute(_LAID, asked | {"low": low, "high": high}):
            yield from _set(row.places, row.block * BLOCK, before)
        high, blocks = low, blocks * GROWTH


def _asked(wanted: Any) -> dict[str, Any]:
    return {
        "organization": wanted.organization_id,
        "party": wanted.counterparty_id,
        "verb": wanted.verb,
        "dataset": wanted.dataset_id,
        "amounts": wanted.amount_from is not None or wanted.amount_to is not None,
        "amount_from": _AMOUNTS[0] if wanted.amount_from is None else wanted.amount_from,
        "amount_to": _AMOUNTS[1] if wanted.amount_to is None else wanted.amount_to,
        "since": wanted.occurred_from or _EVER[0],
        "until": wanted.occurred_to or _EVER[1],
    }


def _set(bits: str, first: int, before: int) -> Iterator[int]:
    at = bits.rfind("1", 0, min(before - first, BLOCK))
    while at >= 0:
        yield first + at
        at = bits.rfind("1", 0, at)
