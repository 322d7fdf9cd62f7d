"""Datasets of one organization that seem to be the same: by title and office, surer where their files are too."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import text

from marketplace.catalog.cleaning.mending import Finding, Rule
from marketplace.kit.db import db

GROUPS_MAX = 5_000
OTHERS_TOLD = 5
ALIKE, THE_SAME = 70, 95
_ALIKE = text("""
WITH alike AS (
    SELECT array_agg(id ORDER BY id) AS ids FROM dataset
     WHERE organization_id = :organization_id AND state <> 'withdrawn' AND title_ja <> ''
     GROUP BY lower(normalize(title_ja, NFKC)), contact_name HAVING count(*) > 1 LIMIT :size)
SELECT ids, (SELECT count(DISTINCT links) = 1 AND min(links) <> '' FROM (
    SELECT coalesce(string_agg(l.digest, ',' ORDER BY l.digest), '') AS links
      FROM unnest(ids) AS one (id) LEFT JOIN dataset_link l ON l.dataset_id = one.id
     GROUP BY one.id) AS each) AS is_same
  FROM alike
""")


class Duplicate(NamedTuple):
    """A dataset, and what is told of the others that are like it."""

    dataset_id: str
    finding: Finding


def find(organization_id: str) -> Iterator[Duplicate]:
    """Yield the datasets of an organization that have others like them, by id within each group."""
    for ids, is_same in db.session.execute(_ALIKE, {"organization_id": organization_id, "size": GROUPS_MAX}).all():
        sure = THE_SAME if is_same else ALIKE
        for dataset_id in ids:
            others = [one for one in ids if one != dataset_id][:OTHERS_TOLD]
            after = {"dataset_ids": others, "by": "title and files" if is_same else "title"}
            yield Duplicate(dataset_id, Finding(Rule.DUPLICATE, None, None, after, sure))
