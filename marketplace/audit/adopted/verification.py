"""Comparing the adopted records with what our own record says was adopted, both ways."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import aliased

from marketplace.audit.adopted import rules
from marketplace.audit.adopted.models import AdoptedRecord
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.audit.verification import Finding
from marketplace.kit.db import db

_Told = aliased(Entry, select(Entry).where(Entry.verb == Verb.RECORD_ADOPTED.value).subquery())
# One statement, so that whoever adopts meanwhile is seen whole or not at all.
_BOTH = (
    select(_Told, AdoptedRecord)
    .outerjoin_from(_Told, AdoptedRecord, AdoptedRecord.id == _Told.subject, full=True)
    .order_by(_Told.id, AdoptedRecord.id)
    .execution_options(populate_existing=True)
)


def verify() -> list[Finding]:
    """Find adopted records that were altered or removed since they were adopted, and those that never were."""
    return [
        Finding(None, told.id if told else None, trouble)
        for told, record in db.session.execute(_BOTH).all()
        for trouble in _compare(told, record)
    ]


def _compare(told: Entry | None, record: AdoptedRecord | None) -> Iterator[str]:
    if told and record:
        yield from _examine(told, record)
    elif told:
        yield f"the adopted record {told.subject} was removed"
    elif record:
        yield f"the record {record.id} was never adopted"


def _examine(told: Entry, record: AdoptedRecord) -> Iterator[str]:
    if told.facts != rules.facts_of(record):
        yield f"the adopted record {record.id} was altered"
    if not rules.is_signed(record):
        yield f"the checkpoint of the adopted record {record.id} was altered"
