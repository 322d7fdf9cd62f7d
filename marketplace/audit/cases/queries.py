"""Reading cases, and what is new on the record for the rules."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, any_, func, literal, select, text

from marketplace.audit.cases.folds import Deed
from marketplace.audit.cases.models import CaseFile, CaseNote, RuleMark, RuleMemory
from marketplace.audit.cases.rules import WATCHED
from marketplace.audit.models import Leaf
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page

MARK = "watch"
# A refund names its sale; the order says who bought of whom, whoever made the refund.
_NEW = text("""
SELECT e.id, e.occurred_at, e.organization_id, e.verb, e.subject, e.counterparty_id, e.dataset_id, e.amount_minor,
       e.facts, placed.organization_id AS buyer, placed.counterparty_id AS provider
  FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry_id
  LEFT JOIN LATERAL (
       SELECT p.organization_id, p.counterparty_id FROM audit_entry p
        WHERE e.verb = 'billing.refund.opened' AND p.subject = e.facts ->> 'sale' AND p.verb = 'billing.order.placed'
        LIMIT 1) placed ON true
 WHERE l.position >= :first AND l.position < :end AND e.verb = ANY(:verbs)
 ORDER BY l.position
""")


def get_case(case_id: str) -> CaseFile:
    """Return a case or raise NotFound."""
    found = db.session.get(CaseFile, case_id, populate_existing=True) if is_id(case_id) else None
    if found is None:
        raise NotFound
    return found


def lock_case(case_id: str) -> CaseFile:
    """Return a case, held until the transaction ends; raises NotFound."""
    get_case(case_id)
    held = select(CaseFile).where(CaseFile.id == case_id).with_for_update()
    return db.session.scalars(held, execution_options={"populate_existing": True}).one()


def list_cases(
    *,
    state: str | None = None,
    rule: str | None = None,
    subject: str | None = None,
    assignee_id: str | None = None,
    cursor: str | None = None,
    size: int = pages.SIZE_DEFAULT,
) -> Page[CaseFile]:
    """List cases, newest first."""
    asked = {"state": state, "rule": rule, "assignee_id": assignee_id}
    statement = select(CaseFile).filter_by(**{name: value for name, value in asked.items() if value is not None})
    if subject is not None:
        statement = statement.where(literal(subject) == any_(func.string_to_array(CaseFile.subject, " ")))
    if key := pages.decode_cursor(cursor, 1):
        statement = statement.where(CaseFile.id < str(key[0]))
    newest = statement.order_by(CaseFile.id.desc()).limit(size + 1)
    rows = db.session.scalars(newest, execution_options={"populate_existing": True}).all()
    return pages.cut(rows, size, lambda case: [case.id])


def list_notes(case_id: str, *, cursor: str | None = None, size: int = pages.SIZE_DEFAULT) -> Page[CaseNote]:
    """List the notes of a case, oldest first; raises NotFound."""
    statement = select(CaseNote).where(CaseNote.case_id == get_case(case_id).id).order_by(CaseNote.id)
    if key := pages.decode_cursor(cursor, 1):
        statement = statement.where(CaseNote.id > str(key[0]))
    return pages.cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda note: [note.id])


def lock_mark() -> int | None:
    """Return the place in the tree from which the rules go on, held; None while somebody else reads."""
    held = select(RuleMark.position).where(RuleMark.name == MARK).with_for_update(skip_locked=True)
    return db.session.scalar(held)


def placed_up_to() -> int:
    """Return how many entries have a place."""
    last = db.session.scalar(select(func.max(Leaf.position)))
    return 0 if last is None else last + 1


def new_deeds(first: int, end: int) -> list[Deed]:
    """Return the watched deeds at the places from ``first`` up to ``end``, in the order of the tree."""
    asked = {"first": first, "end": end, "verbs": sorted(WATCHED)}
    return [_deed(row) for row in db.session.execute(_NEW, asked)]


def memories(rule: str, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what a rule remembers of these keys."""
    wanted: Sequence[str] = sorted(keys)
    statement = select(RuleMemory.key, RuleMemory.kept).where(RuleMemory.rule == rule, RuleMemory.key.in_(wanted))
    return {row.key: row.kept for row in db.session.execute(statement)}


def _deed(row: Row[Any]) -> Deed:
    parties = (row.buyer, row.provider) if row.buyer and row.provider else None
    return Deed(
        id=row.id,
        occurred_at=row.occurred_at,
        organization_id=row.organization_id,
        verb=row.verb,
        subject=row.subject,
        counterparty_id=row.counterparty_id,
        dataset_id=row.dataset_id,
        amount_minor=row.amount_minor,
        facts=row.facts,
        parties=parties,
    )
