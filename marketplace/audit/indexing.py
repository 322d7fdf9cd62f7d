"""Noting in blocks what lies where in the tree, each minute, so that searches need not read the entries."""

from sqlalchemy import text

from marketplace.audit import blocks, sequencer
from marketplace.audit.models import BLOCK
from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

FLOORS = 128
"""Amounts of a block are told apart in so many steps of as many entries; what is charged often is one by itself."""
_LOCK = 0x6D7573756262
_PLACED = """
SELECT CAST(l.position - :first AS integer) AS place, e.*
  FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry_id WHERE l.position >= :{low} AND l.position < :{high}
"""
_NOTE_TRAITS = text(f"""
INSERT INTO audit_trait AS known (trait, block, places)
SELECT trait, :block, bit_or(set_bit(CAST(0 AS bit({BLOCK})), place, 1))
  FROM ({_PLACED.format(low="known", high="end")}) AS placed CROSS JOIN LATERAL (VALUES
       ('organization ' || organization_id), ('counterparty ' || counterparty_id), ('verb ' || verb),
       ('dataset ' || dataset_id), ('hour ' || to_char(occurred_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24'))) AS said (trait)
 WHERE trait IS NOT NULL GROUP BY trait
    ON CONFLICT (trait, block) DO UPDATE SET places = known.places | excluded.places
""")  # noqa: S608 - words of ours
_FORGET_FLOORS = text("DELETE FROM audit_floor WHERE block = :block")
# The floor of a step is its least amount; its places are those of all amounts from there on.
_NOTE_FLOORS = text(f"""
INSERT INTO audit_floor (block, floor, places)
SELECT :block, floor, bit_or(places) OVER (ORDER BY floor DESC)
  FROM (SELECT min(amount_minor) AS floor, bit_or(set_bit(CAST(0 AS bit({BLOCK})), place, 1)) AS places
          FROM (SELECT place, amount_minor,
                       (rank() OVER (ORDER BY amount_minor) - 1) * {FLOORS} / count(*) OVER () AS step,
                       count(*) OVER (PARTITION BY amount_minor) * {FLOORS} >= count(*) OVER () AS often
                  FROM ({_PLACED.format(low="first", high="end")}) AS placed WHERE amount_minor IS NOT NULL) AS ranked
         GROUP BY step, often) AS steps
""")  # noqa: S608 - words of ours
_NOTE_BLOCK = text(f"""
INSERT INTO audit_block AS known (block, entries, first_at, last_at)
SELECT :block, :end - :first, min(occurred_at), max(occurred_at)
  FROM ({_PLACED.format(low="known", high="end")}) AS placed
    ON CONFLICT (block) DO UPDATE SET entries = excluded.entries,
       first_at = least(known.first_at, excluded.first_at), last_at = greatest(known.last_at, excluded.last_at)
""")  # noqa: S608 - words of ours


@jobs.task("audit.index", cron="* * * * *", slow=True)
def index_all() -> None:
    """Note all that has got a place since the last time."""
    while index_batch():
        pass


def index_batch() -> bool:
    """Note what is new in one block, in one transaction; tells whether there may be more.

    An advisory lock lets one work at a time. What is noted twice is the same, and what is not yet noted is found too:
    a search reads the entries behind ``blocks.known`` themselves.
    """
    with transaction():
        db.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        known, size = blocks.known(), sequencer.tree_size()
        if known >= size:
            return False
        block = known // BLOCK
        end = min(size, (block + 1) * BLOCK)
        asked = {"block": block, "first": block * BLOCK, "known": known, "end": end}
        for step in (_NOTE_TRAITS, _FORGET_FLOORS, _NOTE_FLOORS, _NOTE_BLOCK):
            db.session.execute(step, asked)
        return end < size
