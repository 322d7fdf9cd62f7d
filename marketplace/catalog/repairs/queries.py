"""Reads of findings."""

from collections.abc import Collection

from sqlalchemy import func, select

from marketplace.catalog.models import Dataset
from marketplace.catalog.queries import get_own_dataset, get_visible_dataset
from marketplace.catalog.repairs.models import DatasetRepair
from marketplace.catalog.repairs.states import RepairState
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable


def list_repairs(
    actor: Actor, dataset_id: str, *, state: str | None = None, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[DatasetRepair]:
    """Return the findings on a dataset that the caller owns or oversees, oldest first; NotFound for all others."""
    dataset = get_visible_dataset(actor, dataset_id)
    statement = select(DatasetRepair).where(DatasetRepair.dataset_id == dataset.id).order_by(DatasetRepair.id)
    if state is not None:
        statement = statement.where(DatasetRepair.state == state)
    if after := decode_cursor(cursor, 1):
        statement = statement.where(DatasetRepair.id > storable(str(after[0])))
    rows = db.session.scalars(statement.limit(size + 1), execution_options={"populate_existing": True}).all()
    return cut(rows, size, lambda row: [row.id])


def lock_own_repair(actor: Actor, dataset_id: str, repair_id: str) -> DatasetRepair:
    """Return a finding on one's own dataset, held until the transaction ends; NotFound for all others."""
    dataset = get_own_dataset(actor, dataset_id)
    asked = select(DatasetRepair).where(DatasetRepair.id == storable(repair_id))
    asked = asked.where(DatasetRepair.dataset_id == dataset.id).with_for_update()
    found = db.session.scalar(asked.execution_options(populate_existing=True))
    if found is None:
        raise NotFound
    return found


def decisions(dataset_ids: Collection[str]) -> dict[str, dict[str, str]]:
    """Return what stands of the findings on these datasets, by dataset and digest."""
    asked = select(DatasetRepair.dataset_id, DatasetRepair.digest, DatasetRepair.state)
    found: dict[str, dict[str, str]] = {}
    for dataset_id, digest, state in db.session.execute(asked.where(DatasetRepair.dataset_id.in_(dataset_ids))):
        found.setdefault(dataset_id, {})[digest] = state
    return found


def flags_of(dataset_id: str) -> list[DatasetRepair]:
    """Return what is told of a dataset and changes nothing: conflicts, duplicates, links that lead nowhere."""
    return flags_of_all([dataset_id]).get(dataset_id, [])


def flags_of_all(dataset_ids: Collection[str]) -> dict[str, list[DatasetRepair]]:
    """Return what is told of these datasets and changes nothing, by dataset, oldest first."""
    told = (DatasetRepair.dataset_id.in_(dataset_ids), DatasetRepair.field.is_(None))
    standing = DatasetRepair.state.in_([RepairState.SUGGESTED, RepairState.ACCEPTED])
    found: dict[str, list[DatasetRepair]] = {}
    for one in db.session.scalars(select(DatasetRepair).where(*told, standing).order_by(DatasetRepair.id)):
        found.setdefault(one.dataset_id, []).append(one)
    return found


def list_open(organization_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[DatasetRepair]:
    """Return the findings on an organization's datasets that wait for its decision, oldest first."""
    statement = select(DatasetRepair).join(Dataset, Dataset.id == DatasetRepair.dataset_id)
    waiting = (Dataset.organization_id == organization_id, DatasetRepair.state == RepairState.SUGGESTED)
    statement = statement.where(*waiting).order_by(DatasetRepair.id)
    if after := decode_cursor(cursor, 1):
        statement = statement.where(DatasetRepair.id > storable(str(after[0])))
    return cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda row: [row.id])


def count_open(organization_id: str) -> int:
    """Return how many findings wait for a decision of their provider."""
    asked = select(func.count()).select_from(DatasetRepair).join(Dataset, Dataset.id == DatasetRepair.dataset_id)
    waiting = (Dataset.organization_id == organization_id, DatasetRepair.state == RepairState.SUGGESTED)
    return db.session.scalar(asked.where(*waiting)) or 0
