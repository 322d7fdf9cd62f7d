"""Which terms a reader may see: all but those under which alone what is hidden from it is offered."""

from sqlalchemy import ColumnElement, or_, select, true

from marketplace.catalog.sight import Sight
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import ID_PATTERN
from marketplace.licensing.models import Acceptance, Offer, Terms
from marketplace.licensing.queries import SHA256, of_seen_dataset


def read_terms(reader: Actor | None, sight: Sight, identifier: str) -> Terms:
    """Return terms by id or by hash, by hash the first that the reader may see; raises NotFound.

    One question is asked, whether terms are hidden or absent.
    """
    if not (ID_PATTERN.fullmatch(identifier) or SHA256.fullmatch(identifier)):
        raise NotFound
    named = or_(Terms.id == identifier, Terms.sha256 == identifier)
    statement = select(Terms).where(named, _may_see(reader, sight)).order_by(Terms.id).limit(1)
    terms = db.session.scalar(statement)
    if terms is None:
        raise NotFound
    return terms


def _may_see(reader: Actor | None, sight: Sight) -> ColumnElement[bool]:
    if reader is not None and reader.oversees:
        return true()
    offered = select(Offer.id).where(Offer.terms_id == Terms.id)
    # Terms that nobody offers anything under tell of nothing.
    seen = or_(~offered.exists(), offered.where(of_seen_dataset(reader, sight)).exists())
    if reader is None:
        return seen
    key = (Acceptance.organization_id == reader.organization_id, Acceptance.terms_sha256 == Terms.sha256)
    return or_(seen, Terms.organization_id == reader.organization_id, select(Acceptance.id).where(*key).exists())
