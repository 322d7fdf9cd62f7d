"""Reading terms, offers and acceptances."""

import re
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from marketplace.catalog.models import Dataset
from marketplace.catalog.sight import PUBLIC, Sight
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import ID_PATTERN
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.transaction import keep
from marketplace.licensing import rules
from marketplace.licensing.data_policy import DataPolicy
from marketplace.licensing.errors import OfferNotOpen, TermsNotAccepted
from marketplace.licensing.models import Acceptance, Offer, Terms
from marketplace.licensing.offers import LIMIT_NAMES
from marketplace.licensing.prices import Price, read_price
from marketplace.licensing.reading_policies import read_data_policy
from marketplace.licensing.rules import Limits, UsageTerms
from marketplace.licensing.service_levels import CreditStep, read_steps, said_of
from marketplace.licensing.states import Cancellation, DiscountClass, OfferState, PriceKind, Rail, UsageUnit

Row = TypeVar("Row", Terms, Offer, Acceptance)
SHA256 = re.compile("[0-9a-f]{64}")


def find_terms(identifier: str) -> Terms | None:
    """Return terms by id or by hash; by hash, the first that were written with it."""
    if SHA256.fullmatch(identifier):
        statement = select(Terms).where(Terms.sha256 == identifier).order_by(Terms.id).limit(1)
        return db.session.scalar(statement)
    return keep(_find(Terms, identifier))


def list_agreed(
    provider_ids: Collection[str], sha256s: Collection[str], acceptance_ids: Collection[str], offer_ids: Collection[str]
) -> tuple[Sequence[Terms], Sequence[Acceptance], Sequence[Offer]]:
    """Return what a trade stands on: its terms as its providers wrote them, acceptances and offers, those there are."""
    terms = select(Terms).where(Terms.organization_id.in_(provider_ids), Terms.sha256.in_(sha256s))
    accepted = select(Acceptance).where(Acceptance.id.in_(acceptance_ids)).order_by(Acceptance.id)
    offers = select(Offer).where(Offer.id.in_(offer_ids)).order_by(Offer.id)
    ask = db.session.scalars
    return ask(terms.order_by(Terms.id)).all(), ask(accepted).all(), ask(offers).all()


def get_terms(identifier: str) -> Terms:
    """Return terms by id or by hash, or raise NotFound."""
    return _present(find_terms(identifier))


def get_own_terms(actor: Actor, identifier: str) -> Terms:
    """Return terms of the caller's organization by id or hash; NotFound for all others."""
    if SHA256.fullmatch(identifier):
        own = (Terms.organization_id == actor.organization_id, Terms.sha256 == identifier)
        return _present(db.session.scalar(select(Terms).where(*own)))
    return _own(actor, _find(Terms, identifier))


def usage_terms(terms: Terms) -> UsageTerms:
    """Return the typed items of stored terms."""
    return rules.restore_terms(terms.document)


def last_day_of(offer: Offer) -> date | None:
    """Return the last day on which the terms of an offer allow use; None where they name none."""
    period = usage_terms(get_terms(offer.terms_id)).usage_license_period
    return period.end if period else None


def list_terms(actor: Actor, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Terms]:
    """Return the terms that the caller's organization has written, newest first; to overseers all."""
    statement = select(Terms)
    if not actor.oversees:
        statement = statement.where(Terms.organization_id == actor.organization_id)
    return _page(statement, Terms.id, cursor, size)


def find_offer(offer_id: str) -> Offer | None:
    """Return the offer, whatever its state, or None."""
    return keep(_find(Offer, offer_id))


def get_offer(offer_id: str) -> Offer:
    """Return the offer, whatever its state, or raise NotFound."""
    return _present(_find(Offer, offer_id))


def get_own_offer(actor: Actor, offer_id: str) -> Offer:
    """Return an offer of the caller's organization; NotFound for all others."""
    return _own(actor, _find(Offer, offer_id))


def line_of(offer: Offer) -> tuple[str, ...]:
    """Return the ids of an offer and of every version that it came in the place of, newest first."""
    line = select(Offer.id, Offer.supersedes, Offer.version).where(Offer.id == offer.id).cte(recursive=True)
    earlier = select(Offer.id, Offer.supersedes, Offer.version).join(line, Offer.id == line.c.supersedes)
    line = line.union_all(earlier)
    return tuple(db.session.scalars(select(line.c.id).order_by(line.c.version.desc())))


def has_open_row_offer(dataset_id: str) -> bool:
    """Whether rows of a dataset are for sale, to everybody or to one buyer."""
    by_row = (Offer.dataset_id == _harmless(dataset_id), Offer.price["unit"].astext == UsageUnit.ROW.value)
    return db.session.scalar(select(Offer.id).where(*by_row, *_open_now()).limit(1)) is not None


def data_policies(dataset_id: str, *, open_only: bool = False) -> list[DataPolicy]:
    """Return the data policies under which a dataset is offered now, or ever was, each once."""
    policy = Terms.document["data_policy"]
    statement = select(policy).join(Offer, Offer.terms_id == Terms.id).where(Offer.dataset_id == _harmless(dataset_id))
    if open_only:
        statement = statement.where(*_open_now())
    found = db.session.scalars(statement.where(policy.isnot(None)).distinct()).all()
    return [read_data_policy(one, "") for one in found if one is not None]


def lock_open_offer(offer_id: str, buyer: Actor, sight: Sight = PUBLIC) -> Offer:
    """Return the offer as it is now and hold it open until the transaction ends.

    Buyers do not wait for each other (FOR SHARE); whoever would supersede or withdraw the offer waits
    for them. Raises NotFound, also where the offer was made privately to somebody else or its dataset is
    listed to others alone, or OfferNotOpen.
    """
    sighted = (Offer.id == _harmless(offer_id), of_seen_dataset(buyer, sight))
    statement = select(Offer).where(*sighted).with_for_update(read=True, of=Offer)
    offer = _present(db.session.scalar(statement.execution_options(populate_existing=True)))
    if not may_see(buyer, offer):
        raise NotFound
    if not is_open(offer):
        raise OfferNotOpen(state="expired" if offer.state == OfferState.OPEN else offer.state)
    return offer


def list_offers(
    dataset_id: str,
    *,
    reader: Actor | None = None,
    sight: Sight | None = None,
    open_only: bool = True,
    cursor: str | None = None,
    size: int = SIZE_DEFAULT,
) -> Page[Offer]:
    """Return the offers of a dataset that the reader may know of, newest first; without one, the public's.

    With a sight, those of a dataset that is listed to others alone are left out, but for what is the reader's.
    """
    statement = select(Offer).where(Offer.dataset_id == _harmless(dataset_id), *_visible(reader))
    if open_only:
        statement = statement.where(*_open_now())
    if sight is not None and not (reader and reader.oversees):
        statement = statement.where(of_seen_dataset(reader, sight))
    return _page(statement, Offer.id, cursor, size)


def datasets_of_expired(since: datetime) -> list[str]:
    """Return the datasets that have an offer whose last instant lies between then and now."""
    lately = (Offer.state == OfferState.OPEN.value, Offer.valid_until >= since, Offer.valid_until <= clock.now())
    return list(db.session.scalars(select(Offer.dataset_id).where(*lately).distinct().order_by(Offer.dataset_id)))


def has_private_offer(buyer: Actor, dataset_id: str) -> bool:
    """Return whether an open offer of the dataset was made to this buyer alone."""
    theirs = (Offer.dataset_id == _harmless(dataset_id), Offer.buyer_organization_id == buyer.organization_id)
    return db.session.scalar(select(Offer.id).where(*theirs, *_open_now()).limit(1)) is not None


def price_of(offer: Offer) -> Price:
    """Return the price of an offer as a value: the one way to read it."""
    return read_price(offer.price)


def rails_of(offer: Offer) -> tuple[Rail, ...]:
    """Return the ways to pay that the provider chose; none where the data are free."""
    return tuple(Rail(name) for name in offer.rails)


def shares_of(offer: Offer) -> tuple[tuple[str, int], ...]:
    """Return who gets which part of the revenue, in basis points that come to 10,000; the provider stands first."""
    return tuple((share["organization_id"], share["basis_points"]) for share in offer.shares)


def cancellation_of(offer: Offer) -> Cancellation:
    """Return whether a buyer may give up what is paid before its time is over."""
    return Cancellation(offer.cancellation)


def service_level_of(offer: Offer) -> tuple[CreditStep, ...]:
    """Return what the provider gives back for months of too little availability; nothing where it promises nothing."""
    return read_steps(offer.service_level)


def promises_of(offer: Offer) -> list[tuple[str, str]]:
    """Return what an offer promises beside its terms, as sentences in Japanese and English."""
    if offer.price_kind == PriceKind.FREE:
        return []
    cancellation = cancellation_of(offer)
    return [(cancellation.ja, cancellation.en), *said_of(service_level_of(offer))]


def discounts_of(offer: Offer) -> dict[DiscountClass, int]:
    """Return the basis points that each class of buyers is granted off the price before tax."""
    return {DiscountClass(one["class"]): one["basis_points"] for one in offer.discounts}


def may_see(actor: Actor | None, offer: Offer) -> bool:
    """Return whether the caller may know of the offer: of a private one its two parties and overseers alone."""
    if offer.buyer_organization_id is None:
        return True
    parties = (offer.organization_id, offer.buyer_organization_id)
    return actor is not None and (actor.oversees or actor.organization_id in parties)


def may_see_shares(actor: Actor | None, offer: Offer) -> bool:
    """Return whether the caller may know how the revenue is split: those who share it and overseers alone."""
    if actor is None:
        return False
    sharing = {offer.organization_id, *(organization_id for organization_id, _points in shares_of(offer))}
    return actor.oversees or actor.organization_id in sharing


def is_open(offer: Offer) -> bool:
    """Return whether the offer can be bought now."""
    return offer.state == OfferState.OPEN and (offer.valid_until is None or offer.valid_until > clock.now())


def limits_of(offer: Offer) -> Limits:
    """Return the limits of an offer as a value."""
    return Limits(**{name: getattr(offer, name) for name in LIMIT_NAMES})


def list_offerers(terms_sha256: str, reader: Actor | None = None, sight: Sight = PUBLIC) -> list[str]:
    """Return the ids of the organizations that have an open offer under these terms, as far as the reader may know."""
    statement = (
        select(Offer.organization_id)
        .where(Offer.terms_sha256 == _harmless(terms_sha256), *_open_now(), *_visible(reader))
        .where(of_seen_dataset(reader, sight))
        .distinct()
        .order_by(Offer.organization_id)
    )
    return list(db.session.scalars(statement))


def find_acceptance(organization_id: str, terms_sha256: str) -> Acceptance | None:
    """Return the organization's acceptance of the terms with this hash, or None."""
    key = (Acceptance.organization_id == organization_id, Acceptance.terms_sha256 == _harmless(terms_sha256))
    return db.session.scalar(select(Acceptance).where(*key))


def require_acceptance(organization_id: str, terms_sha256: str) -> Acceptance:
    """Return the organization's acceptance or raise TermsNotAccepted."""
    acceptance = find_acceptance(organization_id, terms_sha256)
    if acceptance is None:
        raise TermsNotAccepted(terms_sha256=terms_sha256)
    return acceptance


def _find(table: type[Row], identifier: str) -> Row | None:
    return db.session.get(table, identifier) if ID_PATTERN.fullmatch(identifier) else None


def _harmless(identifier: str) -> str:
    # PostgreSQL has no NUL and no lone surrogate in texts and refuses the whole query; no id has one either.
    return identifier if ID_PATTERN.fullmatch(identifier) or SHA256.fullmatch(identifier) else ""


def of_seen_dataset(reader: Actor | None, sight: Sight) -> ColumnElement[bool]:
    """Return the condition that an offer is the reader's, or its dataset not listed to others alone."""
    audience = or_(Dataset.audience.is_(None), Dataset.audience.in_(sorted(sight.groups)))
    seen = exists().where(Dataset.id == Offer.dataset_id, audience)
    if reader is None:
        return seen
    parties = (Offer.organization_id, Offer.buyer_organization_id)
    return or_(seen, *(party == reader.organization_id for party in parties))


def _open_now() -> tuple[Any, ...]:
    return (Offer.state == OfferState.OPEN.value, or_(Offer.valid_until.is_(None), Offer.valid_until > clock.now()))


def _visible(reader: Actor | None) -> tuple[Any, ...]:
    if reader is None:
        return (Offer.buyer_organization_id.is_(None),)
    if reader.oversees:
        return ()
    parties = (Offer.buyer_organization_id, Offer.organization_id)
    return (or_(Offer.buyer_organization_id.is_(None), *(party == reader.organization_id for party in parties)),)


def _page(statement: Select[Any], key: InstrumentedAttribute[str], cursor: str | None, size: int) -> Page[Any]:
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(key < _harmless(str(after[0])))
    rows = db.session.scalars(statement.order_by(key.desc()).limit(size + 1)).all()
    return cut(rows, size, lambda row: [row.id])


def _present(row: Row | None) -> Row:
    if row is None:
        raise NotFound
    return row


def _own(actor: Actor, row: Row | None) -> Row:
    if row is None or row.organization_id != actor.organization_id:
        raise NotFound
    return row
