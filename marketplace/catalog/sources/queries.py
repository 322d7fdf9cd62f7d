"""Reads of sources."""

from sqlalchemy import exists, select

from marketplace.catalog.models import File
from marketplace.catalog.queries import get_visible_dataset
from marketplace.catalog.sources.models import ReleaseSource
from marketplace.catalog.states import ProfileState
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.texts import storable


def find_source(dataset_id: str) -> ReleaseSource | None:
    """Return the source of a dataset as it is now, or None."""
    statement = select(ReleaseSource).where(ReleaseSource.dataset_id == storable(dataset_id))
    return db.session.scalar(statement.execution_options(populate_existing=True))


def get_visible_source(actor: Actor, dataset_id: str) -> ReleaseSource:
    """Return the source of a dataset that the caller owns or oversees; NotFound for all others."""
    source = find_source(get_visible_dataset(actor, dataset_id).id)
    if source is None:
        raise NotFound
    return source


def list_awaiting() -> list[tuple[str, str, str]]:
    """Return dataset, organization and release of what is to be published and whose file was looked into."""
    pending = exists().where(
        File.release_id == ReleaseSource.awaiting_release_id, File.profile_state == ProfileState.PENDING
    )
    columns = (ReleaseSource.dataset_id, ReleaseSource.organization_id, ReleaseSource.awaiting_release_id)
    found = db.session.execute(select(*columns).where(ReleaseSource.awaiting_release_id.is_not(None), ~pending))
    return [(row[0], row[1], str(row[2])) for row in found]
