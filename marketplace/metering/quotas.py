"""Holding bytes and download units of a grant; every race is decided by a conditional UPDATE."""

from sqlalchemy import text

from marketplace.access.rules import Entitlement
from marketplace.kit.db import db
from marketplace.metering.errors import QuotaExhausted
from marketplace.metering.models import Quota

# Bytes received before are free, so only the rest of the range is held. A delivery that ends between
# the reading of coverage and the lock on the quota makes us hold too much, never too little.
_RESERVE = text("""
WITH asked AS (
  SELECT CAST(:length AS bigint) - coalesce((
         SELECT sum(upper(r) - lower(r))
           FROM coverage c, unnest(c.ranges * int8multirange(int8range(:first, :end))) AS r
          WHERE c.grant_id = :grant_id AND c.sha256 = :sha256), 0) AS bytes)
UPDATE quota SET reserved_bytes = reserved_bytes + asked.bytes
  FROM asked
 WHERE grant_id = :grant_id
   AND (limit_bytes IS NULL OR used_bytes + reserved_bytes + asked.bytes <= limit_bytes)
RETURNING asked.bytes
""")
_TAKE_UNIT = text("""
UPDATE quota SET used_downloads = used_downloads + 1
 WHERE grant_id = :grant_id AND (limit_downloads IS NULL OR used_downloads < limit_downloads)
RETURNING used_downloads
""")
_INHERIT_UNIT = text("""
UPDATE delivery SET unit_passed_on = true
 WHERE id = (SELECT id FROM delivery
              WHERE grant_id = :grant_id AND sha256 = :sha256 AND unit_taken AND NOT unit_passed_on
                AND (state IN ('broken', 'stalled', 'swept') OR start_byte > 0)
              ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
""")
_HAS_UNIT = text("""
SELECT EXISTS (SELECT FROM delivery
                WHERE grant_id = :grant_id AND sha256 = :sha256 AND unit_taken AND NOT unit_passed_on)
""")
_RELEASE = text("UPDATE quota SET reserved_bytes = reserved_bytes - :reserved WHERE grant_id = :grant_id")


def reserve_bytes(entitlement: Entitlement, first: int, length: int) -> int:
    """Hold the bytes of the range that the grant has not received yet; return how many.

    Locks the grant's quota until the transaction ends. Raises QuotaExhausted.
    """
    facts = {
        "grant_id": entitlement.grant_id,
        "sha256": entitlement.sha256,
        "first": first,
        "end": first + length,
        "length": length,
    }
    held = db.session.scalar(_RESERVE, facts)
    if held is None:
        raise _exhausted(entitlement.grant_id)
    return int(held)


def take_unit(entitlement: Entitlement, first: int) -> bool:
    """Take one unit of the download quota where the delivery needs one; return whether it now holds one.

    A unit pays for one pass over the content of a file. A delivery of its first byte needs one, and takes
    over that of an earlier delivery which broke, or which began further in and so paid for the same pass.
    A delivery that begins further in needs one only while no delivery of that content holds any: else
    the first byte alone would be limited. To be called after ``reserve_bytes``, whose lock it relies on.
    """
    facts = {"grant_id": entitlement.grant_id, "sha256": entitlement.sha256}
    if first > 0 and db.session.scalar(_HAS_UNIT, facts):
        return False
    if db.session.scalar(_INHERIT_UNIT, facts) is None and db.session.scalar(_TAKE_UNIT, facts) is None:
        raise _exhausted(entitlement.grant_id)
    return True


def release(grant_id: str, reserved: int) -> None:
    """Give back what a delivery held, and lock the grant's quota until the transaction ends."""
    db.session.execute(_RELEASE, {"grant_id": grant_id, "reserved": reserved})


def _exhausted(grant_id: str) -> QuotaExhausted:
    quota = db.session.get_one(Quota, grant_id, populate_existing=True)
    left = None if quota.limit_bytes is None else quota.limit_bytes - quota.used_bytes - quota.reserved_bytes
    downloads = None if quota.limit_downloads is None else quota.limit_downloads - quota.used_downloads
    return QuotaExhausted(
        _sentence(left, downloads, quota.reserved_bytes),
        bytes_left=left,
        bytes_reserved=quota.reserved_bytes,
        downloads_left=downloads,
    )


def _sentence(left: int | None, downloads: int | None, reserved: int) -> str:
    parts = []
    if left is not None:
        parts.append(f"{left} bytes are left, and {reserved} are held by downloads still running.")
    if downloads is not None:
        parts.append(f"{downloads} downloads are left.")
    return " ".join(parts)
