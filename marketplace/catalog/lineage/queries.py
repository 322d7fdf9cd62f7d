"""Reads of lineage and citations."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, exists, func, select, text

from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.catalog.lineage.models import Citation, DatasetOrigin
from marketplace.catalog.lineage.states import CitationState
from marketplace.catalog.models import Dataset, Listing
from marketplace.catalog.sight import Sight
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable

# Every way up from a dataset, each dataset once: a circle ends the walk where it closes. Only by way of what the caller
# sees: that a circle closes over something hidden would tell of it.
_CIRCLE = text("""
WITH RECURSIVE up (id) AS (
    SELECT source_dataset_id FROM dataset_origin WHERE dataset_id = :dataset_id AND source_dataset_id IS NOT NULL
     UNION
    SELECT origin.source_dataset_id FROM dataset_origin AS origin JOIN up ON origin.dataset_id = up.id
     WHERE origin.source_dataset_id IS NOT NULL AND (
           EXISTS (SELECT FROM listing WHERE dataset_id = up.id)
        OR EXISTS (SELECT FROM private_listing WHERE dataset_id = up.id AND group_id = ANY(:groups))
        OR EXISTS (SELECT FROM dataset WHERE id = up.id AND organization_id = :organization_id))
)
SELECT origin.dataset_id FROM dataset_origin AS origin JOIN up ON up.id = origin.dataset_id
 WHERE origin.source_dataset_id = :dataset_id ORDER BY origin.dataset_id
""")


def list_origins(dataset_id: str) -> Sequence[DatasetOrigin]:
    """Return what a dataset was made of, in the order of its provider."""
    found = select(DatasetOrigin).where(DatasetOrigin.dataset_id == storable(dataset_id))
    return db.session.scalars(found.order_by(DatasetOrigin.place)).all()


def list_public_origins(dataset_ids: Iterable[str]) -> dict[str, list[DatasetOrigin]]:
    """Return what datasets were made of, as far as everybody may see it, in the order of their providers."""
    wanted = DatasetOrigin.dataset_id.in_([storable(one) for one in dataset_ids])
    seen = DatasetOrigin.source_dataset_id.is_(None) | exists().where(
        Listing.dataset_id == DatasetOrigin.source_dataset_id
    )
    found = select(DatasetOrigin).where(wanted, seen).order_by(DatasetOrigin.dataset_id, DatasetOrigin.place)
    grouped: dict[str, list[DatasetOrigin]] = {}
    for origin in db.session.scalars(found.execution_options(populate_existing=True)):
        grouped.setdefault(origin.dataset_id, []).append(origin)
    return grouped


def closing_circle(organization_id: str, sight: Sight, dataset_id: str) -> list[str]:
    """Return the datasets by way of which one would be made of itself, as far as an organization sees them."""
    asked = {"dataset_id": dataset_id, "organization_id": organization_id, "groups": sorted(sight.groups)}
    circle = list(db.session.scalars(_CIRCLE, asked))
    if not circle:
        return []
    seen, known = listings.find_listings(circle, sight), catalog.find_datasets(circle)
    return [one for one in circle if one in seen or known[one].organization_id == organization_id]


def is_cited(dataset_id: str, url: str, but: str = "") -> bool:
    """Tell whether a citation of this address, or another one than one of them, is shown of a dataset."""
    same = (Citation.dataset_id == dataset_id, Citation.url == url, Citation.id != but)
    return bool(db.session.scalar(select(exists().where(*same, Citation.state == CitationState.SHOWN))))


def list_citations(
    dataset_id: str, *, shown_only: bool = True, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[Citation]:
    """Return what was made of a dataset, newest first."""
    statement = select(Citation).where(Citation.dataset_id == storable(dataset_id)).order_by(Citation.id.desc())
    if shown_only:
        statement = statement.where(Citation.state == CitationState.SHOWN)
    return _page(statement, cursor, size)


def list_of_provider(organization_id: str, *, waiting: bool, cursor: str | None = None) -> Page[Citation]:
    """Return citations of all datasets of an organization, newest first: those that wait for it, or those decided."""
    is_waiting = Citation.state == CitationState.WAITING
    found = select(Citation).join(Dataset, Dataset.id == Citation.dataset_id)
    mine = found.where(Dataset.organization_id == organization_id, is_waiting if waiting else ~is_waiting)
    return _page(mine.order_by(Citation.id.desc()), cursor, SIZE_DEFAULT)


def list_named_by(organization_id: str) -> Page[Citation]:
    """Return what an organization named last of what it made of datasets, its own ones and others'."""
    named = select(Citation).where(Citation.organization_id == organization_id).order_by(Citation.id.desc())
    return _page(named, None, SIZE_DEFAULT)


def get_citation_of_provider(organization_id: str, citation_id: str) -> Citation:
    """Return a citation of a dataset of this organization; NotFound for all others."""
    found = select(Citation).join(Dataset, Dataset.id == Citation.dataset_id)
    mine = (Citation.id == storable(citation_id), Dataset.organization_id == organization_id)
    citation = db.session.scalar(found.where(*mine).execution_options(populate_existing=True))
    if citation is None:
        raise NotFound
    return citation


def count_waiting(organization_id: str, provider_id: str) -> int:
    """Return how many citations of an organization wait for a provider."""
    waiting = select(func.count()).select_from(Citation).join(Dataset, Dataset.id == Citation.dataset_id)
    asked = (Citation.organization_id == organization_id, Citation.state == CitationState.WAITING)
    return db.session.scalar(waiting.where(*asked, Dataset.organization_id == provider_id)) or 0


def _page(statement: Select[Citation], cursor: str | None, size: int) -> Page[Citation]:
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(Citation.id < storable(str(after[0])))
    return cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda row: [row.id])
