"""Holding bytes and download units of a grant; every race is decided by its lock and a conditional UPDATE."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import text

from marketplace.access.rules import Entitlement
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.metering.errors import QuotaExhausted, TooManyStreams
from marketplace.metering.models import Quota


def rows_of(own: str, file_id: str) -> str:
    """Return the SQL of a content's rows: its own, or else those that the profile of its file counts, or NULL."""
    counted = (
        "CASE jsonb_typeof(profile -> 'rows') WHEN 'number' THEN greatest(CAST(profile ->> 'rows' AS numeric), 0) END"
    )
    return f"coalesce(CAST({own} AS numeric), (SELECT {counted} FROM file WHERE id = {file_id}))"  # noqa: S608 - as above


OF_ENTITLEMENT = (
    "grant_id", "organization_id", "provider_organization_id", "dataset_id", "release_id", "file_id", "sha256",
    "size_bytes", "rows", "purpose", "token_id", "family_id",
)  # fmt: skip
_LOCK = text("SELECT FROM quota WHERE grant_id = :grant_id FOR UPDATE")
# Bytes received before are free, so only the rest of the range is held. A delivery that ends while this
# runs makes us hold too much, never too little. Units are counted right because of the lock before it:
# this statement sees whatever happened while we waited. Rows are held where they are limited alone, since a file's lie
# in its profile, which is large; rounded up, they cover what closing counts of the same bytes, rounded down twice.
_HOLD = text(f"""
WITH asked AS (
  SELECT CAST(:length AS bigint) - coalesce((
         SELECT sum(upper(r) - lower(r))
           FROM coverage c, unnest(c.ranges * int8multirange(int8range(:start_byte, :end_byte))) AS r
          WHERE c.grant_id = :grant_id AND c.sha256 = :sha256), 0) AS bytes,
         (:start_byte = 0 OR NOT EXISTS (
         SELECT FROM delivery
          WHERE grant_id = :grant_id AND sha256 = :sha256 AND unit_taken AND NOT unit_passed_on))
         AND NOT EXISTS (
         SELECT FROM coverage
          WHERE grant_id = :grant_id AND sha256 = :sha256 AND free_until > CAST(:now AS timestamptz)) AS needs_unit),
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
share AS (
  SELECT CASE WHEN (SELECT limit_rows FROM quota WHERE grant_id = :grant_id) IS NULL THEN 0
              ELSE CAST(ceil(coalesce({rows_of(":rows", ":file_id")}, 0) * bytes
                     / greatest(CAST(:size_bytes AS bigint), 1)) AS bigint) END AS rows
    FROM asked),
held AS (
  UPDATE quota SET reserved_bytes = reserved_bytes + asked.bytes, used_downloads = used_downloads + taken.units,
         reserved_rows = reserved_rows + share.rows, open_deliveries = open_deliveries + 1
    FROM asked, taken, share
   WHERE grant_id = :grant_id
     AND (limit_bytes IS NULL OR used_bytes + reserved_bytes + asked.bytes <= limit_bytes)
     AND (limit_downloads IS NULL OR used_downloads + leased_deliveries + taken.units <= limit_downloads)
     AND (limit_rows IS NULL OR used_rows + reserved_rows + share.rows <= limit_rows)
     AND (limit_requests IS NULL OR used_requests + open_deliveries + leased_deliveries < limit_requests)
     AND (limit_streams IS NULL OR open_deliveries < limit_streams)
  RETURNING asked.bytes, asked.needs_unit, share.rows)
INSERT INTO delivery (id, grant_id, organization_id, provider_organization_id, client_id, dataset_id, release_id,
                      file_id, sha256, content_bytes, content_rows, purpose, token_id, family_id, start_byte, length,
                      reserved_bytes,
                      reserved_rows, unit_taken, unit_passed_on, state, progress, opened_at, seen_at)
SELECT :id, :grant_id, :organization_id, :provider_organization_id, :client_id, :dataset_id, :release_id,
       :file_id, :sha256, :size_bytes, :rows, :purpose, :token_id, :family_id, :start_byte, :length,
       bytes, rows, needs_unit,
       false, 'open', 0, :now, :now
  FROM held
RETURNING reserved_bytes, unit_taken
""")  # noqa: S608 - made of constants


# Deliveries that somebody is ending have their lock already, and count what they come to themselves.
_HOLD_ROWS = text(f"""
WITH running AS (
  SELECT id, CAST(ceil(coalesce({rows_of("content_rows", "file_id")}, 0) * reserved_bytes
                     / greatest(content_bytes, 1)) AS bigint) AS rows
    FROM delivery
   WHERE grant_id = :grant_id AND state = 'open' AND reserved_rows = 0
     FOR UPDATE SKIP LOCKED),
held AS (
  UPDATE delivery d SET reserved_rows = running.rows FROM running WHERE d.id = running.id AND running.rows > 0
  RETURNING d.reserved_rows)
UPDATE quota SET reserved_rows = reserved_rows + (SELECT sum(reserved_rows) FROM held)
 WHERE grant_id = :grant_id AND EXISTS (SELECT FROM held)
""")  # noqa: S608 - made of constants


# What runs at once of a content makes one download due at most: whatever ends after that began before its 24 hours end.
_HELD_DOWNLOADS = text("""
SELECT count(*) FROM (
  SELECT FROM delivery d
         JOIN quota q ON q.grant_id = d.grant_id
         LEFT JOIN coverage c ON c.grant_id = d.grant_id AND c.sha256 = d.sha256
   WHERE d.grant_id = :grant_id AND d.state = 'open' AND d.length > 0 AND (c.free_until > d.opened_at) IS NOT TRUE
   GROUP BY d.sha256, d.content_bytes, q.download_due, c.pending
  HAVING q.download_due = 'first_byte'
      OR range_agg(int8range(d.start_byte, d.start_byte + d.length)) + coalesce(c.pending, '{}')
         @> int8range(0, d.content_bytes)) AS contents
""")


# What runs was promised its bytes: what is added must fit beside that. Taking off always fits.
_ADJUST = text("""
UPDATE quota SET used_bytes = used_bytes + CAST(:bytes AS bigint), used_rows = used_rows + CAST(:rows AS bigint),
       used_requests = used_requests + CAST(:requests AS bigint),
       due_downloads = due_downloads + CAST(:downloads AS bigint)
 WHERE grant_id = :grant_id
   AND (:bytes <= 0 OR limit_bytes IS NULL OR used_bytes + reserved_bytes + :bytes <= limit_bytes)
   AND (:rows <= 0 OR limit_rows IS NULL OR used_rows + reserved_rows + :rows <= limit_rows)
   AND (:requests <= 0 OR limit_requests IS NULL
        OR used_requests + open_deliveries + leased_deliveries + :requests <= limit_requests)
RETURNING grant_id
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
    holds any: else the first byte alone would be limited. None is needed while the content is free to fetch again,
    where the price counts downloads. Held are also the rows in those bytes where they are
    limited, one request, and one of the streams that may run at once. Locks the grant's accounting.
    Raises TooManyStreams where nothing but their number stands against it.
    """
    lock(entitlement.grant_id)
    facts = {name: getattr(entitlement, name) for name in OF_ENTITLEMENT}
    span = {"start_byte": start, "length": length, "end_byte": start + length}
    opening = {"id": delivery_id, "client_id": client_id, "now": clock.now()}
    held = db.session.connection().execute(_HOLD, facts | span | opening).one_or_none()
    if held is None:
        raise _exhausted(entitlement.grant_id)
    return Held(*held)


def require_left(grant_id: str) -> None:
    """Refuse where nothing at all is left, before somebody is asked for an answer; what it costs is held later.

    Raises QuotaExhausted and TooManyStreams.
    """
    quota = db.session.get_one(Quota, grant_id, populate_existing=True)
    gone = (
        (quota.limit_bytes, quota.used_bytes + quota.reserved_bytes),
        (quota.limit_downloads, quota.used_downloads + quota.leased_deliveries),
        (quota.limit_requests, quota.used_requests + quota.open_deliveries + quota.leased_deliveries),
        (quota.limit_streams, quota.open_deliveries),
    )
    if any(limit is not None and used >= limit for limit, used in gone):
        raise _exhausted(grant_id)


def hold_rows(grant_id: str) -> None:
    """Hold the rows of the grant's running deliveries also where they are not limited, for whom they cost.

    The caller holds the grant's accounting.
    """
    db.session.connection().execute(_HOLD_ROWS, {"grant_id": grant_id})


def count_held_downloads(grant_id: str) -> int:
    """Return how many downloads the grant's running deliveries may make due, one of each content at most.

    The caller holds the grant's accounting.
    """
    return int(db.session.scalar(_HELD_DOWNLOADS, {"grant_id": grant_id}) or 0)


def adjust(grant_id: str, news: Mapping[str, int]) -> None:
    """Add corrected ``bytes``, ``rows``, ``requests`` and ``downloads`` to what is used, or take them off.

    Raises QuotaExhausted where what is added is not left.
    """
    lock(grant_id)
    if db.session.connection().execute(_ADJUST, {"grant_id": grant_id, **news}).one_or_none() is None:
        raise _exhausted(grant_id)


def _exhausted(grant_id: str) -> QuotaExhausted | TooManyStreams:
    quota = db.session.get_one(Quota, grant_id, populate_existing=True)
    if quota.limit_streams is not None and quota.open_deliveries >= quota.limit_streams:
        return TooManyStreams(
            f"{quota.open_deliveries} of {quota.limit_streams} are running.", streams_limit=quota.limit_streams
        )
    left = {
        "bytes": _rest(quota.limit_bytes, quota.used_bytes + quota.reserved_bytes),
        "downloads": _rest(quota.limit_downloads, quota.used_downloads + quota.leased_deliveries),
        "rows": _rest(quota.limit_rows, quota.used_rows + quota.reserved_rows),
        "requests": _rest(quota.limit_requests, quota.used_requests + quota.open_deliveries + quota.leased_deliveries),
    }
    members: dict[str, Any] = {f"{name}_left": count for name, count in left.items()}
    return QuotaExhausted(_sentence(left, quota), bytes_reserved=quota.reserved_bytes, **members)


def _rest(limit: int | None, gone: int) -> int | None:
    return None if limit is None else limit - gone


def _sentence(left: dict[str, int | None], quota: Quota) -> str:
    held = {
        "bytes": quota.reserved_bytes,
        "rows": quota.reserved_rows,
        "requests": quota.open_deliveries + quota.leased_deliveries,
        "downloads": quota.leased_deliveries,
    }
    parts = []
    for name, count in left.items():
        if count is not None:
            running = f", and {held[name]} are held by downloads still running" if name in held else ""
            parts.append(f"{count} {name} are left{running}.")
    return " ".join(parts)
