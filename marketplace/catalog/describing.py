"""The deed of saying what the columns of a dataset mean."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import dictionary, queries
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.errors import DatasetWithdrawn, VersionStale
from marketplace.catalog.models import Dataset
from marketplace.catalog.states import DatasetState
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import changed_rows, db


def declare_dictionary(actor: Actor, dataset_id: str, notes: Sequence[ColumnNote], expected_version: int) -> Dataset:
    """Say anew what all columns mean, if the dataset still is at that version.

    Raises NotFound, DatasetWithdrawn, VersionStale or Invalid.
    """
    dataset = queries.get_own_dataset(actor, dataset_id)
    if dataset.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    dictionary.check_notes(notes)
    kept = dictionary.stored(notes)
    same = (Dataset.id == dataset.id, Dataset.version == expected_version, Dataset.state != DatasetState.WITHDRAWN)
    values: dict[str, Any] = {"dictionary": kept, "version": expected_version + 1, "updated_at": clock.now()}
    changed = changed_rows(update(Dataset).where(*same).values(values))
    db.session.expire(dataset)
    if not changed:
        raise VersionStale(version=dataset.version)
    facts = {
        "version": dataset.version,
        "columns": len(kept),
        "not_personal": sum(note.personal is False for note in notes),
        "dictionary_sha256": digest_of(kept),
    }
    audit.record(actor, Verb.DICTIONARY_DECLARED, subject=dataset.id, dataset=dataset.id, facts=facts)
    return dataset
