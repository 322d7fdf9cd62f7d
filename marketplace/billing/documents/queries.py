"""Finding documents again. Parties see their own, overseers all, others nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import eq, ge, le
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select, true
from sqlalchemy.orm import aliased

from marketplace.billing.documents.errors import DocumentNotFound
from marketplace.billing.documents.models import Document
from marketplace.billing.documents.states import DocumentKind
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page
from marketplace.kit.texts import storable


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; all that is given must hold. Both ends of ranges are included."""

    kind: str | None = None
    number: str | None = None
    counterparty: str | None = None
    transacted_from: date | None = None
    transacted_to: date | None = None
    issued_from: date | None = None
    issued_to: date | None = None
    amount_from: int | None = None
    amount_to: int | None = None
    about: str | None = None


def get_document(actor: Actor, document_id: str) -> Document:
    """Return a document that the actor is a party to or oversees; raises DocumentNotFound."""
    own = select(Document).where(Document.id == document_id, _visible(actor))
    document = db.session.scalar(own) if is_id(document_id) else None
    if document is None:
        raise DocumentNotFound
    return document


def require(document_id: str) -> Document:
    """Return a document for a story of the exchange itself; raises DocumentNotFound."""
    document = db.session.get(Document, document_id)
    if document is None:
        raise DocumentNotFound
    return document


def lock(document_id: str) -> Document:
    """Return a document whose followers nobody else issues until the transaction ends; raises DocumentNotFound."""
    document = db.session.scalar(select(Document).where(Document.id == document_id).with_for_update())
    if document is None:
        raise DocumentNotFound
    return document


def find_by_idem(idem: str) -> Document | None:
    """Return what was issued for a deed, or None."""
    return db.session.scalar(select(Document).where(Document.idem == idem))


def require_by_idem(idem: str) -> Document:
    """Return what was issued for a deed; NoResultFound where nothing was."""
    return db.session.scalars(select(Document).where(Document.idem == idem)).one()


def find_by_number(number: str) -> Document | None:
    """Return the document with this number, or None."""
    return db.session.scalar(select(Document).where(Document.number == storable(number)))


def list_credit_notes(invoice_document_id: str) -> Sequence[Document]:
    """Return the credit notes of an invoice, oldest first, without those that were cancelled."""
    correction = aliased(Document)
    cancelled = exists().where(
        correction.corrects == Document.id,
        correction.kind == DocumentKind.CORRECTION.value,
        correction.amount_yen == 0,
    )
    query = select(Document).where(
        Document.corrects == invoice_document_id, Document.kind == DocumentKind.CREDIT_NOTE.value, ~cancelled
    )
    return db.session.scalars(query.order_by(Document.id)).all()


def list_about(thing_id: str) -> Sequence[Document]:
    """Return every document that concerns an order, an invoice, a grant, an offer or a payout, oldest first."""
    query = select(Document).where(Document.about.contains([storable(thing_id)])).order_by(Document.id)
    return db.session.scalars(query).all()


def search(
    actor: Actor, wanted: Wanted, *, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[Document]:
    """Return the documents the actor may see that are wanted, newest first."""
    query = select(Document).where(_visible(actor), _matches(actor, wanted))
    after = pages.decode_cursor(cursor, 1)
    if after:
        query = query.where(Document.id < str(after[0]))
    rows = db.session.scalars(query.order_by(Document.id.desc()).limit(size + 1)).all()
    return pages.cut(rows, size, lambda row: [row.id])


def _visible(actor: Actor) -> ColumnElement[bool]:
    if actor.oversees:
        return true()
    return or_(
        Document.issuer_organization_id == actor.organization_id,
        Document.recipient_organization_id == actor.organization_id,
    )


def _matches(actor: Actor, wanted: Wanted) -> ColumnElement[bool]:
    compared: list[tuple[Any, Callable[[Any, Any], Any], Any]] = [
        (Document.kind, eq, wanted.kind),
        (Document.number, eq, wanted.number),
        (Document.transaction_on, ge, wanted.transacted_from),
        (Document.transaction_on, le, wanted.transacted_to),
        (Document.issued_on, ge, wanted.issued_from),
        (Document.issued_on, le, wanted.issued_to),
        (Document.amount_yen, ge, wanted.amount_from),
        (Document.amount_yen, le, wanted.amount_to),
    ]
    conditions = [compare(column, value) for column, compare, value in compared if value is not None]
    if wanted.counterparty is not None:
        conditions.append(_counterparty(actor, wanted.counterparty))
    if wanted.about is not None:
        conditions.append(Document.about.contains([wanted.about]))
    return and_(true(), *conditions)


def _counterparty(actor: Actor, organization_id: str) -> ColumnElement[bool]:
    other = storable(organization_id)
    either = or_(Document.issuer_organization_id == other, Document.recipient_organization_id == other)
    if actor.oversees or other != actor.organization_id:
        return either
    # One's own name as counterparty: papers that one issued to oneself, of which there are none.
    return and_(Document.issuer_organization_id == other, Document.recipient_organization_id == other)
