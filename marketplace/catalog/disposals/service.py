"""Deeds of disposals: asking for one, and settling it. Who removes bytes stands alone with their name meanwhile."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog.disposals.models import ContentDisposal
from marketplace.catalog.disposals.states import Reason
from marketplace.catalog.models import Conversion
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

DISPOSE_JOB = "catalog.dispose"
NAMED_WITHIN = timedelta(days=1)
"""So long bytes may be on their way from the store to the file that names them."""


def stand_alone(sha256: str) -> None:
    """Wait until nobody else keeps or removes these bytes, and have all others wait until the transaction ends."""
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"content {sha256}", 0))))


def expect(sha256: str) -> None:
    """Note that bytes are about to be kept: until they are named, or for a day, they are not taken for nobody's."""
    stand_alone(sha256)
    _ask(sha256, Reason.ARRIVED, due_at=clock.now() + NAMED_WITHIN)


def named(sha256: str) -> None:
    """Note that bytes which were expected have got their file. Of several who expect the same, one has come."""
    mine = select(ContentDisposal.id).where(
        ContentDisposal.sha256 == sha256, ContentDisposal.reason == Reason.ARRIVED, ContentDisposal.file_id.is_(None)
    )
    oldest = mine.order_by(ContentDisposal.due_at).limit(1).with_for_update(skip_locked=True)
    db.session.execute(delete(ContentDisposal).where(ContentDisposal.id.in_(oldest.scalar_subquery())))


def ask(sha256: str, reason: Reason, file_id: str, dataset_id: str, organization_id: str) -> None:
    """Have bytes removed that were a file's, unless another needs them; once for each file."""
    owner = {"file_id": file_id, "dataset_id": dataset_id, "organization_id": organization_id}
    _ask(sha256, reason, owner)
    jobs.enqueue(DISPOSE_JOB, sha256=sha256)


def _ask(sha256: str, reason: Reason, owner: dict[str, str] | None = None, *, due_at: datetime | None = None) -> None:
    row: dict[str, Any] = {"id": new_id("dsp"), "sha256": sha256, "reason": reason.value, "asked_at": clock.now()}
    row |= {"due_at": due_at or clock.now(), **(owner or {})}
    db.session.execute(insert(ContentDisposal).values(row).on_conflict_do_nothing())


def forget_conversions(source_sha256: str) -> None:
    """Take away what was made of a content that is gone, and have its bytes looked at as well."""
    gone = delete(Conversion).where(Conversion.source_sha256 == source_sha256).returning(Conversion.sha256)
    for sha256 in db.session.scalars(gone).all():
        if sha256 is not None and sha256 != source_sha256:
            _ask(sha256, Reason.DERIVED)
            jobs.enqueue(DISPOSE_JOB, sha256=sha256)


def settle(pending: Sequence[ContentDisposal], *, removed: bool) -> None:
    """Note of these that somebody has looked, and on the record what became of each file's bytes."""
    for one in pending:
        if one.file_id is not None:
            facts = {"sha256": one.sha256, "reason": one.reason, "removed": removed}
            audit.record(SYSTEM, Verb.FILE_DISPOSED, subject=one.file_id, dataset=one.dataset_id, facts=facts)
        db.session.delete(one)
    db.session.flush()
