"""Repairing: what a machine has found on a description → the provider's yes or no → the description, listed anew."""

from collections.abc import Callable
from typing import Any

from marketplace.catalog import ckan, listings
from marketplace.catalog import queries as catalog
from marketplace.catalog import service as datasets
from marketplace.catalog.cleaning import mending
from marketplace.catalog.cleaning.files import file_findings, text_findings
from marketplace.catalog.cleaning.mending import Finding, Rule
from marketplace.catalog.models import Dataset
from marketplace.catalog.repairs import service
from marketplace.catalog.repairs.models import DatasetRepair
from marketplace.catalog.states import DatasetState, Frequency, Licence, Theme
from marketplace.exchange import listing, recoding
from marketplace.identity.actors import Actor
from marketplace.kit import jobs
from marketplace.kit.transaction import transaction

_OF_FILES = (Rule.LICENCE_CONFLICT, Rule.ENCODING, Rule.DATES, Rule.DUPLICATE)
_KINDS: dict[str, Callable[[Any], Any]] = {
    "themes": lambda words: tuple(map(Theme, words)),
    "update_frequency": Frequency,
    "licence_hint": lambda word: None if word is None else Licence(word),
    "keywords": tuple,
}


def decide(actor: Actor, dataset_id: str, repair_id: str, *, accept: bool) -> DatasetRepair:
    """Accept or refuse a finding: what it changes of the dataset is changed, or changed back, at once.

    Raises NotFound, DatasetWithdrawn or RepairCleared. The same decision again changes nothing.
    """
    listings.stand_in_line(catalog.get_own_dataset(actor, dataset_id).id)
    repair, changes = service.decide(actor, dataset_id, repair_id, accept=accept)
    if changes:
        typed = {name: _KINDS.get(name, lambda value: value)(value) for name, value in changes.items()}
        datasets.revise_dataset(actor, dataset_id, typed, catalog.get_dataset(dataset_id).version)
    if catalog.get_dataset(dataset_id).state != DatasetState.WITHDRAWN:
        listing.refresh(dataset_id)
        recoding.ask_where_accepted(dataset_id)
    return repair


@jobs.task("catalog.look_over")
def look_over(dataset_id: str) -> None:
    """Compare a description with what its files say, and with other datasets of the same files."""
    with transaction():
        listings.stand_in_line(dataset_id)
        dataset = catalog.get_dataset(dataset_id)
        if dataset.state != DatasetState.WITHDRAWN:
            _look_over(dataset)


def _look_over(dataset: Dataset) -> None:
    files = catalog.list_profiles(dataset.id)
    texts = text_findings(catalog.list_texts(dataset.id))
    found = file_findings(dataset.licence_hint, files) + texts + _duplicates(dataset)
    if dataset.source is not None:
        stated = mending.findings(datasets.draft_of(dataset), ckan.contents_of(dataset.source))
        found += [one for one in stated if one.rule is Rule.LICENCE_CONFLICT]
    changed = service.clear(dataset.id, _OF_FILES, found)
    changed += service.note(service.rows_of(dataset.id, datasets.draft_of(dataset), found, repairs=False))
    if changed:
        listing.refresh(dataset.id)
    # What was accepted once holds for further releases as well.
    recoding.ask_where_accepted(dataset.id)


def _duplicates(dataset: Dataset) -> list[Finding]:
    """Return the other datasets of the same organization that hold a file of the same content."""
    others = catalog.datasets_of_same_content(dataset.id, dataset.organization_id)
    if not others:
        return []
    return [Finding(Rule.DUPLICATE, None, None, {"dataset_ids": others, "by": "content"}, 95)]
