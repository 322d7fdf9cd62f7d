"""Deeds of sources: naming one, asking for it, and noting what became of that."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog.errors import DatasetWithdrawn
from marketplace.catalog.models import Dataset
from marketplace.catalog.queries import get_own_dataset
from marketplace.catalog.sources import queries, rules
from marketplace.catalog.sources.models import ReleaseSource
from marketplace.catalog.sources.rules import SourceDraft
from marketplace.catalog.sources.states import PullProblem, PullResult, Schedule
from marketplace.catalog.states import DatasetState
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.kit import clock, jobs
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import NotFound
from marketplace.kit.texts import storable

PULL_JOB = "catalog.pull"
LEASE = timedelta(hours=3)
"""For so long nobody else asks for a source that is being asked for; then it is taken to be lost."""

DUE_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A source as it was when it was asked."""

    dataset_id: str
    organization_id: str
    version: int
    url: str
    schedule: Schedule
    file_name: str
    media_type: str
    publish: bool
    etag: str | None
    last_modified: str | None
    sha256: str | None
    failures: int


def set_source(actor: Actor, dataset_id: str, draft: SourceDraft) -> ReleaseSource:
    """Say where the next releases of a dataset are fetched; raises NotFound, DatasetWithdrawn or Invalid."""
    dataset = get_own_dataset(actor, dataset_id)
    if dataset.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    rules.check_draft(draft)
    fresh = _fresh_columns(draft)
    first = {"dataset_id": dataset.id, "organization_id": dataset.organization_id, "created_at": clock.now()}
    statement = insert(ReleaseSource).values(first | fresh | {"version": 1})
    changed = fresh | {"version": ReleaseSource.version + 1}
    db.session.execute(statement.on_conflict_do_update(index_elements=["dataset_id"], set_=changed))
    facts = {"host": urlsplit(draft.url).hostname, "schedule": draft.schedule.value, "publish": draft.publish}
    audit.record(actor, Verb.SOURCE_SET, subject=dataset.id, dataset=dataset.id, facts=facts)
    return queries.get_visible_source(actor, dataset.id)


def remove_source(actor: Actor, dataset_id: str) -> None:
    """Fetch nothing more for a dataset; its releases stay. Raises NotFound."""
    dataset = get_own_dataset(actor, dataset_id)
    if not changed_rows(delete(ReleaseSource).where(ReleaseSource.dataset_id == dataset.id)):
        raise NotFound
    audit.record(actor, Verb.SOURCE_REMOVED, subject=dataset.id, dataset=dataset.id)


def ask_now(actor: Actor, dataset_id: str) -> ReleaseSource:
    """Have a source asked at once; one that is being asked is not asked twice. Raises NotFound."""
    source = queries.get_visible_source(actor, get_own_dataset(actor, dataset_id).id)
    _enqueue(source.dataset_id)
    return source


def take_due() -> int:
    """Have all sources asked whose time has come; returns how many."""
    living = select(Dataset.id).where(Dataset.state != DatasetState.WITHDRAWN)
    due = select(ReleaseSource.dataset_id).where(
        ReleaseSource.next_at <= clock.now(), ReleaseSource.dataset_id.in_(living)
    )
    chosen = db.session.scalars(due.order_by("next_at").limit(DUE_AT_ONCE).with_for_update(skip_locked=True)).all()
    lease = update(ReleaseSource).where(ReleaseSource.dataset_id.in_(chosen))
    db.session.execute(lease.values(next_at=clock.now() + LEASE))
    for dataset_id in chosen:
        _enqueue(dataset_id)
    return len(chosen)


def find_asked(dataset_id: str) -> Asked | None:
    """Return a source as it is, to be asked now; None where there is none any more."""
    source = queries.find_source(dataset_id)
    if source is None:
        return None
    values = {name: getattr(source, name) for name in Asked.__slots__}
    return Asked(**values | {"schedule": Schedule(source.schedule)})


def note_unchanged(asked: Asked, etag: str | None, last_modified: str | None) -> None:
    """Note that there was nothing new."""
    told = {"etag": etag or asked.etag, "last_modified": last_modified or asked.last_modified}
    _note(asked, told | _well(asked, PullResult.UNCHANGED))


def note_fresh(
    asked: Asked, release_id: str, sha256: str, size_bytes: int, etag: str | None, last_modified: str | None
) -> None:
    """Note which release it became, in the transaction that makes it; raises NotFound if the source changed."""
    told = {"etag": etag, "last_modified": last_modified, "sha256": sha256, "release_id": release_id}
    awaiting = {"awaiting_release_id": release_id if asked.publish else None}
    if not _note(asked, told | awaiting | _well(asked, PullResult.FRESH)):
        raise NotFound
    facts = {"sha256": sha256, "size_bytes": str(size_bytes)}
    actor = on_behalf_of(asked.organization_id)
    audit.record(actor, Verb.SOURCE_PULLED, subject=release_id, dataset=asked.dataset_id, facts=facts)


def note_failure(asked: Asked, problem: PullProblem, detail: str = "") -> None:
    """Note why there was nothing, for the provider to read, and try again later each time."""
    failures = asked.failures + 1
    values = {
        "last_result": PullResult.FAILED,
        "problem": problem,
        "detail": detail,
        "failures": failures,
        "asked_at": clock.now(),
        "next_at": rules.next_time(asked.schedule, clock.now(), failures),
    }
    if _note(asked, values):
        facts = {"problem": problem.value, "failures": failures}
        actor = on_behalf_of(asked.organization_id)
        audit.record(actor, Verb.SOURCE_FAILED, subject=asked.dataset_id, dataset=asked.dataset_id, facts=facts)


def settle_awaiting(dataset_id: str, release_id: str) -> bool:
    """Note that a release need not be published any more; False where somebody else was quicker."""
    waiting = (ReleaseSource.dataset_id == dataset_id, ReleaseSource.awaiting_release_id == release_id)
    return changed_rows(update(ReleaseSource).where(*waiting).values(awaiting_release_id=None)) == 1


def _fresh_columns(draft: SourceDraft) -> dict[str, Any]:
    return {
        "url": draft.url,
        "schedule": draft.schedule,
        "file_name": draft.file_name,
        "media_type": draft.media_type,
        "publish": draft.publish,
        "etag": None,
        "last_modified": None,
        "sha256": None,
        "last_result": None,
        "problem": None,
        "failures": 0,
        "detail": "",
        "asked_at": None,
        "next_at": clock.now(),
        "release_id": None,
        "awaiting_release_id": None,
    }


def _well(asked: Asked, result: PullResult) -> dict[str, Any]:
    now = clock.now()
    next_at = rules.next_time(asked.schedule, now, 0)
    return {"last_result": result, "problem": None, "failures": 0, "detail": "", "asked_at": now, "next_at": next_at}


def _note(asked: Asked, values: dict[str, Any]) -> bool:
    same = (ReleaseSource.dataset_id == asked.dataset_id, ReleaseSource.version == asked.version)
    return changed_rows(update(ReleaseSource).where(*same).values(values)) == 1


def _enqueue(dataset_id: str) -> None:
    jobs.enqueue(PULL_JOB, lock=f"{PULL_JOB} {dataset_id}", dataset_id=storable(dataset_id))
