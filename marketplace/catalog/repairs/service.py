"""Deeds of repairs: noting what was found, and what the provider decides of it."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, text

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import queries as catalog
from marketplace.catalog.cleaning.mending import Finding, Rule
from marketplace.catalog.repairs import queries, rules
from marketplace.catalog.repairs.errors import RepairCleared
from marketplace.catalog.repairs.models import DatasetRepair
from marketplace.catalog.repairs.states import RepairState
from marketplace.catalog.rules import DatasetDraft
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

_NOTE = text("""
INSERT INTO dataset_repair (id, dataset_id, rule, field, before, held, after, confidence, digest, state, found_at)
SELECT id, dataset_id, rule, field, before, held, after, confidence, digest, state, :now
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id text, dataset_id text, rule text, field text, before jsonb,
       held jsonb, after jsonb, confidence integer, digest text, state text)
ON CONFLICT (dataset_id, digest) DO UPDATE SET state = excluded.state, before = excluded.before, decided_at = NULL
 WHERE dataset_repair.state = 'cleared'
RETURNING dataset_id
""")
_CLEAR = text("""
UPDATE dataset_repair SET state = 'cleared', decided_at = :now
 WHERE dataset_id = :dataset_id AND state IN ('suggested', 'applied') AND rule = ANY(:rules)
   AND NOT digest = ANY(:digests)
""")


def rows_of(dataset_id: str, draft: DatasetDraft, found: Sequence[Finding], *, repairs: bool) -> list[dict[str, Any]]:
    """Return findings as they are kept; ``draft`` is what they were found on."""
    return [
        {
            "id": new_id("rpr"),
            "dataset_id": dataset_id,
            "rule": one.rule.value,
            "field": one.field,
            "before": one.before,
            "held": rules.held_by(draft, one),
            "after": one.after,
            "confidence": one.confidence,
            "digest": rules.digest(one),
            "state": RepairState.APPLIED if rules.is_automatic(one, repairs=repairs) else RepairState.SUGGESTED,
        }
        for one in found
    ]


def rows_told(dataset_id: str, found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings that only tell, as they are kept."""
    return rows_of(dataset_id, DatasetDraft(), [one for one in found if one.field is None], repairs=False)


def note_new(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Keep findings, each once; returns the datasets of those that are new."""
    if not rows:
        return set()
    told = sorted(rows, key=lambda row: (row["dataset_id"], row["digest"]))
    asked = {"rows": json.dumps(told, ensure_ascii=False), "now": clock.now()}
    return set(db.session.scalars(_NOTE, asked))


def note(rows: Sequence[Mapping[str, Any]]) -> int:
    """Keep findings: what was decided of one that is found again stays. Returns of how many datasets one is new."""
    return len(note_new(rows))


def clear(dataset_id: str, of: Collection[Rule], found: Sequence[Finding]) -> int:
    """Take back the undecided findings of these kinds that are found no longer; returns how many."""
    digests = [rules.digest(one) for one in found]
    asked = {"dataset_id": dataset_id, "rules": [rule.value for rule in of], "digests": digests, "now": clock.now()}
    return cast("CursorResult[Any]", db.session.execute(_CLEAR, asked)).rowcount


def decide(actor: Actor, dataset_id: str, repair_id: str, *, accept: bool) -> tuple[DatasetRepair, dict[str, Any]]:
    """Accept or refuse a finding on one's own dataset; returns it, and what the dataset is to be changed by.

    The same decision again changes nothing; another one takes the first back. Raises NotFound or RepairCleared.
    """
    repair = queries.lock_own_repair(actor, dataset_id, repair_id)
    decided = RepairState.ACCEPTED if accept else RepairState.REFUSED
    if repair.state == RepairState.CLEARED:
        raise RepairCleared
    if repair.state == decided:
        return repair, {}
    changes = _changes(repair, accept=accept)
    repair.state, repair.decided_at = decided, clock.now()
    verb = Verb.REPAIR_ACCEPTED if accept else Verb.REPAIR_REFUSED
    facts = {"repair": repair.id, "rule": repair.rule, "confidence": repair.confidence}
    audit.record(actor, verb, subject=dataset_id, dataset=dataset_id, facts=facts)
    db.session.flush()
    return repair, changes


def _changes(repair: DatasetRepair, *, accept: bool) -> dict[str, Any]:
    if repair.field is None or not rules.takes_effect(repair.state, accept=accept):
        return {}
    present = getattr(catalog.get_dataset(repair.dataset_id), repair.field)
    if accept:
        after = rules.accepting(repair.field, present, repair.after)
    else:
        after = rules.refusing(repair.field, present, repair.after, repair.held)
    return {} if after == present else {repair.field: after}
