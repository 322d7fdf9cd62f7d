"""Taking over a batch of foreign records: in one transaction, each once, however often it comes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select, text, update

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import ckan, rules, service
from marketplace.catalog.cleaning import comparing, mending
from marketplace.catalog.cleaning.mending import Contents, Finding, Rule
from marketplace.catalog.errors import PackageUnreadable
from marketplace.catalog.harvesting import ckan_pages
from marketplace.catalog.harvesting.models import HarvestLine
from marketplace.catalog.harvesting.rules import RECORD_ID_LENGTH_MAX, Record, origin_of
from marketplace.catalog.harvesting.service import RunAt, hold
from marketplace.catalog.harvesting.states import Outcome, RecordReason
from marketplace.catalog.links import service as links
from marketplace.catalog.models import Dataset
from marketplace.catalog.repairs import queries as repairs
from marketplace.catalog.repairs import rules as mends
from marketplace.catalog.repairs import service as findings
from marketplace.catalog.rules import DatasetDraft
from marketplace.catalog.states import DatasetState
from marketplace.identity import queries as identity
from marketplace.identity.actors import on_behalf_of
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.texts import is_storable, storable

TITLE_LENGTH_MAX = 300
_KEPT = ("trust_required", "assurance_required", "assessment_url", "key_columns", "high_value_categories")
_OF_RECORDS = frozenset(Rule) - {Rule.DUPLICATE, Rule.DEAD_LINKS, Rule.OVERDUE, Rule.ENCODING, Rule.DATES}
_HELD = text("""
SELECT record_id, dataset_id, sha256, vanished_at FROM harvest_record
 WHERE harvest_id = :harvest_id AND record_id = ANY(:record_ids)
""")
_KNOWN = text("""
SELECT d.id, d.origin_id, d.state, r.harvest_id FROM dataset d LEFT JOIN harvest_record r ON r.dataset_id = d.id
 WHERE d.organization_id = :organization_id AND d.origin_id = ANY(:origins)
""")
_KEEP = text("""
INSERT INTO harvest_record (harvest_id, record_id, name, dataset_id, sha256)
SELECT :harvest_id, record_id, name, dataset_id, sha256
  FROM json_to_recordset(CAST(:rows AS json)) AS r (record_id text, name text, dataset_id text, sha256 text)
ON CONFLICT (harvest_id, record_id) DO UPDATE
   SET name = excluded.name, sha256 = excluded.sha256, vanished_at = NULL
""")
_REPORT = text("""
INSERT INTO harvest_line (run_id, record_id, name, title, outcome, reason, detail, dataset_id)
SELECT :run_id, record_id, name, title, outcome, reason, detail, dataset_id
  FROM json_to_recordset(CAST(:rows AS json)) AS l (record_id text, name text, title text, outcome text, reason text,
       detail text, dataset_id text)
""")


@dataclass(slots=True)
class Taking:
    """A record on its way: what it says in our words, what became of it, and which dataset it is.

    ``stated`` is what its publisher wrote, ``draft`` the same with the findings that hold.
    """

    record: Record
    title: str
    origin_id: str = ""
    stated: DatasetDraft | None = None
    draft: DatasetDraft | None = None
    contents: Contents | None = None
    found: list[Finding] = field(default_factory=list)
    sha256: str = ""
    outcome: Outcome = Outcome.REFUSED
    reason: RecordReason | None = None
    detail: str = ""
    dataset_id: str | None = None
    is_back: bool = False

    def refuse(self, reason: RecordReason, detail: str = "") -> None:
        """Note why this one is not taken over."""
        self.outcome, self.reason, self.detail = Outcome.REFUSED, reason, detail[:300]


@dataclass(slots=True)
class Batch:
    """The records of a batch that the run has not met before."""

    at: RunAt
    takings: list[Taking] = field(default_factory=list)

    def having(self, *outcomes: Outcome) -> list[Taking]:
        """Return those of which this became."""
        return [one for one in self.takings if one.outcome in outcomes]


def take(at: RunAt, records: Sequence[Record], cursor: dict[str, Any], announced: int | None) -> tuple[Batch, int]:
    """Take over a batch, note what became of each, and move the run on. Raises RunTaken.

    Returns the batch and the run's new position. A record that came before in this run is passed by.
    """
    run = hold(at)
    batch = Batch(at, _read(at, _unmet(at, records)))
    _meet(batch)
    _mend(batch)
    if not at.dry_run:
        _write(batch)
    _report(batch)
    for outcome in (Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED, Outcome.REFUSED):
        setattr(run, outcome.value, getattr(run, outcome.value) + len(batch.having(outcome)))
    run.comparison = comparing.summed([run.comparison, *_compared(batch)])
    run.cursor, run.announced, run.position = cursor, announced, run.position + 1
    db.session.flush()
    return batch, run.position


def _compared(batch: Batch) -> Iterator[comparing.Counts]:
    for one in batch.having(Outcome.CREATED, Outcome.CHANGED):
        if one.contents and one.stated and one.draft:
            yield comparing.compared(one.contents, one.stated, one.draft)


def _unmet(at: RunAt, records: Iterable[Record]) -> list[Record]:
    named = {_key(record): record for record in reversed(list(records))}
    asked = select(HarvestLine.record_id).where(HarvestLine.run_id == at.run_id, HarvestLine.record_id.in_(named))
    met = set(db.session.scalars(asked))
    return [record for key, record in sorted(named.items()) if key not in met]


def _key(record: Record) -> str:
    """Return what a record is known by in the report: its id, or for want of a usable one what it says."""
    if record.record_id and len(record.record_id) <= RECORD_ID_LENGTH_MAX and is_storable(record.record_id):
        return record.record_id
    return f"?{storable(record.record_id)[:100]}{ckan.package_sha256(record.package)[:16]}"


def _read(at: RunAt, records: list[Record]) -> list[Taking]:
    publisher = identity.get_organization(at.organization_id)
    region = publisher.local_government_code or rules.COUNTRY
    return [_read_one(at, record, region) for record in records]


def _read_one(at: RunAt, record: Record, region: str) -> Taking:
    stated = record.package.get("title") or record.package.get("name") or ""
    taking = Taking(record, storable(str(stated))[:TITLE_LENGTH_MAX])
    if _key(record) != record.record_id:
        taking.refuse(RecordReason.UNREADABLE, f"its id is missing, or longer than {RECORD_ID_LENGTH_MAX} characters")
        return taking
    if not ckan_pages.is_public(record.package):
        taking.refuse(RecordReason.PRIVATE)
        return taking
    try:
        read = ckan.read_package(record.package, region)
    except PackageUnreadable as refusal:
        taking.refuse(RecordReason.UNREADABLE, refusal.detail)
    except Invalid as refusal:
        taking.refuse(RecordReason.INVALID, "; ".join(f"{one['pointer']} {one['detail']}" for one in refusal.errors))
    else:
        taking.origin_id = origin_of(at.kind, at.harvest_id, record.record_id)
        taking.stated, taking.sha256 = read.draft, ckan.package_sha256(record.package)
        taking.title, taking.outcome, taking.reason = read.draft.title_ja, Outcome.CREATED, None
    return taking


def _mend(batch: Batch) -> None:
    """Find what can be made better of the records that are new or changed, and apply what holds."""
    region = identity.get_organization(batch.at.organization_id).local_government_code or rules.COUNTRY
    coming = batch.having(Outcome.CREATED, Outcome.CHANGED)
    states = repairs.decisions([one.dataset_id for one in coming if one.dataset_id])
    for one in coming:
        if one.stated is None:  # pragma: no cover - only what was read comes
            continue
        one.contents = ckan.contents_of(one.record.package)
        one.found = mending.findings(one.stated, one.contents, region)
        decided = states.get(one.dataset_id or "", {})
        one.draft = mends.mended(one.stated, one.found, decided, repairs=batch.at.repairs)


def _meet(batch: Batch) -> None:
    """Find the datasets that these records are already."""
    readable = batch.having(Outcome.CREATED)
    asked = {"harvest_id": batch.at.harvest_id, "record_ids": [one.record.record_id for one in readable]}
    held = {row.record_id: row for row in db.session.execute(_HELD, asked)}
    origins = {"organization_id": batch.at.organization_id, "origins": [one.origin_id for one in readable]}
    known = {row.origin_id: row for row in db.session.execute(_KNOWN, origins)}
    for one in readable:
        row, dataset = held.get(one.record.record_id), known.get(one.origin_id)
        if dataset is None:
            continue
        one.dataset_id = dataset.id
        if dataset.state == DatasetState.WITHDRAWN:
            one.refuse(RecordReason.WITHDRAWN)
        elif dataset.harvest_id not in {None, batch.at.harvest_id}:
            one.refuse(RecordReason.HELD_ELSEWHERE, dataset.harvest_id)
        elif row is not None and row.sha256 == one.sha256:
            one.outcome, one.is_back = Outcome.UNCHANGED, row.vanished_at is not None
        else:
            one.outcome = Outcome.CHANGED


def _write(batch: Batch) -> None:
    _create(batch)
    _renew(batch)
    kept = [
        {"record_id": one.record.record_id, "name": storable(one.record.name), "dataset_id": one.dataset_id}
        | {"sha256": one.sha256}
        for one in batch.takings
        if one.outcome in {Outcome.CREATED, Outcome.CHANGED} or one.is_back
    ]
    if kept:
        db.session.execute(_KEEP, {"harvest_id": batch.at.harvest_id, "rows": json.dumps(kept)})
    actor = on_behalf_of(batch.at.organization_id)
    deeds = [
        audit.entry_of(actor, Verb.DATASET_IMPORTED, subject=str(one.dataset_id), dataset=one.dataset_id, facts=facts)
        for one in batch.having(Outcome.CREATED, Outcome.CHANGED)
        for facts in [{"package_sha256": one.sha256, "run": batch.at.run_id}]
    ]
    if deeds:
        audit.record_all(deeds)
    renewed = [str(one.dataset_id) for one in batch.having(Outcome.CHANGED)]
    links.follow([str(one.dataset_id) for one in batch.having(Outcome.CREATED)] + renewed, renewed=renewed)
    _note(batch)


def _note(batch: Batch) -> None:
    rows = []
    for one in batch.having(Outcome.CREATED, Outcome.CHANGED):
        if one.stated is not None and one.dataset_id is not None:
            if one.outcome is Outcome.CHANGED:
                findings.clear(one.dataset_id, _OF_RECORDS, one.found)
            rows += findings.rows_of(one.dataset_id, one.stated, one.found, repairs=batch.at.repairs)
    findings.note(rows)


def _create(batch: Batch) -> None:
    made = {one.origin_id: one for one in batch.having(Outcome.CREATED)}
    rows = [_row(batch.at, one) for one in made.values()]
    if not rows:
        return
    columns = ", ".join(rows[0])
    statement = text(
        f"INSERT INTO dataset ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::dataset,"  # noqa: S608 - names of our own fields
        " CAST(:rows AS jsonb)) ON CONFLICT DO NOTHING RETURNING id, origin_id"
    )
    for row in db.session.execute(statement, {"rows": json.dumps(rows, ensure_ascii=False)}):
        made.pop(row.origin_id).dataset_id = row.id
    # Somebody has imported these at this very moment: the next run meets them as theirs.
    for one in made.values():
        one.refuse(RecordReason.HELD_ELSEWHERE)


def _row(at: RunAt, one: Taking) -> dict[str, Any]:
    if one.draft is None:  # pragma: no cover - only what was read is created
        raise ValueError(one.record.record_id)
    row = service.dataset_row(at.organization_id, one.draft) | {"origin_id": one.origin_id}
    dated = {name: clock.text(row[name]) for name in ("created_at", "updated_at")}
    return row | dated | {"source": one.record.package}


def _renew(batch: Batch) -> None:
    changed = {one.dataset_id: one for one in batch.having(Outcome.CHANGED)}
    asked = select(Dataset).where(Dataset.id.in_(changed)).order_by(Dataset.id).with_for_update(key_share=True)
    for held in db.session.scalars(asked.execution_options(populate_existing=True)).all():
        one = changed[held.id]
        if one.draft is None or held.state == DatasetState.WITHDRAWN:
            one.refuse(RecordReason.WITHDRAWN)
            continue
        # What its provider said here of who may have the data, and how, stays.
        draft = replace(one.draft, **{name: _tupled(getattr(held, name)) for name in _KEPT})
        values = draft.columns() | {"version": held.version + 1, "updated_at": clock.now()}
        db.session.execute(update(Dataset).where(Dataset.id == held.id).values(values | {"source": one.record.package}))


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _report(batch: Batch) -> None:
    rows = [
        {"record_id": _key(one.record), "name": storable(one.record.name), "title": one.title}
        | {"outcome": one.outcome, "reason": one.reason, "detail": storable(one.detail)}
        | {"dataset_id": None if batch.at.dry_run and one.outcome is Outcome.CREATED else one.dataset_id}
        for one in batch.takings
    ]
    if rows:
        db.session.execute(_REPORT, {"run_id": batch.at.run_id, "rows": json.dumps(rows)})
