"""Deeds of the catalogue: describing datasets, filling releases, publishing and withdrawing them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import ckan, listings, queries, rules
from marketplace.catalog.disposals import service as disposals
from marketplace.catalog.disposals.states import Reason
from marketplace.catalog.errors import (
    DatasetWithdrawn,
    FileNameTaken,
    ProfilePending,
    ReleaseEmpty,
    ReleaseFull,
    ReleaseLabelTaken,
    ReleaseSealed,
    ReleaseWithdrawn,
    VersionStale,
)
from marketplace.catalog.models import Dataset, File, Release
from marketplace.catalog.profile_form import FORM, completed
from marketplace.catalog.profiling import words
from marketplace.catalog.rules import DatasetDraft
from marketplace.catalog.states import RELEASE_MOVES, DatasetState, ProfileState, ReleaseState
from marketplace.catalog.uploads import storage
from marketplace.catalog.uploads.models import Upload
from marketplace.identity import queries as identity
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import Invalid
from marketplace.kit.ids import new_id

Row = TypeVar("Row", Dataset, Release, File)
PROFILE_JOB = "catalog.profile"
# A foreign record says nothing of who may have the data here, nor how it was judged: what its provider said stays.
SAID_HERE = ("trust_required", "assurance_required", "assessment_url", "high_value_categories")


def register_dataset(actor: Actor, draft: DatasetDraft) -> Dataset:
    """Describe a new dataset of the caller's organization, unseen by the public; raises Invalid."""
    rules.check_draft(draft)
    dataset = _new_dataset(actor.organization_id, draft)
    db.session.add(dataset)
    db.session.flush()
    audit.record(actor, Verb.DATASET_REGISTERED, subject=dataset.id, dataset=dataset.id, facts={"version": 1})
    return dataset


def revise_dataset(actor: Actor, dataset_id: str, changes: Mapping[str, Any], expected_version: int) -> Dataset:
    """Change fields of a description, if it still is at ``expected_version``.

    Raises NotFound, DatasetWithdrawn, VersionStale, or Invalid for unknown fields and bad values.
    """
    dataset = _own_living_dataset(actor, dataset_id)
    unknown = sorted(set(changes) - rules.DRAFT_FIELDS)
    if unknown:
        raise Invalid(errors=[{"pointer": f"/{name}", "detail": "is no field of a dataset"} for name in unknown])
    draft = replace(draft_of(dataset), **changes)
    lists = {name: tuple(getattr(draft, name)) for name in rules.LISTS}
    draft = replace(draft, **lists)  # type: ignore[arg-type] # tuples, as the fields of these names are
    rules.check_draft(draft)
    if not _write_draft(dataset.id, expected_version, draft):
        raise VersionStale(version=_reread(Dataset, dataset_id).version)
    facts = {"version": expected_version + 1, "fields": sorted(changes)}
    audit.record(actor, Verb.DATASET_REVISED, subject=dataset_id, dataset=dataset_id, facts=facts)
    return _reread(Dataset, dataset_id)


def withdraw_dataset(actor: Actor, dataset_id: str) -> Dataset:
    """Take a dataset and its listing out of the catalogue for good; grants already sold are untouched.

    Raises NotFound or DatasetWithdrawn.
    """
    queries.get_own_dataset(actor, dataset_id)
    now = clock.now()
    withdrawn = changed_rows(
        update(Dataset)
        .where(Dataset.id == dataset_id, Dataset.state != DatasetState.WITHDRAWN)
        .values(state=DatasetState.WITHDRAWN, withdrawn_at=now, updated_at=now, version=Dataset.version + 1)
    )
    if not withdrawn:
        raise DatasetWithdrawn
    listings.drop_listing(dataset_id)
    audit.record(actor, Verb.DATASET_WITHDRAWN, subject=dataset_id, dataset=dataset_id)
    return _reread(Dataset, dataset_id)


def open_release(actor: Actor, dataset_id: str, label: str, notes: str = "") -> Release:
    """Begin a new version of a dataset's files; raises NotFound, DatasetWithdrawn, ReleaseLabelTaken or Invalid."""
    dataset = _own_living_dataset(actor, dataset_id)
    rules.check_release(label, notes)
    release_id = new_id("rel")
    row = {"id": release_id, "dataset_id": dataset.id, "label": label, "notes": notes, "state": ReleaseState.DRAFT}
    if not _inserted(Release, row | {"created_at": clock.now()}):
        held = queries.find_release_by_label(dataset.id, label)
        raise ReleaseLabelTaken(release_id=held.id if held else None)
    audit.record(actor, Verb.RELEASE_OPENED, subject=release_id, dataset=dataset.id)
    return _reread(Release, release_id)


def expect_file(actor: Actor, release_id: str, name: str, media_type: str, size_bytes: int = 0) -> None:
    """Refuse a file before its bytes are sent, where it is clear already that it cannot be attached.

    Raises NotFound, DatasetWithdrawn, ReleaseSealed, FileNameUnsafe, Invalid or ProviderQuotaExhausted.
    """
    release = queries.get_own_release(actor, release_id)
    if queries.get_dataset(release.dataset_id).state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    if release.state != ReleaseState.DRAFT:
        raise ReleaseSealed(state=release.state)
    rules.check_file_name(name)
    rules.check_media_type(media_type)
    storage.expect(actor.organization_id, size_bytes)


def attach_file(actor: Actor, release_id: str, name: str, media_type: str, sha256: str, size_bytes: int) -> File:
    """Enter stored bytes into a draft release under a name, and have them profiled.

    The same bytes under the same name are entered once, however often it is asked. Raises NotFound,
    DatasetWithdrawn, ReleaseSealed, ReleaseFull, FileNameUnsafe, FileNameTaken, ProviderQuotaExhausted or Invalid.
    """
    release, held = _place_for(actor, release_id, name, media_type, sha256, size_bytes)
    if held:
        return _same_file(held, name, sha256, None)
    storage.occupy(actor.organization_id, size_bytes)
    file = _new_file(release_id, name, media_type, sha256, size_bytes)
    db.session.add(file)
    db.session.flush()
    jobs.enqueue(PROFILE_JOB, file_id=file.id)
    facts = {"release": release_id, "sha256": sha256, "size_bytes": str(size_bytes)}
    audit.record(actor, Verb.FILE_RECEIVED, subject=file.id, dataset=release.dataset_id, facts=facts)
    return file


def declare_file(
    actor: Actor, release_id: str, name: str, media_type: str, sha256: str, size_bytes: int, url: str
) -> File:
    """Enter a file that stays with its provider; nobody looks into it, and its hash and size are the provider's word.

    The same under the same name is entered once. Raises NotFound, DatasetWithdrawn, ReleaseSealed, ReleaseFull,
    FileNameUnsafe, FileNameTaken or Invalid.
    """
    release, held = _place_for(actor, release_id, name, media_type, sha256, size_bytes)
    if held:
        return _same_file(held, name, sha256, url)
    file = _new_file(release_id, name, media_type, sha256, size_bytes)
    file.origin_url, file.profile_state = url, ProfileState.OPAQUE
    db.session.add(file)
    db.session.flush()
    declared = {"release": release_id, "sha256": sha256, "size_bytes": str(size_bytes), "host": urlsplit(url).hostname}
    audit.record(actor, Verb.FILE_DECLARED, subject=file.id, dataset=release.dataset_id, facts=declared)
    return file


def record_profile(file_id: str, profile: dict[str, Any] | None, state: ProfileState) -> File:
    """Keep what was found inside a file; the first finding stays, so that the job may run again.

    Raises NotFound, or ValueError for the state ``pending``, which is no finding.
    """
    if state is ProfileState.PENDING:
        raise ValueError("pending is no finding")
    file = queries.get_file(file_id)
    recorded = changed_rows(
        update(File)
        .where(File.id == file_id, File.profile_state == ProfileState.PENDING)
        .values(profile=profile, profile_state=state, profiled_at=clock.now(), profile_form=FORM)
    )
    if recorded:
        dataset_id = queries.get_release(file.release_id).dataset_id
        facts = {"sha256": file.sha256, "state": state.value}
        audit.record(SYSTEM, Verb.FILE_PROFILED, subject=file_id, dataset=dataset_id, facts=facts)
    return _reread(File, file_id)


def complete_profile(file_id: str, found: dict[str, Any] | None) -> None:
    """Add what a later look tells of a published file, once; None where nothing can be added."""
    behind = select(File).where(File.id == file_id, File.profile_form < FORM).with_for_update()
    file = db.session.scalar(behind.execution_options(populate_existing=True))
    if file is None or file.profile is None:
        return
    told = completed(file.profile, found) if found else file.profile
    db.session.execute(update(File).where(File.id == file_id).values(profile=told, profile_form=FORM))
    dataset_id = queries.get_release(file.release_id).dataset_id
    facts = {"sha256": file.sha256, "state": file.profile_state, "form": FORM}
    audit.record(SYSTEM, Verb.FILE_PROFILED, subject=file_id, dataset=dataset_id, facts=facts)


def forget_content(file_id: str) -> None:
    """Forget what the profile of a file shows of its content, and that there was one."""
    told = {"problem": words.problem("content-refused", {}), "warnings": []}
    values = {"profile": told, "profile_state": ProfileState.FAILED, "profiled_at": clock.now()}
    db.session.execute(update(File).where(File.id == file_id).values(values))


def remove_file(actor: Actor, file_id: str, *, gives_room: bool = True) -> None:
    """Take a file out of a draft release, and have its bytes removed unless another needs them.

    One that gave its room back before does not do so again. Raises NotFound or ReleaseSealed.
    """
    file = queries.get_file(file_id)
    release = _own_draft_release(actor, file.release_id)
    sha256 = file.sha256
    if gives_room and file.origin_url is None:
        storage.vacate(actor.organization_id, file.size_bytes)
        disposals.ask(sha256, Reason.REMOVED, file_id, release.dataset_id, actor.organization_id)
    db.session.execute(delete(Upload).where(Upload.file_id == file_id))
    db.session.execute(delete(File).where(File.id == file_id))
    db.session.expunge(file)
    facts = {"release": release.id, "sha256": sha256}
    audit.record(actor, Verb.FILE_REMOVED, subject=file_id, dataset=release.dataset_id, facts=facts)


def publish_release(actor: Actor, release_id: str) -> Release:
    """Seal a release and show it, and with it its dataset, to the public.

    Raises NotFound, DatasetWithdrawn, ReleaseSealed, ReleaseEmpty or ProfilePending.
    """
    release = _own_draft_release(actor, release_id)
    pending = queries.pending_file_names(release_id)
    if pending:
        raise ProfilePending(files=pending)
    files = queries.list_files(release_id)
    if not files:
        raise ReleaseEmpty
    shown = {"formats": queries.formats_in(release_id), "column_names": queries.column_names_in(release_id)}
    published = shown | {"state": ReleaseState.PUBLISHED, "published_at": clock.now()}
    db.session.execute(update(Release).where(Release.id == release_id).values(published))
    _show_dataset(release.dataset_id)
    facts = {"files": len(files), "manifest_sha256": digest_of([[file.name, file.sha256] for file in files])}
    audit.record(actor, Verb.RELEASE_PUBLISHED, subject=release_id, dataset=release.dataset_id, facts=facts)
    return _reread(Release, release_id)


def withdraw_release(actor: Actor, release_id: str) -> Release:
    """Hide a release, or give up a draft; grants already sold are untouched. Raises NotFound or ReleaseWithdrawn."""
    release = queries.get_own_release(actor, release_id)
    movable = [state for state, moves in RELEASE_MOVES.items() if ReleaseState.WITHDRAWN in moves]
    withdrawn = changed_rows(
        update(Release)
        .where(Release.id == release_id, Release.state.in_(movable))
        .values(state=ReleaseState.WITHDRAWN, withdrawn_at=clock.now())
    )
    if not withdrawn:
        raise ReleaseWithdrawn
    audit.record(actor, Verb.RELEASE_WITHDRAWN, subject=release_id, dataset=release.dataset_id)
    return _reread(Release, release_id)


def import_ckan_package(actor: Actor, package: dict[str, Any]) -> Dataset:
    """Take over a CKAN package as a dataset of the caller's organization, whole, once per package id.

    A package that comes again unchanged changes nothing; a changed one renews the description. The
    region is the publisher's where the package states none. Raises PackageUnreadable,
    DatasetWithdrawn or Invalid.
    """
    publisher = identity.get_organization(actor.organization_id)
    read = ckan.read_package(package, publisher.local_government_code or rules.COUNTRY)
    origin = {"origin_id": read.origin_id, "source": package}
    row = dataset_row(publisher.id, read.draft) | origin
    if _inserted(Dataset, row):
        _record_import(actor, row["id"], package, 1)
        return _reread(Dataset, row["id"])
    return _renew_import(actor, read, package)


def draft_of(dataset: Dataset) -> DatasetDraft:
    """Return what is said of a dataset, as a draft that can be changed."""
    values = {field: getattr(dataset, field) for field in rules.DRAFT_FIELDS}
    return DatasetDraft(**values | {name: tuple(values[name]) for name in rules.LISTS})


def _renew_import(actor: Actor, read: ckan.ReadPackage, package: dict[str, Any]) -> Dataset:
    held = _reread(Dataset, queries.get_origin(actor.organization_id, read.origin_id).id, lock=True)
    if held.source == package:
        return held
    if held.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    version = held.version + 1
    said = {name: getattr(draft_of(held), name) for name in SAID_HERE}
    _write_draft(held.id, held.version, replace(read.draft, **said), source=package)
    _record_import(actor, held.id, package, version)
    return _reread(Dataset, held.id)


def _record_import(actor: Actor, dataset_id: str, package: dict[str, Any], version: int) -> None:
    facts = {"package_sha256": ckan.package_sha256(package), "version": version}
    audit.record(actor, Verb.DATASET_IMPORTED, subject=dataset_id, dataset=dataset_id, facts=facts)


def dataset_row(organization_id: str, draft: DatasetDraft) -> dict[str, Any]:
    """Return the columns of a new dataset that nobody sees yet."""
    now = clock.now()
    row = {"id": new_id("ds"), "organization_id": organization_id, "state": DatasetState.DRAFT, "version": 1}
    return row | draft.columns() | {"created_at": now, "updated_at": now}


def _new_dataset(organization_id: str, draft: DatasetDraft) -> Dataset:
    return Dataset(**dataset_row(organization_id, draft))


def _new_file(release_id: str, name: str, media_type: str, sha256: str, size_bytes: int) -> File:
    return File(
        id=new_id("fil"),
        release_id=release_id,
        name=name,
        name_key=rules.name_key(name),
        media_type=media_type,
        sha256=sha256,
        size_bytes=size_bytes,
        received_at=clock.now(),
        profile_state=ProfileState.PENDING,
    )


def _place_for(
    actor: Actor, release_id: str, name: str, media_type: str, sha256: str, size_bytes: int
) -> tuple[Release, File | None]:
    """Return the draft release that takes a file, locked, and what it holds under such a name already."""
    rules.check_file_name(name)
    rules.check_content(media_type, sha256, size_bytes)
    release = _own_draft_release(actor, release_id)
    held = queries.find_lookalike(release_id, rules.name_key(name))
    if held is None and queries.count_files(release_id) >= rules.FILES_PER_RELEASE_MAX:
        raise ReleaseFull(f"A release holds at most {rules.FILES_PER_RELEASE_MAX:,} files.")
    return release, held


def _same_file(held: File, name: str, sha256: str, origin_url: str | None) -> File:
    if (held.name, held.sha256, held.origin_url) != (name, sha256, origin_url):
        raise FileNameTaken(held_name=held.name, held_sha256=held.sha256)
    return held


def _own_living_dataset(actor: Actor, dataset_id: str) -> Dataset:
    # All who change one dataset stand in line here. The lock is exclusive from the start: two shared
    # locks that both want to write would wait for each other. Foreign keys pass by (NO KEY).
    dataset = _reread(Dataset, queries.get_own_dataset(actor, dataset_id).id, lock=True)
    if dataset.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    return dataset


def _own_draft_release(actor: Actor, release_id: str) -> Release:
    found = queries.get_own_release(actor, release_id)
    _own_living_dataset(actor, found.dataset_id)
    release = _reread(Release, release_id, lock=True)
    if release.state != ReleaseState.DRAFT:
        raise ReleaseSealed(state=release.state)
    return release


def _show_dataset(dataset_id: str) -> None:
    db.session.execute(
        update(Dataset)
        .where(Dataset.id == dataset_id, Dataset.state == DatasetState.DRAFT)
        .values(state=DatasetState.PUBLISHED, published_at=clock.now(), updated_at=clock.now())
    )


def _write_draft(dataset_id: str, expected_version: int, draft: DatasetDraft, **more: Any) -> bool:
    values = draft.columns() | {"version": expected_version + 1, "updated_at": clock.now()} | more
    same = (Dataset.id == dataset_id, Dataset.version == expected_version)
    return changed_rows(update(Dataset).where(*same).values(values)) == 1


def _inserted(table: type[Row], row: dict[str, Any]) -> bool:
    # Waits for whoever inserts the same key at this moment, and is told no if that one is kept.
    statement = insert(table).values(row).on_conflict_do_nothing().returning(table.id)
    return db.session.scalar(statement) is not None


def _reread(table: type[Row], key: str, *, lock: bool = False) -> Row:
    statement = select(table).where(table.id == key).execution_options(populate_existing=True)
    return db.session.scalars(statement.with_for_update(key_share=True) if lock else statement).one()
