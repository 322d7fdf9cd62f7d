"""Parts of contents, which grants open under the data policy of their terms: ordered with the grant, made once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text

from marketplace.access.models import PolicedCopy
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.licensing.data_policy import DataPolicy
from marketplace.licensing.reading_policies import policy_sha256, read_data_policy

PART_JOB = "delivery.part"
_POLICY = text("SELECT document -> 'data_policy' FROM terms WHERE sha256 = :sha256 ORDER BY id LIMIT 1")
# Copies of one recipe are one content: whoever comes after the first has it at once.
_ORDER = text("""
INSERT INTO policed_copy (grant_id, source_sha256, recipe_sha256, ordered_at,
                          sha256, size_bytes, rows, media_type, profile, ended_at)
SELECT DISTINCT ON (o.grant_id, o.source_sha256) o.grant_id, o.source_sha256, o.recipe, CAST(:now AS timestamptz),
       m.sha256, m.size_bytes, m.rows, m.media_type, m.profile, m.ended_at
  FROM (SELECT g.id AS grant_id, f.sha256 AS source_sha256,
               CASE WHEN jsonb_path_exists(t.document, '$.data_policy.columns[*] ? (@.treatment == "hash")')
                    THEN encode(sha256((g.policy_sha256 || g.id)::bytea), 'hex') ELSE g.policy_sha256 END AS recipe
          FROM access_grant g
          JOIN LATERAL (SELECT document FROM terms WHERE sha256 = g.terms_sha256 ORDER BY id LIMIT 1) t ON true
          JOIN access_grant_release r ON r.grant_id = g.id
          JOIN file f ON f.release_id = r.release_id
         WHERE g.id = ANY(CAST(:grant_ids AS text[])) AND g.policy_sha256 IS NOT NULL AND f.origin_url IS NULL) o
  LEFT JOIN policed_copy m ON m.source_sha256 = o.source_sha256 AND m.recipe_sha256 = o.recipe AND m.sha256 IS NOT NULL
 ORDER BY o.grant_id, o.source_sha256
ON CONFLICT DO NOTHING
RETURNING source_sha256, ended_at
""")
_WAITING = text("""
SELECT p.grant_id, p.recipe_sha256, t.document -> 'data_policy' AS policy
  FROM policed_copy p
  JOIN access_grant g ON g.id = p.grant_id
  JOIN LATERAL (SELECT document FROM terms WHERE sha256 = g.terms_sha256 ORDER BY id LIMIT 1) t ON true
 WHERE p.source_sha256 = :source_sha256 AND p.ended_at IS NULL
 ORDER BY p.recipe_sha256, p.grant_id LIMIT 1
""")
_END = """
UPDATE policed_copy SET {}, ended_at = :now
 WHERE source_sha256 = :source_sha256 AND recipe_sha256 = :recipe_sha256 AND ended_at IS NULL
RETURNING grant_id
"""
_KEEP = text(
    _END.format(
        "sha256 = :sha256, size_bytes = :size_bytes, rows = :rows, media_type = :media_type,"
        " profile = CAST(:profile AS jsonb)"
    )
)
_FAIL = text(_END.format("problem = :problem"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A part that is to be made: of what, by which recipe, and one of the grants that wait for it."""

    source_sha256: str
    recipe_sha256: str
    grant_id: str
    policy: DataPolicy


@dataclass(frozen=True, slots=True)
class Part:
    """What was made of a content: its bytes by their hash, and what a reader must know of them."""

    sha256: str
    size_bytes: int
    rows: int
    media_type: str
    profile: dict[str, Any]


def policy_of(terms_sha256: str) -> str | None:
    """Return the name of the data policy in the terms of that hash; None where they give the whole."""
    document = db.session.scalar(_POLICY, {"sha256": terms_sha256})
    return None if document is None else policy_sha256(read_data_policy(document, ""))


def order(grant_ids: Sequence[str]) -> None:
    """Have parts made of what grants open, where their terms say so; to be called when they open something."""
    ordered = db.session.execute(_ORDER, {"grant_ids": list(grant_ids), "now": clock.now()}).all()
    for sha256 in sorted({row.source_sha256 for row in ordered if row.ended_at is None}):
        _enqueue(sha256)


def order_left(before: datetime) -> None:
    """Order parts again that were ordered before an instant and given up: without them their grants open nothing."""
    left = select(PolicedCopy.source_sha256).where(PolicedCopy.ended_at.is_(None), PolicedCopy.ordered_at < before)
    for sha256 in db.session.scalars(left.distinct().order_by(PolicedCopy.source_sha256)).all():
        _enqueue(sha256)


def _enqueue(source_sha256: str) -> None:
    jobs.enqueue(PART_JOB, source_sha256=source_sha256, lock=f"{PART_JOB} {source_sha256}")


def find_waiting(source_sha256: str) -> Waiting | None:
    """Return a part of a content that is still to be made; None where none is."""
    row = db.session.execute(_WAITING, {"source_sha256": source_sha256}).one_or_none()
    if row is None:
        return None
    return Waiting(source_sha256, row.recipe_sha256, row.grant_id, read_data_policy(row.policy, ""))


def keep(waiting: Waiting, part: Part) -> None:
    """Note what was made, once, for all grants that wait for this recipe."""
    made = {name: getattr(part, name) for name in ("sha256", "size_bytes", "rows", "media_type")}
    for grant_id in _ended(_KEEP, waiting, made | {"profile": _json(part.profile)}):
        facts = {"source_sha256": waiting.source_sha256, "sha256": part.sha256}
        audit.record(SYSTEM, Verb.COPY_MADE, subject=grant_id, facts=facts)


def fail(waiting: Waiting, problem: str) -> None:
    """Note why a part cannot be made; its grants are refused the file from now on."""
    for grant_id in _ended(_FAIL, waiting, {"problem": problem}):
        facts = {"source_sha256": waiting.source_sha256}
        audit.record(SYSTEM, Verb.PART_REFUSED, subject=grant_id, facts=facts)


def _ended(statement: Any, waiting: Waiting, values: dict[str, Any]) -> Sequence[str]:
    key = {"source_sha256": waiting.source_sha256, "recipe_sha256": waiting.recipe_sha256}
    return sorted(db.session.scalars(statement, key | values | {"now": clock.now()}))


def find_profile(sha256: str) -> dict[str, Any] | None:
    """Return what a part of that content holds, by its own profile; None for a content that is no part."""
    profiles = select(PolicedCopy.profile).where(PolicedCopy.sha256 == sha256, PolicedCopy.profile.isnot(None))
    return db.session.scalar(profiles.limit(1))


def is_kept(sha256: str) -> bool:
    """Tell whether these bytes are the part that some grant opens."""
    return db.session.scalar(select(PolicedCopy.grant_id).where(PolicedCopy.sha256 == sha256).limit(1)) is not None


def _json(document: dict[str, Any]) -> str:
    import orjson

    return orjson.dumps(document).decode()
