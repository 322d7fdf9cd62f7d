"""Datastore: a table by its file in the catalogue, read under whichever of the caller's grants opens it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.access import queries as access
from marketplace.access.errors import GrantMissing
from marketplace.access.queries import GrantFilter
from marketplace.catalog import listings, queries
from marketplace.delivery.rows.columns import Column
from marketplace.exchange import rows
from marketplace.exchange.rows import Envelope, Page
from marketplace.identity.actors import Actor
from marketplace.kit.errors import NotFound, Refusal
from marketplace.kit.transaction import transaction

GRANTS_TRIED = 100


@dataclass(frozen=True, slots=True)
class Opened:
    """A table that a grant of the caller's opens, its columns and, where it was counted, how many rows it has."""

    grant_id: str
    file_name: str
    release_id: str
    columns: tuple[Column, ...]
    rows_total: int | None


def open_table(actor: Actor, release_id: str, file_name: str) -> Opened:
    """Find the newest of the caller's grants that opens a file now.

    Raises NotFound for what the caller may not know of, GrantMissing for what it could buy, or what the newest grant is
    refused for: GrantExpired, say. To be called outside any transaction.
    """
    with transaction():
        dataset_id = queries.get_release(release_id).dataset_id
        grants = access.list_grants(
            actor, GrantFilter(organization_id=actor.organization_id, dataset_id=dataset_id), size=GRANTS_TRIED
        )
        refused: Refusal | None = None
        for grant in grants.items:
            try:
                table = rows.find_table(actor, grant.id, file_name, release_id)
            except NotFound:
                continue
            except Refusal as refusal:
                refused = refused or refusal
                continue
            return Opened(grant.id, file_name, release_id, table.columns, table.rows_total)
        if refused is not None:
            raise refused
        raise GrantMissing if _is_public(dataset_id, release_id) else NotFound


def read(
    actor: Actor, opened: Opened, asked: Mapping[str, Any], headers: Mapping[str, str], envelope: Envelope
) -> Page:
    """Open the metered delivery of a page of an opened table; raises what a page of rows raises."""
    wanted = dict(asked) | {"release_id": opened.release_id, "format": "json"}
    return rows.open_page(actor, opened.grant_id, opened.file_name, wanted, headers, envelope)


def file_names(release_id: str) -> list[str]:
    """Return the names of the files of a release, whoever may know of it: for telling which one an id means."""
    return [file.name for file in queries.list_files(release_id)]


def _is_public(dataset_id: str, release_id: str) -> bool:
    return listings.is_listed(dataset_id) and release_id in queries.published_release_ids(dataset_id)
