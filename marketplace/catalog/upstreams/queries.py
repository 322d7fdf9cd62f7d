"""Reads of upstreams."""

from sqlalchemy import select

from marketplace.catalog import listings
from marketplace.catalog.queries import get_visible_dataset
from marketplace.catalog.sight import PUBLIC, Sight
from marketplace.catalog.upstreams.models import Upstream
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.texts import storable


def find_upstream(dataset_id: str) -> Upstream | None:
    """Return the upstream of a dataset as it is now, or None."""
    statement = select(Upstream).where(Upstream.dataset_id == storable(dataset_id))
    return db.session.scalar(statement.execution_options(populate_existing=True))


def get_visible_upstream(actor: Actor, dataset_id: str) -> Upstream:
    """Return the upstream of a dataset that the caller owns or oversees; NotFound for all others."""
    upstream = find_upstream(get_visible_dataset(actor, dataset_id).id)
    if upstream is None:
        raise NotFound
    return upstream


def get_openapi(dataset_id: str, sight: Sight = PUBLIC) -> str:
    """Return the description of the upstream of a dataset that the reader sees, as JSON; raises NotFound."""
    upstream = find_upstream(dataset_id) if listings.is_listed(dataset_id, sight) else None
    if upstream is None or upstream.openapi is None:
        raise NotFound
    return upstream.openapi
