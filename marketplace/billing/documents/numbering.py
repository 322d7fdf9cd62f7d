"""Numbers without gaps, and the way an issuer rounds tax, which never changes once it has been used."""

from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.documents import rules
from marketplace.billing.documents.errors import RoundingFixed
from marketplace.billing.documents.models import DocumentCounter
from marketplace.billing.documents.states import SERIES, DocumentKind
from marketplace.billing.models import InvoiceIssuer
from marketplace.billing.tax import Rounding
from marketplace.identity.actors import Actor
from marketplace.kit.db import db


def lock_counter(issuer_id: str, kind: DocumentKind, year: int) -> DocumentCounter:
    """Return the issuer's counter of this kind and year, locked until the transaction ends: take it last."""
    key = {"issuer_organization_id": issuer_id, "series": SERIES[kind], "year": year}
    db.session.execute(postgresql.insert(DocumentCounter).values(**key, last_serial=0).on_conflict_do_nothing())
    query = select(DocumentCounter).filter_by(**key).with_for_update()
    return db.session.scalars(query, execution_options={"populate_existing": True}).one()


def draw(counter: DocumentCounter, kind: DocumentKind) -> str:
    """Return the next number of a locked counter."""
    counter.last_serial += 1
    code = _issuer(counter.issuer_organization_id).code
    return rules.number(code, kind, counter.year, counter.last_serial)


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


def _issuer(issuer_id: str) -> InvoiceIssuer:
    db.session.execute(postgresql.insert(InvoiceIssuer).values(organization_id=issuer_id).on_conflict_do_nothing())
    return db.session.scalars(select(InvoiceIssuer).where(InvoiceIssuer.organization_id == issuer_id)).one()
