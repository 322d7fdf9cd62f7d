"""Legal holds: placing and lifting them, and the one question of every job that deletes."""

from typing import Any

from sqlalchemy import ColumnElement, exists, select, update

from marketplace.audit import service as audit
from marketplace.audit.errors import HoldLifted
from marketplace.audit.keeping_models import LegalHold
from marketplace.audit.service import Signatory
from marketplace.audit.verbs import Verb
from marketplace.kit import clock
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id, new_id
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor

REASON_LENGTH_MAX = 1000


def covering(*columns: Any) -> ColumnElement[bool]:
    """Return the condition that a hold stands on what one of these columns names; each job that deletes asks it."""
    return exists().where(LegalHold.lifted_at.is_(None), LegalHold.subject.in_(columns))


def place(actor: Signatory, subject: str, reason: str) -> LegalHold:
    """Put a hold on an organization, order, document or dataset; the caller has seen that there is one."""
    now = clock.now()
    by = actor.organization_id
    hold = LegalHold(id=new_id("hld"), subject=subject, reason=reason, placed_by=by, placed_at=now)
    db.session.add(hold)
    db.session.flush()
    _record(actor, Verb.HOLD_PLACED, hold, reason)
    return hold


def lift(actor: Signatory, hold_id: str, reason: str) -> LegalHold:
    """Lift a hold for a reason; others that stand on the same thing stay. Raises NotFound or HoldLifted."""
    hold = get_hold(hold_id)
    standing = (LegalHold.id == hold.id, LegalHold.lifted_at.is_(None))
    values = {"lifted_at": clock.now(), "lifted_by": actor.organization_id, "lifted_reason": reason}
    lifted = update(LegalHold).where(*standing).values(values).returning(LegalHold.id)
    if db.session.scalar(lifted) is None:
        raise HoldLifted
    db.session.refresh(hold)
    _record(actor, Verb.HOLD_LIFTED, hold, reason)
    return hold


def get_hold(hold_id: str) -> LegalHold:
    """Return a hold or raise NotFound."""
    found = db.session.get(LegalHold, hold_id) if is_id(hold_id) else None
    if found is None:
        raise NotFound
    return found


def list_holds(cursor: str | None = None, size: int = SIZE_DEFAULT, *, subject: str | None = None) -> Page[LegalHold]:
    """Return holds, newest first, those that were lifted among them; of one thing where it is named."""
    statement = select(LegalHold).order_by(LegalHold.id.desc()).limit(size + 1)
    if subject is not None:
        statement = statement.where(LegalHold.subject == subject)
    if after := decode_cursor(cursor, 1):
        statement = statement.where(LegalHold.id < str(after[0]))
    return cut(db.session.scalars(statement).all(), size, lambda one: [one.id])


def _record(actor: Signatory, verb: Verb, hold: LegalHold, reason: str) -> None:
    facts = {"hold_id": hold.id, "reason_sha256": sha256_hex(reason.encode())}
    audit.record(actor, verb, subject=hold.subject, facts=facts)
