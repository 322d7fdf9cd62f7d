"""Reads of links."""

from collections.abc import Collection

from sqlalchemy import select

from marketplace.catalog.links.models import DatasetLink
from marketplace.catalog.links.states import LinkState
from marketplace.catalog.queries import get_visible_dataset
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable


def list_links(
    actor: Actor, dataset_id: str, *, state: str | None = None, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[DatasetLink]:
    """Return the links of a dataset that the caller owns or oversees; NotFound for all others."""
    dataset = get_visible_dataset(actor, dataset_id)
    statement = select(DatasetLink).where(DatasetLink.dataset_id == dataset.id).order_by(DatasetLink.digest)
    if state is not None:
        statement = statement.where(DatasetLink.state == state)
    if after := decode_cursor(cursor, 1):
        statement = statement.where(DatasetLink.digest > storable(str(after[0])))
    rows = db.session.scalars(statement.limit(size + 1), execution_options={"populate_existing": True}).all()
    return cut(rows, size, lambda row: [row.digest])


def dead_of(dataset_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the addresses that lead nowhere, by dataset, in one order."""
    asked = select(DatasetLink.dataset_id, DatasetLink.url)
    asked = asked.where(DatasetLink.dataset_id.in_(dataset_ids), DatasetLink.state == LinkState.DEAD)
    found: dict[str, list[str]] = {}
    for dataset_id, url in db.session.execute(asked.order_by(DatasetLink.url)):
        found.setdefault(dataset_id, []).append(url)
    return found
