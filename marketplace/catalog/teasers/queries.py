"""Reads of teasers."""

from sqlalchemy import func, select

from marketplace.catalog.teasers.models import Teaser, TeaserWatcher
from marketplace.catalog.teasers.states import LIVE, TeaserState
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable


def get_teaser(teaser_id: str) -> Teaser:
    """Return an announcement, which everybody may read whatever became of it; raises NotFound."""
    found = select(Teaser).where(Teaser.id == storable(teaser_id))
    teaser = db.session.scalar(found.execution_options(populate_existing=True))
    if teaser is None:
        raise NotFound
    return teaser


def get_own_teaser(actor: Actor, teaser_id: str) -> Teaser:
    """Return an announcement of the caller's organization; NotFound for all others."""
    teaser = get_teaser(teaser_id)
    if teaser.organization_id != actor.organization_id:
        raise NotFound
    return teaser


def list_teasers(reader: Actor | None = None, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Teaser]:
    """Return announcements that are not listed yet, newest first; for a reader its own in whatever state, or all."""
    statement = select(Teaser).order_by(Teaser.id.desc())
    if reader is None:
        statement = statement.where(Teaser.state.in_(LIVE))
    elif not reader.oversees:
        statement = statement.where(Teaser.organization_id == reader.organization_id)
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(Teaser.id < storable(str(after[0])))
    return cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda row: [row.id])


def count_watchers(teaser_id: str) -> int:
    """Return how many organizations asked to be told."""
    counted = select(func.count()).select_from(TeaserWatcher).where(TeaserWatcher.teaser_id == storable(teaser_id))
    return db.session.scalar(counted) or 0


def is_watched(teaser_id: str, organization_id: str) -> bool:
    """Tell whether an organization asked to be told."""
    return db.session.get(TeaserWatcher, (storable(teaser_id), organization_id)) is not None


def find_coming(dataset_id: str) -> Teaser | None:
    """Return the announcement that is becoming this dataset, or None."""
    coming = (Teaser.dataset_id == dataset_id, Teaser.state == TeaserState.COMING)
    return db.session.scalar(select(Teaser).where(*coming))
