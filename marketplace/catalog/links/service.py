"""Deeds of links: following the records, taking those whose time has come, and noting what became of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import text, update

from marketplace.catalog.links import rules
from marketplace.catalog.links.models import DatasetLink
from marketplace.catalog.links.states import LinkState
from marketplace.kit import clock
from marketplace.kit.db import db

LEASE = timedelta(hours=1)
_STATED = r"""
SELECT DISTINCT d.id AS dataset_id, r ->> 'url' AS url FROM dataset d,
       jsonb_array_elements(CASE jsonb_typeof(d.source -> 'resources') WHEN 'array' THEN d.source -> 'resources'
                            ELSE '[]' END) r
 WHERE d.id = ANY(:dataset_ids) AND r ->> 'url' ~ '^https?://[^/]' AND length(r ->> 'url') <= 2000
"""
_ADD = text(f"""
INSERT INTO dataset_link (dataset_id, digest, url, host, state, failures, outcome, next_at)
SELECT dataset_id, encode(sha256(convert_to(url, 'UTF8')), 'hex'), url, lower(substring(url FROM '^https?://([^/?#]+)')),
       'unchecked', 0, '', :now
  FROM ({_STATED}) AS stated
ON CONFLICT DO NOTHING
""")  # noqa: S608 - our own text
_DROP = text(f"""
DELETE FROM dataset_link l WHERE dataset_id = ANY(:dataset_ids)
   AND NOT EXISTS (SELECT FROM ({_STATED}) AS stated WHERE stated.dataset_id = l.dataset_id AND stated.url = l.url)
""")  # noqa: S608 - our own text
_TAKE = text("""
WITH due AS (SELECT dataset_id, digest, row_number() OVER (PARTITION BY host ORDER BY next_at) AS turn
               FROM (SELECT * FROM dataset_link WHERE next_at <= :now ORDER BY next_at LIMIT :looked_at) AS first)
UPDATE dataset_link l SET next_at = :leased
  FROM due WHERE l.dataset_id = due.dataset_id AND l.digest = due.digest AND l.next_at <= :now
   AND (due.dataset_id, due.digest) IN (SELECT dataset_id, digest FROM due WHERE turn <= :per_host LIMIT :size)
RETURNING l.dataset_id, l.digest, l.url, l.host, l.failures
""")


class Taken(NamedTuple):
    """A link that is to be asked for now."""

    dataset_id: str
    digest: str
    url: str
    host: str
    failures: int


def follow(dataset_ids: Sequence[str], *, renewed: Sequence[str] = ()) -> None:
    """Have the links of these datasets be those of their records; what is known of those that stay, stays."""
    if renewed:
        db.session.execute(_DROP, {"dataset_ids": list(renewed)})
    if dataset_ids:
        db.session.execute(_ADD, {"dataset_ids": list(dataset_ids), "now": clock.now()})


def take_due() -> list[Taken]:
    """Return links whose time has come, few of each host; nobody else takes them for an hour."""
    now = clock.now()
    asked = {"now": now, "leased": now + LEASE, "looked_at": rules.AT_ONCE_MAX * 20}
    taken = db.session.execute(_TAKE, asked | {"per_host": rules.PER_HOST_MAX, "size": rules.AT_ONCE_MAX})
    return sorted(Taken(*row) for row in taken)


def note(taken: Taken, status: int | None, outcome: str) -> bool:
    """Note what a link answered; returns whether it became dead or came back to life."""
    verdict = rules.judged(status, taken.failures, clock.now())
    values = {"state": verdict.state, "failures": verdict.failures, "next_at": verdict.next_at}
    known = (DatasetLink.dataset_id == taken.dataset_id, DatasetLink.digest == taken.digest)
    db.session.execute(
        update(DatasetLink).where(*known).values(values | {"outcome": outcome, "checked_at": clock.now()})
    )
    was_dead = taken.failures >= rules.DEAD_AFTER
    return was_dead != (verdict.state is LinkState.DEAD)
