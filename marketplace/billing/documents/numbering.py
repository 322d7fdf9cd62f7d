"""Numbers without gaps, and the way an issuer rounds tax, which never changes once it has been used."""

from sqlalchemy import exists, select, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.documents import rules
from marketplace.billing.documents.errors import RoundingFixed
from marketplace.billing.documents.models import Document, DocumentCounter
from marketplace.billing.documents.states import SERIES, DocumentKind
from marketplace.billing.models import InvoiceIssuer
from marketplace.billing.tax import Rounding
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.transaction import keep


def draw(issuer_id: str, kind: DocumentKind, year: int, idem: str) -> str | None:
    """Return the next number of the issuer's documents of this kind and year; None where ``idem`` has one.

    The counter stays locked until the transaction ends, so call this last.
    """
    key = (
        DocumentCounter.issuer_organization_id == issuer_id,
        DocumentCounter.series == SERIES[kind],
        DocumentCounter.year == year,
    )
    _lock_counter(issuer_id, SERIES[kind], year)
    # A statement of its own: only what begins after the lock is ours sees what its last holder has filed.
    filed = exists().where(Document.idem == idem)
    raised = update(DocumentCounter).where(*key, ~filed).values(last_serial=DocumentCounter.last_serial + 1)
    serial = db.session.connection().scalar(raised.returning(DocumentCounter.last_serial))
    return None if serial is None else rules.number(_issuer(issuer_id).code, kind, year, serial)


def rounding_of(issuer_id: str) -> Rounding:
    """Return how an issuer rounds tax, which is fixed from the first time that anybody asks."""
    return Rounding(_issuer(issuer_id).tax_rounding)


def choose_rounding(actor: Actor, rounding: Rounding) -> Rounding:
    """Choose how the caller's organization rounds tax; raises RoundingFixed once another way is in use."""
    first = postgresql.insert(InvoiceIssuer).values(organization_id=actor.organization_id, tax_rounding=rounding.value)
    chosen = first.on_conflict_do_nothing().returning(InvoiceIssuer.organization_id)
    if db.session.execute(chosen).first() is not None:
        audit.record(actor, Verb.ROUNDING_CHOSEN, subject=actor.organization_id, facts={"tax_rounding": rounding.value})
    elif rounding_of(actor.organization_id) is not rounding:
        raise RoundingFixed(tax_rounding=rounding_of(actor.organization_id).value)
    return rounding


def _lock_counter(issuer_id: str, series: str, year: int) -> None:
    key = {"issuer_organization_id": issuer_id, "series": series, "year": year}
    lock = select(DocumentCounter.last_serial).filter_by(**key).with_for_update()
    if db.session.connection().scalar(lock) is None:
        db.session.execute(postgresql.insert(DocumentCounter).values(**key, last_serial=0).on_conflict_do_nothing())
        db.session.connection().scalar(lock)


def _issuer(issuer_id: str) -> InvoiceIssuer:
    # What is said of an issuer never changes, so what this story has read before still holds.
    known = keep(db.session.get(InvoiceIssuer, issuer_id))
    if known is not None:
        return known
    db.session.execute(postgresql.insert(InvoiceIssuer).values(organization_id=issuer_id).on_conflict_do_nothing())
    return db.session.get_one(InvoiceIssuer, issuer_id)
