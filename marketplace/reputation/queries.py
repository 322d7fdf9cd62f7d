"""Reads of reputation: what buyers say of a dataset, how it adds up, and what was told of a provider last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select, text

from marketplace.catalog import punctuality, quality
from marketplace.catalog.models import Dataset
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.identity.states import Capacity, OrganizationState, Trust
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable
from marketplace.reputation import trust
from marketplace.reputation.models import ProviderStanding, Rating
from marketplace.reputation.rules import STARS

_COUNTED = (Rating.withdrawn_at.is_(None), Rating.hidden_at.is_(None))
_UNTOLD = text("""
SELECT o.id FROM organization o
 WHERE o.state = 'verified' AND o.capacities @> '["provider"]'
   AND EXISTS (SELECT FROM dataset d
                WHERE d.organization_id = o.id AND d.audience IS NULL
                  AND (d.published_at IS NOT NULL OR d.origin_id IS NOT NULL))
   AND NOT EXISTS (SELECT FROM provider_standing s WHERE s.organization_id = o.id AND s.month >= :month)
 ORDER BY o.id
""")


@dataclass(frozen=True, slots=True)
class Said:
    """A rating as a reader sees it: ``author`` where it shows its name, ``hidden`` to its author and overseers."""

    id: str
    dataset_id: str
    stars: int
    text_ja: str
    text_en: str
    author: Organization | None
    mine: bool
    created_at: datetime
    updated_at: datetime
    reply: dict[str, Any] | None
    hidden: dict[str, Any] | None


def list_ratings(
    reader: Actor | None, dataset_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[Said]:
    """Return what is said of a dataset, newest first; the caller asks before whether the reader may see the dataset."""
    after = decode_cursor(cursor, 1)
    statement = select(Rating).where(Rating.dataset_id == storable(dataset_id), _may_see(reader))
    if after:
        statement = statement.where(Rating.id < storable(str(after[0])))
    ordered = statement.order_by(Rating.id.desc()).limit(size + 1)
    rows = db.session.scalars(ordered, execution_options={"populate_existing": True}).all()
    page = cut(rows, size, lambda row: [row.id])
    return Page(_said(reader, page.items), page.next_cursor)


def get_rating(rating_id: str) -> Rating:
    """Return a rating that was not withdrawn, or raise NotFound."""
    standing = (Rating.id == storable(rating_id), Rating.withdrawn_at.is_(None))
    row = db.session.scalar(select(Rating).where(*standing), execution_options={"populate_existing": True})
    if row is None:
        raise NotFound
    return row


def find_own(actor: Actor, dataset_id: str) -> Rating | None:
    """Return what the caller's organization says of a dataset, or None."""
    own = (Rating.organization_id == actor.organization_id, Rating.dataset_id == storable(dataset_id))
    statement = select(Rating).where(*own, Rating.withdrawn_at.is_(None))
    return db.session.scalar(statement, execution_options={"populate_existing": True})


def show(reader: Actor | None, rating: Rating) -> Said:
    """Return a rating as a reader sees it."""
    return _said(reader, [rating])[0]


def stars_of(dataset_id: str) -> dict[int, int]:
    """Return how many gave a dataset each number of stars."""
    counted = select(Rating.stars, func.count()).where(Rating.dataset_id == dataset_id, *_COUNTED)
    found = {stars: int(many) for stars, many in db.session.execute(counted.group_by(Rating.stars)).all()}
    return {stars: found.get(stars, 0) for stars in STARS}


def summary(stars: dict[int, int]) -> dict[str, Any]:
    """Return how ratings add up: how many, their mean in tenths, and how many gave each number of stars."""
    return {
        "total": sum(stars.values()),
        "mean_tenths": trust.mean_tenths(stars),
        "stars": {str(number): many for number, many in stars.items()},
    }


def of_document(dataset: Dataset, document: dict[str, Any]) -> dict[str, Any]:
    """Return what a dataset's document says of reputation: the sum of its ratings, and its trust figure."""
    stars = stars_of(dataset.id)
    turns = punctuality.turns(dataset.update_frequency, quality.published_moments(document))
    on_time, promised = punctuality.kept(turns)
    return _weighed(dataset.organization_id, stars, on_time, promised)


def of_newcomer(organization_id: str) -> dict[str, Any]:
    """Return the same of a provider's dataset that was made a moment ago: nobody has rated it, nothing was promised."""
    return _weighed(organization_id, dict.fromkeys(STARS, 0), 0, 0)


def _weighed(organization_id: str, stars: dict[int, int], on_time: int, promised: int) -> dict[str, Any]:
    provider, latest = identity.get_organization(organization_id), find_standing(organization_id)
    weighed = trust.weigh(
        qualified=provider.trust == Trust.QUALIFIED,
        stars=stars,
        on_time=on_time,
        promised=promised,
        told=latest.document if latest else {},
    )
    return {"ratings": summary(stars), "trust": weighed}


def find_standing(organization_id: str) -> ProviderStanding | None:
    """Return what was told of a provider last, or None."""
    statement = select(ProviderStanding).where(ProviderStanding.organization_id == storable(organization_id))
    return db.session.scalar(statement.order_by(ProviderStanding.month.desc()).limit(1))


def get_public_provider(organization_id: str) -> Organization:
    """Return a provider that has, or had, something listed to everybody; NotFound for all others."""
    # What was imported is listed where it is a draft here, too.
    came = or_(Dataset.published_at.is_not(None), Dataset.origin_id.is_not(None))
    shown = exists().where(Dataset.organization_id == Organization.id, Dataset.audience.is_(None), came)
    known = (
        Organization.id == storable(organization_id),
        Organization.state == OrganizationState.VERIFIED.value,
        shown,
    )
    found = db.session.scalar(select(Organization).where(*known))
    if found is None or Capacity.PROVIDER.value not in found.capacities:
        raise NotFound
    return found


def stars_of_provider(organization_id: str) -> dict[int, int]:
    """Return how many ratings of a provider's public datasets gave each number of stars."""
    public = exists().where(Dataset.id == Rating.dataset_id, Dataset.audience.is_(None))
    theirs = (Rating.provider_organization_id == organization_id, public, *_COUNTED)
    found = db.session.execute(select(Rating.stars, func.count()).where(*theirs).group_by(Rating.stars)).all()
    known = {stars: int(many) for stars, many in found}
    return {stars: known.get(stars, 0) for stars in STARS}


def untold_providers(month: date) -> list[str]:
    """Return the providers of which nothing was told for the months that end with one."""
    return list(db.session.scalars(_UNTOLD, {"month": f"{month:%Y-%m}"}))


def public_dataset_ids(organization_id: str) -> list[str]:
    """Return which datasets of a provider are listed to everybody."""
    listed = text(
        "SELECT l.dataset_id FROM listing l JOIN dataset d ON d.id = l.dataset_id WHERE d.organization_id = :id"
    )
    return list(db.session.scalars(listed, {"id": organization_id}))


def _may_see(reader: Actor | None) -> ColumnElement[bool]:
    standing = Rating.withdrawn_at.is_(None)
    if reader is not None and reader.oversees:
        return standing
    shown = Rating.hidden_at.is_(None)
    return standing & (shown if reader is None else or_(shown, Rating.organization_id == reader.organization_id))


def _said(reader: Actor | None, rows: Sequence[Rating]) -> list[Said]:
    authors = identity.find_organizations({row.organization_id for row in rows if row.shows_name})
    return [
        Said(
            id=row.id,
            dataset_id=row.dataset_id,
            stars=row.stars,
            text_ja=row.text_ja,
            text_en=row.text_en,
            author=authors.get(row.organization_id) if row.shows_name else None,
            mine=reader is not None and reader.organization_id == row.organization_id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            reply=_reply(row),
            hidden={"reason": row.hidden_reason, "at": row.hidden_at} if row.hidden_at else None,
        )
        for row in rows
    ]


def _reply(row: Rating) -> dict[str, Any] | None:
    if row.replied_at is None:
        return None
    return {"text_ja": row.reply_ja, "text_en": row.reply_en, "replied_at": row.replied_at}
