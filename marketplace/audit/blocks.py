"""Where in the tree entries lie that a search may mean: bits over blocks of places, laid on each other."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import select, text

from marketplace.audit.models import BLOCK, Block
from marketplace.kit import clock
from marketplace.kit.db import db

FIRST_BLOCKS, GROWTH = 4, 16
"""So many blocks are asked for first, and so many times more with each further question."""
# A condition costs each block one look, and laying 4 KB on the others. A block that has no row for one is passed over
# before the rest is looked at; the planner begins with what is rare.
_TRAIT = "JOIN audit_trait {name} ON {name}.block = b.block AND {name}.trait = :{name}"
_PARTY = f"LEFT {_TRAIT.format(name='acting')} LEFT {_TRAIT.format(name='concerned')}"
# On either side: whichever there is, and both where there are both.
_EITHER = "coalesce(acting.places | concerned.places, acting.places, concerned.places)"
_AMOUNTS = f"""coalesce(
 (SELECT places FROM audit_floor WHERE block = b.block AND floor <= :amount_from ORDER BY floor DESC LIMIT 1),
 (SELECT places FROM audit_floor WHERE block = b.block ORDER BY floor LIMIT 1))
 & ~ coalesce((SELECT places FROM audit_floor WHERE block = b.block AND floor > :amount_to ORDER BY floor LIMIT 1),
 CAST(0 AS bit({BLOCK})))"""  # noqa: S608 - one number of ours
# Of a block that is partly within the range its hours tell; whether an entry is within the first or the last of them,
# the entry itself.
_HOURS = f"""CASE WHEN b.first_at >= :since AND b.last_at <= :until THEN CAST(-1 AS bit({BLOCK})) ELSE (
 SELECT bit_or(places) FROM audit_trait WHERE block = b.block AND trait
 BETWEEN 'hour ' || to_char(greatest(:since, b.first_at) AT TIME ZONE 'UTC', 'YYYYMMDDHH24')
 AND 'hour ' || to_char(least(:until, b.last_at) AT TIME ZONE 'UTC', 'YYYYMMDDHH24')) END"""  # noqa: S608 - as above
_LAID = """
WITH laid AS MATERIALIZED (
SELECT b.block, {places} AS places FROM audit_block b {joins}
 WHERE b.block >= :low AND b.block < :high AND b.last_at >= :since AND b.first_at <= :until)
SELECT block, places FROM laid WHERE bit_count(places) > 0 ORDER BY block DESC
"""
_EVER = (clock.parse("0001-01-01T00:00:00Z"), clock.parse("9999-12-31T23:59:59Z"))
_ANY = (-(2**63), 2**63 - 1)


def known() -> int:
    """Return up to which place the blocks know what lies where."""
    last = db.session.execute(select(Block.block, Block.entries).order_by(Block.block.desc()).limit(1)).first()
    return 0 if last is None else last.block * BLOCK + last.entries


def places(wanted: Any, before: int) -> Iterator[int]:
    """Yield the places below ``before`` at which an entry may match a search, from the last to the first.

    None that matches is left out; what does not may be among them, at the edges of the ranges of dates and amounts.
    """
    high, blocks, asked = (before - 1) // BLOCK + 1, FIRST_BLOCKS, _asked(wanted)
    laid = text(_laid(frozenset(asked)))
    while high > 0:
        low = max(high - blocks, 0)
        for row in db.session.execute(laid, asked | {"low": low, "high": high}):
            yield from _set(row.places, row.block * BLOCK, before)
        high, blocks = low, blocks * GROWTH


def _asked(wanted: Any) -> dict[str, Any]:
    traits = {"organization": wanted.organization_id, "verb": wanted.verb, "dataset": wanted.dataset_id}
    asked: dict[str, Any] = {name: f"{name} {value}" for name, value in traits.items() if value is not None}
    if (party := wanted.counterparty_id) is not None:
        asked |= {"acting": f"organization {party}", "concerned": f"counterparty {party}"}
    if wanted.amount_from is not None or wanted.amount_to is not None:
        low, high = wanted.amount_from, wanted.amount_to
        asked |= {"amount_from": _ANY[0] if low is None else low, "amount_to": _ANY[1] if high is None else high}
    return asked | {"since": wanted.occurred_from or _EVER[0], "until": wanted.occurred_to or _EVER[1]}


@cache
def _laid(asked: frozenset[str]) -> str:
    """Return the statement that lays the conditions with these names on each other."""
    traits = sorted(asked & {"organization", "verb", "dataset"})
    joins = [_TRAIT.format(name=name) for name in traits] + [_PARTY] * ("acting" in asked)
    places = [f"{name}.places" for name in traits] + [_EITHER] * ("acting" in asked)
    places += [_AMOUNTS] * ("amount_from" in asked) + [_HOURS]
    return _LAID.format(places=" & ".join(places), joins=" ".join(joins))


def _set(bits: str, first: int, before: int) -> Iterator[int]:
    at = bits.rfind("1", 0, min(before - first, BLOCK))
    while at >= 0:
        yield first + at
        at = bits.rfind("1", 0, at)
