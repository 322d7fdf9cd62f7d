"""What an organization may fetch, arranged as tables: datasets, their tabular files, and the releases of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from marketplace.access.rules import standing
from marketplace.access.states import Standing
from marketplace.catalog.tabular import TABULAR
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import UtcDateTime, db
from marketplace.kit.texts import is_storable

# A profile may be many MiB: it is read only where nobody has asked for the table before.
_TABULAR = """
  file.profile_state = 'profiled' AND CASE
    WHEN EXISTS (SELECT FROM conversion c WHERE c.source_sha256 = file.sha256) THEN true
    ELSE file.profile ->> 'format' = ANY(:formats) END
"""
_OWN = "g.organization_id = :organization_id AND (CAST(:grant_ids AS text[]) IS NULL OR g.id = ANY(:grant_ids))"
_SHARES = text(f"""
SELECT DISTINCT g.dataset_id
  FROM access_grant g
 WHERE {_OWN} AND g.state = 'active' AND (g.expires_at IS NULL OR g.expires_at > :now) AND g.dataset_id > :after
   AND EXISTS (SELECT FROM access_grant_release r JOIN file ON file.release_id = r.release_id
                WHERE r.grant_id = g.id AND {_TABULAR})
 ORDER BY g.dataset_id LIMIT :size
""")  # noqa: S608 - made of constants
_FILES = text(f"""
SELECT g.id AS grant_id, g.state, g.expires_at, release.id AS release_id, release.published_at,
       file.id AS file_id, file.name AS file_name
  FROM access_grant g
  JOIN access_grant_release r ON r.grant_id = g.id
  JOIN release ON release.id = r.release_id
  JOIN file ON file.release_id = release.id
 WHERE {_OWN} AND g.dataset_id = :dataset_id AND {_TABULAR}
 ORDER BY release.published_at, release.id, g.id
""").columns(expires_at=UtcDateTime, published_at=UtcDateTime)  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A tabular file of a release that a grant opens, or opened: ``is_open`` tells."""

    grant_id: str
    release_id: str
    published_at: datetime
    file_id: str
    file_name: str
    is_open: bool


def list_datasets(actor: Actor, after: str, size: int) -> Sequence[str]:
    """Return the ids, greater than ``after``, of datasets of which the actor's grants open a table now."""
    asked = _asked_by(actor) | {"now": clock.now(), "after": after, "size": size}
    return list(db.session.scalars(_SHARES, asked))


def list_files(actor: Actor, dataset_id: str) -> list[SharedFile]:
    """Return the tabular files under all grants of the actor for a dataset, oldest release and grant first."""
    if not is_storable(dataset_id):
        return []
    rows = db.session.execute(_FILES, _asked_by(actor) | {"dataset_id": dataset_id})
    now = clock.now()
    return [
        SharedFile(
            row.grant_id,
            row.release_id,
            row.published_at,
            row.file_id,
            row.file_name,
            standing(row.state, row.expires_at, now) is Standing.ACTIVE,
        )
        for row in rows
    ]


def _asked_by(actor: Actor) -> dict[str, object]:
    grant_ids = None if actor.grant_ids is None else sorted(actor.grant_ids)
    return {"organization_id": actor.organization_id, "grant_ids": grant_ids, "formats": list(TABULAR)}
