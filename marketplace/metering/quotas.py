"""Holding bytes and download units of a grant; every race is decided by its lock and a conditional UPDATE."""

from typing import NamedTuple

from sqlalchemy import text

from marketplace.access.rules import Entitlement
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.metering.errors import QuotaExhausted
from marketplace.metering.models import Quota

_OF_ENTITLEMENT = (
    "grant_id", "organization_id", "provider_organization_id", "dataset_id", "release_id", "file_id", "sha256",
    "size_bytes", "rows", "purpose",
)  # fmt: skip
_LOCK = text("SELECT FROM quota WHERE grant_id = :grant_id FOR UPDATE")
# Bytes received before are free, so only the rest of the range is held. A delivery that ends while this
# runs makes us hold too much, never too little. Units are counted right because of the lock before it:
# this statement sees whatever happened while we waited.
_HOLD = text("""
WITH asked AS (
  SELECT CAST(:length AS bigint) - coalesce((
         SELECT sum(upper(r) - lower(r))
           FROM coverage c, unnest(c.ranges * int8multirange(int8range(:start_byte, :end_byte))) AS r
          WHERE c.grant_id = :grant_id AND c.sha256 = :sha256), 0) AS bytes,
         :start_byte = 0 OR NOT EXISTS (
         SELECT FROM delivery
          WHERE grant_id = :grant_id AND sha256 = :sha256 AND unit_taken AND NOT unit_passed_on) AS needs_unit),
inherited AS (
  UPDATE delivery SET unit_passed_on = true
   WHERE (SELECT needs_unit FROM asked)
     AND id = (SELECT id FROM delivery
                WHERE grant_id = :grant_id AND sha256 = :sha256 AND unit_taken AND NOT unit_passed_on
                  AND (state IN ('broken', 'stalled', 'swept') OR start_byte > 0)
                ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING id),
taken AS (
  SELECT CASE WHEN needs_unit AND NOT EXISTS (SELECT FROM inherited) THEN 1 ELSE 0 END AS units FROM asked),
held AS (
  UPDATE quota SET reserved_bytes = reserved_bytes + asked.bytes, used_downloads = used_downloads + taken.units
    FROM asked, taken
   WHERE grant_id = :grant_id
     AND (limit_bytes IS NULL OR used_bytes + reserved_bytes + asked.bytes <= limit_bytes)
     AND (limit_downloads IS NULL OR used_downloads + taken.units <= limit_downloads)
  RETURNING asked.bytes, asked.needs_unit)
INSERT INTO delivery (id, grant_id, organization_id, provider_organization_id, client_id, dataset_id, release_id,
                      file_id, sha256, content_bytes, content_rows, start_byte, length, reserved_bytes, unit_taken,
                      unit_passed_on, state, progress, opened_at, seen_at)
SELECT :id, :grant_id, :organization_id, :provider_organization_id, :client_id, :dataset_id, :release_id,
       :file_id, :sha256, :size_bytes, :rows, :start_byte, :length, bytes, needs_unit,
       false, 'open', 0, :now, :now
  FROM held
RETURNING reserved_bytes, unit_taken
""")


class Held(NamedTuple):
    """What a delivery holds of its grant's quota: bytes that are not charged yet, and perhaps a unit."""

    reserved_bytes: int
    unit_taken: bool


def lock(grant_id: str) -> None:
    """Keep the grant's accounting to ourselves until the transaction ends."""
    db.session.connection().execute(_LOCK, {"grant_id": grant_id})


def hold(entitlement: Entitlement, delivery_id: str, start: int, length: int, client_id: str | None) -> Held:
    """Enter an open delivery together with what it holds; raises QuotaExhausted, and then holds nothing.

    Held are the bytes of the range that the grant has not received yet, and one unit of the download quota
    where the delivery needs one. A unit pays for one pass over the content of a file. A delivery of its first
    byte needs one, and takes over that of an earlier delivery which broke, or which began further in and so
    paid for the same pass. A delivery that begins further in needs one only while no delivery of that content
    holds any: else the first byte alone would be limited. Locks the grant's accounting.
    """
    lock(entitlement.grant_id)
    facts = {name: getattr(entitlement, name) for name in _OF_ENTITLEMENT}
    span = {"start_byte": start, "length": length, "end_byte": start + length}
    opening = {"id": delivery_id, "client_id": client_id, "now": clock.now()}
    held = db.session.connection().execute(_HOLD, facts | span | opening).one_or_none()
    if held is None:
        raise _exhausted(entitlement.grant_id)
    return Held(*held)


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
