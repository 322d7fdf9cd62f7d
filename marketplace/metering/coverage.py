"""The union of byte ranges delivered per grant and content, kept by PostgreSQL's multiranges."""

from sqlalchemy import text

from marketplace.kit.db import db

# ON CONFLICT locks the row, so that the union, its measure and its growth are of one moment even when
# many deliveries of the same content end together.
ABSORB = """
INSERT INTO coverage AS c (grant_id, sha256, ranges, bytes_covered, bytes_added)
SELECT :grant_id, :sha256, int8multirange(int8range(:first, :end)), :end - :first, :end - :first WHERE :end > :first
ON CONFLICT (grant_id, sha256) DO UPDATE
   SET (ranges, bytes_covered, bytes_added) = (
       SELECT c.ranges + EXCLUDED.ranges, measured.bytes, measured.bytes - c.bytes_covered
         FROM (SELECT sum(upper(r) - lower(r)) AS bytes FROM unnest(c.ranges + EXCLUDED.ranges) AS r) AS measured)
RETURNING bytes_added, bytes_covered
"""
_ABSORB = text(ABSORB)


def absorb(grant_id: str, sha256: str, first: int, end: int) -> int:
    """Add the bytes [first, end) to what the grant has received; return how many of them are new.

    Costs time in proportion to the number of separate ranges received so far, normally one.
    """
    if end <= first:
        return 0
    facts = {"grant_id": grant_id, "sha256": sha256, "first": first, "end": end}
    return int(db.session.scalar(_ABSORB, facts) or 0)
