"""Leases: deliveries that a process may begin before it tells of them, held of the grant's quota until it has.

A lease is of one content that the grant has received wholly: its bytes and rows are charged already, so all that a
delivery of it can cost is a request and a download unit. Those are held.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, text

from marketplace.access.rules import Entitlement
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.metering import quotas
from marketplace.metering.lease_models import QuotaLease

DELIVERIES_MAX = 2000
DELIVERIES_LEAST = 16
PART = 8
"""A lease takes at most this part of what is left, so that near the end of a quota there are none, and it is exact."""
TTL = timedelta(seconds=60)
SWEEP_SIZE = 100
# What a lease may hold in all, by what is left beside all leases and what this one holds. The caller has the grant's
# accounting, so nothing changes under this.
_ROOM = """
SELECT greatest(0, least(:most,
         (limit_downloads - used_downloads - leased_deliveries + :held) / :part,
         (limit_requests - used_requests - open_deliveries - leased_deliveries + :held) / :part)) AS deliveries
  FROM quota WHERE grant_id = :grant_id AND limit_streams IS NULL AND download_due IS NULL
"""
_TAKE = text(f"""
WITH room AS ({_ROOM}),
held AS (
  UPDATE quota SET leased_deliveries = leased_deliveries + room.deliveries
    FROM room
   WHERE grant_id = :grant_id AND room.deliveries >= :least
     AND EXISTS (SELECT FROM coverage WHERE grant_id = :grant_id AND sha256 = :sha256 AND bytes_covered = :size_bytes)
  RETURNING room.deliveries)
INSERT INTO quota_lease (id, grant_id, sha256, deliveries_held, opened_at, expires_at)
SELECT :id, :grant_id, :sha256, deliveries, :now, :expires_at FROM held
RETURNING deliveries_held
""")  # noqa: S608 - made of constants
_HELD = text("SELECT deliveries_held FROM quota_lease WHERE id = :id AND closed_at IS NULL FOR UPDATE")
# Never less than it holds: that is promised to deliveries which are on their way.
_REFILL = text(f"""
WITH room AS ({_ROOM}),
held AS (
  UPDATE quota SET leased_deliveries = leased_deliveries + greatest(room.deliveries - :held, 0)
    FROM room WHERE grant_id = :grant_id AND room.deliveries >= :least
  RETURNING greatest(room.deliveries - :held, 0) AS added)
UPDATE quota_lease SET deliveries_held = deliveries_held + held.added, expires_at = :expires_at
  FROM held WHERE id = :id
RETURNING held.added
""")  # noqa: S608 - made of constants
_RENEW = text("""
UPDATE quota_lease SET expires_at = :expires_at WHERE id = ANY(:ids) AND closed_at IS NULL RETURNING id
""")
_CLOSE = text("""
WITH closed AS (
  UPDATE quota_lease l SET deliveries_held = 0, closed_at = :now
    FROM quota_lease before
   WHERE l.id = :id AND before.id = l.id AND l.closed_at IS NULL
  RETURNING l.grant_id, before.deliveries_held AS given_back),
returned AS (
  UPDATE quota SET leased_deliveries = leased_deliveries - closed.given_back
    FROM closed WHERE quota.grant_id = closed.grant_id)
SELECT given_back FROM closed
""")
_GRANT = select(QuotaLease.grant_id).where(QuotaLease.id == bindparam("id"))
_STALE = text("""
SELECT id FROM quota_lease WHERE closed_at IS NULL AND expires_at < :now ORDER BY grant_id, id LIMIT :size
""")


class Lease(NamedTuple):
    """A lease as it was taken: ``deliveries`` may begin."""

    id: str
    grant_id: str
    sha256: str
    deliveries: int


def take(entitlement: Entitlement) -> Lease | None:
    """Lease deliveries of a content; to be called in the transaction of the grant check.

    None where the grant has not received all of the content, limits how many streams run at once, pays by the
    download, or is so near the end of its quota that each delivery must be counted before it begins. Locks the grant's
    accounting.
    """
    quotas.lock(entitlement.grant_id)
    opened_at, lease_id = clock.now(), new_id("lea")
    content = {name: getattr(entitlement, name) for name in ("grant_id", "sha256", "size_bytes")}
    times = {"now": opened_at, "expires_at": opened_at + TTL}
    facts = content | times | _bounds(held=0) | {"id": lease_id}
    deliveries = db.session.connection().execute(_TAKE, facts).scalar()
    if deliveries is None:
        return None
    audit.record(
        SYSTEM,
        Verb.LEASE_TAKEN,
        subject=lease_id,
        counterparty=entitlement.provider_organization_id,
        dataset=entitlement.dataset_id,
        facts={"grant_id": entitlement.grant_id, "sha256": entitlement.sha256, "deliveries": deliveries},
    )
    return Lease(lease_id, entitlement.grant_id, entitlement.sha256, int(deliveries))


def lock(lease_id: str) -> int | None:
    """Return what an open lease holds, and keep it to ourselves until the transaction ends; None for a closed one.

    The caller holds the grant's accounting.
    """
    count = db.session.connection().execute(_HELD, {"id": lease_id}).scalar()
    return None if count is None else int(count)


def refill(lease_id: str, grant_id: str, held: int) -> int | None:
    """Let a lease that holds ``held`` hold as much as it may now, and return how much was added.

    None near the end of the grant's quota: the lease is to be given back. The caller holds the grant's accounting and
    the lease.
    """
    facts = _bounds(held=held) | {"id": lease_id, "grant_id": grant_id, "expires_at": clock.now() + TTL}
    added = db.session.connection().execute(_REFILL, facts).scalar()
    return None if added is None else int(added)


def renew(lease_ids: Iterable[str]) -> set[str]:
    """Put off when leases expire, and return those that are still open."""
    facts = {"ids": list(lease_ids), "expires_at": clock.now() + TTL}
    return set(db.session.scalars(_RENEW, facts))


def give_back(lease_id: str, *, swept: bool = False) -> bool:
    """End a lease: what it holds still is free again; returns whether it was open."""
    grant_id = db.session.scalar(_GRANT, {"id": lease_id})
    if grant_id is None:
        return False
    quotas.lock(grant_id)
    given_back = db.session.scalar(_CLOSE, {"id": lease_id, "now": clock.now()})
    if given_back is None:
        return False
    facts: dict[str, Any] = {"grant_id": grant_id, "given_back": given_back, "swept": swept}
    audit.record(SYSTEM, Verb.LEASE_ENDED, subject=lease_id, facts=facts)
    return True


def list_expired(size: int = SWEEP_SIZE) -> list[str]:
    """Return leases that nobody has renewed, in the order of grants."""
    return list(db.session.scalars(_STALE, {"now": clock.now(), "size": size}))


def _bounds(held: int) -> dict[str, int]:
    return {"most": DELIVERIES_MAX, "least": DELIVERIES_LEAST, "part": PART, "held": held}
