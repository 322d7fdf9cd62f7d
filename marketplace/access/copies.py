"""Copies that differ by grant: ordered with the right to fetch, made before the first byte, the same ever after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select, text

from marketplace.access.models import Grant, TracedCopy
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, jobs
from marketplace.kit.db import db

COPY_JOB = "delivery.copy"
# What the accepted terms say decides, so that nobody gets a marked copy whose terms do not say so. The hash of what a
# provider holds is its word alone: a copy of what we may have under that hash would be a copy of another's file.
_ORDER = text("""
INSERT INTO traced_copy (grant_id, source_sha256, method, ordered_at)
SELECT DISTINCT g.id, f.sha256, t.document ->> 'tracing', CAST(:now AS timestamptz)
  FROM access_grant g
  JOIN offer o ON o.id = g.offer_id
  JOIN terms t ON t.id = o.terms_id AND t.sha256 = g.terms_sha256
  JOIN access_grant_release r ON r.grant_id = g.id
  JOIN file f ON f.release_id = r.release_id
 WHERE g.id = ANY(CAST(:grant_ids AS text[])) AND t.document ->> 'tracing' IS NOT NULL
   AND f.origin_url IS NULL
ON CONFLICT DO NOTHING
RETURNING source_sha256
""")
_KEEP = text("""
UPDATE traced_copy SET sha256 = :sha256, size_bytes = :size_bytes, made_at = :now
 WHERE grant_id = :grant_id AND source_sha256 = :source_sha256 AND sha256 IS NULL
RETURNING grant_id
""")


@dataclass(frozen=True, slots=True)
class Traced:
    """A copy that was made: whose, of what, and how it differs."""

    grant_id: str
    source_sha256: str
    method: str


def order(grant_ids: Sequence[str]) -> None:
    """Have copies made of what grants open, where their terms say so; to be called when they open something."""
    facts = {"grant_ids": list(grant_ids), "now": clock.now()}
    for sha256 in sorted(set(db.session.scalars(_ORDER, facts))):
        jobs.enqueue(COPY_JOB, source_sha256=sha256, lock=f"{COPY_JOB} {sha256}")


def find_waiting(source_sha256: str) -> TracedCopy | None:
    """Return a copy of a content that is still to be made, and hold its row; None where none is."""
    query = select(TracedCopy).where(TracedCopy.source_sha256 == source_sha256, TracedCopy.sha256.is_(None))
    return db.session.scalar(query.order_by(TracedCopy.grant_id).limit(1).with_for_update(skip_locked=True))


def keep(grant_id: str, source_sha256: str, sha256: str, size_bytes: int) -> None:
    """Note what was made for a grant, once; the source itself where it is no table that could be traced."""
    copy = {"grant_id": grant_id, "source_sha256": source_sha256, "sha256": sha256, "size_bytes": size_bytes}
    if db.session.scalar(_KEEP, copy | {"now": clock.now()}) is not None:
        facts = {"source_sha256": source_sha256, "sha256": sha256}
        audit.record(SYSTEM, Verb.COPY_MADE, subject=grant_id, facts=facts)


def list_waiting_sources(before: datetime) -> Sequence[str]:
    """Return the contents of which copies were ordered before an instant and not made."""
    query = select(TracedCopy.source_sha256).where(TracedCopy.sha256.is_(None), TracedCopy.ordered_at < before)
    return db.session.scalars(query.distinct().order_by(TracedCopy.source_sha256)).all()


def list_traced(dataset_id: str | None = None) -> list[Traced]:
    """Return the copies that differ from their source, of one dataset or of all, by content."""
    query = select(TracedCopy.grant_id, TracedCopy.source_sha256, TracedCopy.method)
    query = query.where(TracedCopy.sha256 != TracedCopy.source_sha256)
    if dataset_id is not None:
        query = query.join(Grant, Grant.id == TracedCopy.grant_id).where(Grant.dataset_id == dataset_id)
    rows: Sequence[Row[str, str, str]] = db.session.execute(
        query.order_by(TracedCopy.source_sha256, TracedCopy.grant_id)
    ).all()
    return [Traced(*row) for row in rows]


def is_kept(sha256: str) -> bool:
    """Tell whether these bytes are some grant's own copy."""
    return db.session.scalar(select(TracedCopy.grant_id).where(TracedCopy.sha256 == sha256).limit(1)) is not None
