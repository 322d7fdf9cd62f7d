"""Recoding: a release of texts that are hard to read → a draft of copies in UTF-8, with days of eras as ISO's days.

The original stays as it is, with its hash and its grants. The copies are files of a release like any other: profiled,
looked through by the gate, published by their provider, open to the grants that include future releases, and metered.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings, service
from marketplace.catalog import queries as catalog
from marketplace.catalog.cleaning.files import is_foreign, text_findings
from marketplace.catalog.cleaning.mending import Rule
from marketplace.catalog.errors import ReleaseLabelTaken
from marketplace.catalog.models import Release
from marketplace.catalog.repairs import queries as repairs
from marketplace.catalog.repairs import rules
from marketplace.catalog.repairs.states import RepairState
from marketplace.catalog.rules import LABEL_LENGTH_MAX
from marketplace.catalog.states import DatasetState
from marketplace.catalog.tabular.recoded import recode_file
from marketplace.delivery.stores import Stored
from marketplace.exchange import disposing, facilities, gate, listing, tabular
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.kit import jobs
from marketplace.kit.transaction import transaction
from marketplace.privacy import service as privacy
from marketplace.privacy.errors import MyNumberFound

RECODE_JOB = "catalog.recode"
MARK = " (UTF-8)"
NOTES = (
    "「{label}」の表を機械的に UTF-8 に直した写しです。和暦の日付は、提供者が採用した場合に限り ISO 8601 にしています。"
    "内容はそれ以外変えていません。\n"
    "Copies of the tables of “{label}” in UTF-8, made by machine. Days of Japanese eras are days of ISO 8601 where the "
    "provider chose so; all else is as it was.\n\n{notes}"
)


class Wanted(NamedTuple):
    """A text of a release, and what its copy is to be mended of."""

    file_id: str
    sha256: str
    encoding: str
    delimiter: str
    dates: list[str]


class Copied(NamedTuple):
    """A copy in the store, and how many days of eras were told anew in it."""

    of: Wanted
    stored: Stored
    dates: int


def ask_where_accepted(dataset_id: str) -> None:
    """Have the texts of the newest release copied, where its provider has accepted that; in the open transaction."""
    if _accepted(dataset_id):
        jobs.enqueue(RECODE_JOB, lock=f"{RECODE_JOB} {dataset_id}", dataset_id=dataset_id)


@jobs.task(RECODE_JOB, slow=True)
def recode(dataset_id: str) -> None:
    """Draft a release of copies, unless there is one.

    A text that cannot be copied whole leaves everything as it is, and so does a file that nobody may have by now.
    """
    with transaction():
        found = _wanted(dataset_id)
    if found is None:
        return
    with suppress(MyNumberFound):
        _make(dataset_id, *found)


def _make(dataset_id: str, release_id: str, wanted: list[Wanted]) -> None:
    copies = [_copied(one) for one in wanted]
    with transaction():
        listings.stand_in_line(dataset_id)
        dataset = catalog.get_dataset(dataset_id)
        if dataset.state == DatasetState.PUBLISHED and catalog.published_release_ids(dataset_id)[:1] == [release_id]:
            _draft(on_behalf_of(dataset.organization_id), catalog.get_release(release_id), copies)


def _accepted(dataset_id: str) -> set[Rule]:
    """Return of what the texts of the newest release are to be mended."""
    found = text_findings(catalog.list_texts(dataset_id))
    if not found:
        return set()
    states = repairs.decisions([dataset_id]).get(dataset_id, {})
    return {one.rule for one in found if states.get(rules.digest(one)) == RepairState.ACCEPTED}


def _wanted(dataset_id: str) -> tuple[str, list[Wanted]] | None:
    """Return the newest release and which of its texts are to be copied; None where there is nothing left to do."""
    chosen = _accepted(dataset_id)
    newest = next(iter(catalog.published_release_ids(dataset_id)), None)
    if not chosen or newest is None:
        return None
    label = _label(catalog.get_release(newest).label)
    if catalog.find_release_by_label(dataset_id, label) is not None:
        return None
    traits = dict(catalog.list_texts(dataset_id))
    wanted = [
        Wanted(file.id, file.sha256, said["encoding"], said["delimiter"] or ",", said["era"] if days else [])
        for file in catalog.list_files(newest)
        if (said := traits.get(file.name)) and (is_foreign(said["encoding"]) or said["era"])
        for days in [Rule.DATES in chosen]
        if (Rule.ENCODING in chosen and is_foreign(said["encoding"])) or (days and said["era"])
    ]
    return newest, wanted


def _copied(one: Wanted) -> Copied:
    means = facilities.current()

    def keep(chunks: Iterable[bytes]) -> Stored:
        return disposing.receive(chunks, means.settings.upload_size_bytes_max)

    with means.store.open(one.sha256) as source:
        stored, dates = recode_file(Path(source.name), one.delimiter, one.dates, tabular.limits(means), keep)
    return Copied(one, stored, dates)


def _draft(actor: Actor, release: Release, copies: list[Copied]) -> None:
    """Open a release of the copies and of all other files as they are, and say on the record what was made of what."""
    try:
        notes = NOTES.format(label=release.label, notes=release.notes)
        made = service.open_release(actor, release.dataset_id, _label(release.label), notes.strip())
    except ReleaseLabelTaken:
        return
    by_id = {one.of.file_id: one for one in copies}
    for file in catalog.list_files(release.id):
        copy = by_id.get(file.id)
        if copy is not None:
            mended = listing.attach(actor, made.id, file.name, file.media_type.partition(";")[0], copy.stored)
            _record(actor, release.dataset_id, mended.id, copy)
        elif file.origin_url is not None:
            _declare(actor, made.id, file)
        else:
            listing.attach(actor, made.id, file.name, file.media_type, Stored(file.sha256, file.size_bytes))


def _declare(actor: Actor, release_id: str, file: Any) -> None:
    privacy.refuse_blocked(file.sha256)
    declared = (file.name, file.media_type, file.sha256, file.size_bytes, file.origin_url)
    gate.keep_unseen(service.declare_file(actor, release_id, *declared).id)


def _record(actor: Actor, dataset_id: str, file_id: str, copy: Copied) -> None:
    facts = {
        "of": copy.of.file_id, "of_sha256": copy.of.sha256, "sha256": copy.stored.sha256,
        "encoding": copy.of.encoding, "dates": copy.dates,
    }  # fmt: skip
    audit.record(actor, Verb.FILE_RECODED, subject=file_id, dataset=dataset_id, facts=facts)


def _label(label: str) -> str:
    return label[: LABEL_LENGTH_MAX - len(MARK)] + MARK
