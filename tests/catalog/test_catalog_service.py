"""Describing datasets, filling releases, publishing and withdrawing them."""

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings, queries, rules, service
from marketplace.catalog.errors import (
    DatasetWithdrawn,
    FileNameTaken,
    FileNameUnsafe,
    ProfilePending,
    ReleaseEmpty,
    ReleaseFull,
    ReleaseLabelTaken,
    ReleaseSealed,
    ReleaseWithdrawn,
    VersionStale,
)
from marketplace.catalog.models import Dataset, File, Release
from marketplace.catalog.states import DatasetState, Frequency, ProfileState, ReleaseState
from marketplace.identity.actors import Actor
from marketplace.kit.errors import Invalid, NotFound
from tests.catalog.conftest import Attach
from tests.factories.catalog import DatasetDraftFactory, DatasetFactory, FileFactory, ReleaseFactory

SHA256 = "ab" * 32

ANOTHER = '{"id": "late", "name": "late", "name_key": "late"}'
"""What a file that comes late has of its own."""


def verbs(session: Session, subject: str) -> list[str]:
    return list(session.scalars(select(Entry.verb).where(Entry.subject == subject).order_by(Entry.id)))


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table))


@pytest.fixture
def dataset(provider: Actor) -> Dataset:
    DatasetFactory(published=True)  # somebody else's, so that a forgotten WHERE shows
    return service.register_dataset(provider, DatasetDraftFactory())


@pytest.fixture
def release(provider: Actor, dataset: Dataset) -> Release:
    FileFactory()
    return service.open_release(provider, dataset.id, "令和8年11月", "初版")


def test_a_dataset_is_registered_as_a_draft_of_its_organization(provider: Actor, session: Session) -> None:
    draft = DatasetDraftFactory()
    dataset = service.register_dataset(provider, draft)
    session.expire_all()
    kept = queries.get_dataset(dataset.id)
    assert kept.id.startswith("ds_")
    assert (kept.organization_id, kept.state, kept.version) == (provider.organization_id, DatasetState.DRAFT, 1)
    assert service.draft_of(kept) == draft
    assert verbs(session, kept.id) == [Verb.DATASET_REGISTERED]


def test_a_bad_draft_is_not_registered(provider: Actor, session: Session) -> None:
    with pytest.raises(Invalid):
        service.register_dataset(provider, rules.DatasetDraft())
    assert count(session, Dataset) == 0


def test_a_revision_changes_the_named_fields_and_raises_the_version(
    provider: Actor, dataset: Dataset, session: Session
) -> None:
    revised = service.revise_dataset(
        provider,
        dataset.id,
        {"title_en": "Foot traffic", "keywords": ["雪まつり"], "update_frequency": Frequency.WEEKLY},
        1,
    )
    assert (revised.version, revised.title_en, revised.keywords) == (2, "Foot traffic", ["雪まつり"])
    assert revised.update_frequency == "WEEKLY"
    assert revised.title_ja == dataset.title_ja
    assert verbs(session, dataset.id) == [Verb.DATASET_REGISTERED, Verb.DATASET_REVISED]


def test_a_revision_of_an_old_version_is_refused(provider: Actor, dataset: Dataset, session: Session) -> None:
    service.revise_dataset(provider, dataset.id, {"title_en": "Second"}, 1)
    with pytest.raises(VersionStale) as refusal:
        service.revise_dataset(provider, dataset.id, {"title_en": "Third"}, 1)
    assert refusal.value.status == 412
    assert refusal.value.members == {"version": 2}
    assert queries.get_dataset(dataset.id).title_en == "Second"
    assert verbs(session, dataset.id).count(Verb.DATASET_REVISED) == 1


@pytest.mark.parametrize("changes", [{"state": "published"}, {"organization_id": "org_x"}, {"region": "999999"}])
def test_a_revision_of_foreign_or_bad_fields_changes_nothing(
    provider: Actor, dataset: Dataset, changes: dict[str, str]
) -> None:
    with pytest.raises(Invalid) as refusal:
        service.revise_dataset(provider, dataset.id, changes, 1)
    assert [error["pointer"] for error in refusal.value.errors] == [f"/{name}" for name in changes]
    kept = queries.get_dataset(dataset.id)
    assert (kept.version, kept.state, kept.region) == (1, DatasetState.DRAFT, "011002")


def test_nothing_of_another_organization_can_be_found_or_changed(
    stranger: Actor, provider: Actor, dataset: Dataset, release: Release, session: Session
) -> None:
    before = count(session, Entry)
    deeds = [
        lambda: queries.get_own_dataset(stranger, dataset.id),
        lambda: queries.get_visible_dataset(stranger, dataset.id),
        lambda: queries.get_own_release(stranger, release.id),
        lambda: queries.get_visible_release(stranger, release.id),
        lambda: service.revise_dataset(stranger, dataset.id, {"title_en": "Mine"}, 1),
        lambda: service.withdraw_dataset(stranger, dataset.id),
        lambda: service.open_release(stranger, dataset.id, "x"),
        lambda: service.attach_file(stranger, release.id, "a.csv", "text/csv", SHA256, 1),
        lambda: service.publish_release(stranger, release.id),
        lambda: service.withdraw_release(stranger, release.id),
    ]
    for deed in deeds:
        with pytest.raises(NotFound) as refusal:
            deed()
        assert type(refusal.value) is NotFound
    assert count(session, Entry) == before
    assert queries.get_own_dataset(provider, dataset.id).state == DatasetState.DRAFT


@pytest.mark.parametrize("identifier", ["ds_none", "", "\x00", "a\ud800", "' OR 1=1 --"])
def test_an_unknown_id_is_not_found(session: Session, identifier: str) -> None:
    DatasetFactory()
    for read in (queries.get_dataset, queries.get_release, queries.get_file):
        with pytest.raises(NotFound):
            read(identifier)
    assert queries.find_file(identifier, identifier) is None
    assert queries.find_release_by_label(identifier, identifier) is None
    assert queries.list_files(identifier) == []
    assert listings.find_listing(identifier) is None


def test_overseers_see_drafts_of_others(auditor: Actor, provider: Actor, dataset: Dataset, release: Release) -> None:
    for actor in (auditor, provider):
        assert queries.get_visible_dataset(actor, dataset.id).id == dataset.id
        assert queries.get_visible_release(actor, release.id).id == release.id
    with pytest.raises(NotFound):
        queries.get_own_dataset(auditor, dataset.id)


def test_a_label_is_used_once_in_a_dataset(provider: Actor, dataset: Dataset, release: Release) -> None:
    with pytest.raises(ReleaseLabelTaken) as refusal:
        service.open_release(provider, dataset.id, release.label)
    assert refusal.value.members == {"release_id": release.id}
    other = service.register_dataset(provider, DatasetDraftFactory())
    assert service.open_release(provider, other.id, release.label).state == ReleaseState.DRAFT


def test_a_file_is_attached_and_its_profile_is_asked_for(attach: Attach, release: Release, session: Session) -> None:
    file = attach(release, "観光地_人流.csv", b"a\n1\n")
    assert (file.name, file.size_bytes, file.profile_state) == ("観光地_人流.csv", 4, ProfileState.PENDING)
    jobs = session.execute(text("SELECT task_name, args FROM procrastinate_jobs")).all()
    assert [tuple(job) for job in jobs] == [(service.PROFILE_JOB, {"file_id": file.id})]
    entry = session.scalars(select(Entry).where(Entry.subject == file.id)).one()
    assert entry.verb == Verb.FILE_RECEIVED
    assert entry.facts == {"release": release.id, "sha256": file.sha256, "size_bytes": "4"}
    assert queries.find_file(release.id, "観光地_人流.csv") == file


def test_the_same_file_again_is_the_same_file(attach: Attach, release: Release, session: Session) -> None:
    first, before = attach(release), count(session, Entry)
    assert attach(release).id == first.id
    assert [file.id for file in queries.list_files(release.id)] == [first.id]
    assert count(session, Entry) == before


@pytest.mark.parametrize("name", ["ガ.csv", "カ\u3099.csv", "ｶﾞ.CSV"])
def test_another_file_under_the_name_or_one_that_looks_like_it_is_refused(
    attach: Attach, release: Release, name: str
) -> None:
    held = attach(release, "ガ.csv")
    with pytest.raises(FileNameTaken) as refusal:
        attach(release, name, b"other")
    assert refusal.value.members == {"held_name": "ガ.csv", "held_sha256": held.sha256}
    assert refusal.value.cure
    assert queries.list_files(release.id) == [held]


def test_an_unsafe_name_is_refused(attach: Attach, release: Release) -> None:
    with pytest.raises(FileNameUnsafe):
        attach(release, "../../etc/passwd")
    assert queries.list_files(release.id) == []


def test_a_release_holds_a_limited_number_of_files(
    attach: Attach, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FILES_PER_RELEASE_MAX", 1)
    attach(release, "a.csv")
    with pytest.raises(ReleaseFull):
        attach(release, "b.csv")
    assert attach(release, "a.csv").name == "a.csv"


def test_a_profile_is_recorded_once(attach: Attach, release: Release, session: Session) -> None:
    file = attach(release)
    kept = service.record_profile(file.id, {"columns": [{"name": "気温"}]}, ProfileState.PROFILED)
    assert (kept.profile_state, kept.profile) == (ProfileState.PROFILED, {"columns": [{"name": "気温"}]})
    again = service.record_profile(file.id, None, ProfileState.FAILED)
    assert again.profile == {"columns": [{"name": "気温"}]}
    assert verbs(session, file.id) == [Verb.FILE_RECEIVED, Verb.FILE_PROFILED]
    with pytest.raises(NotFound):
        service.record_profile("fil_none", {}, ProfileState.OPAQUE)
    with pytest.raises(ValueError, match="no finding"):
        service.record_profile(file.id, {}, ProfileState.PENDING)


@pytest.mark.parametrize("state", [ProfileState.PROFILED, ProfileState.OPAQUE, ProfileState.FAILED])
def test_publishing_seals_the_release_and_shows_the_dataset(
    provider: Actor, attach: Attach, dataset: Dataset, release: Release, session: Session, state: ProfileState
) -> None:
    attach(release, state=state)
    assert queries.published_release_ids(dataset.id) == []
    published = service.publish_release(provider, release.id)
    assert published.state == ReleaseState.PUBLISHED
    shown = queries.get_dataset(dataset.id)
    session.refresh(shown)
    assert shown.state == DatasetState.PUBLISHED
    assert shown.published_at is not None
    assert queries.published_release_ids(dataset.id) == [release.id]
    assert verbs(session, release.id) == [Verb.RELEASE_OPENED, Verb.RELEASE_PUBLISHED]
    with pytest.raises(ReleaseSealed):
        attach(release, "late.csv")
    with pytest.raises(ReleaseSealed):
        service.publish_release(provider, release.id)


def test_an_empty_release_is_not_published(provider: Actor, release: Release, session: Session) -> None:
    with pytest.raises(ReleaseEmpty):
        service.publish_release(provider, release.id)
    assert queries.get_release(release.id).state == ReleaseState.DRAFT
    assert verbs(session, release.id) == [Verb.RELEASE_OPENED]


def test_a_release_with_files_still_to_be_profiled_is_not_published(
    provider: Actor, attach: Attach, release: Release
) -> None:
    attach(release, "a.csv", state=ProfileState.PROFILED)
    attach(release, "b.csv")
    with pytest.raises(ProfilePending) as refusal:
        service.publish_release(provider, release.id)
    assert refusal.value.members == {"files": ["b.csv"]}
    assert queries.get_release(release.id).state == ReleaseState.DRAFT


def test_the_latest_published_release_comes_first(provider: Actor, attach: Attach, dataset: Dataset) -> None:
    releases = [service.open_release(provider, dataset.id, label) for label in ("一", "二", "三")]
    for release in (releases[2], releases[0], releases[1]):
        attach(release, state=ProfileState.PROFILED)
        service.publish_release(provider, release.id)
    assert queries.published_release_ids(dataset.id) == [releases[1].id, releases[0].id, releases[2].id]
    service.withdraw_release(provider, releases[1].id)
    assert queries.published_release_ids(dataset.id) == [releases[0].id, releases[2].id]


def test_a_withdrawn_release_is_hidden_and_keeps_its_files(
    provider: Actor, attach: Attach, dataset: Dataset, release: Release, session: Session
) -> None:
    file = attach(release, state=ProfileState.PROFILED)
    service.publish_release(provider, release.id)
    withdrawn = service.withdraw_release(provider, release.id)
    assert withdrawn.state == ReleaseState.WITHDRAWN
    assert withdrawn.published_at is not None
    assert queries.published_release_ids(dataset.id) == []
    assert queries.list_files(release.id) == [file]
    assert verbs(session, release.id)[-1] == Verb.RELEASE_WITHDRAWN
    with pytest.raises(ReleaseWithdrawn):
        service.withdraw_release(provider, release.id)
    with pytest.raises(ReleaseSealed):
        service.publish_release(provider, release.id)


def test_a_draft_can_be_given_up(provider: Actor, release: Release) -> None:
    assert service.withdraw_release(provider, release.id).published_at is None


def test_a_withdrawn_dataset_hides_everything_and_takes_nothing_more(
    provider: Actor, attach: Attach, dataset: Dataset, release: Release, session: Session
) -> None:
    attach(release, state=ProfileState.PROFILED)
    service.publish_release(provider, release.id)
    draft = service.open_release(provider, dataset.id, "次版")
    listings.put_listing(dataset.id, {"id": dataset.id})
    withdrawn = service.withdraw_dataset(provider, dataset.id)
    assert withdrawn.state == DatasetState.WITHDRAWN
    assert queries.published_release_ids(dataset.id) == []
    assert listings.find_listing(dataset.id) is None
    assert queries.get_release(release.id).state == ReleaseState.PUBLISHED
    for deed in (
        lambda: service.withdraw_dataset(provider, dataset.id),
        lambda: service.revise_dataset(provider, dataset.id, {"title_en": "x"}, withdrawn.version),
        lambda: service.open_release(provider, dataset.id, "また"),
        lambda: attach(draft),
        lambda: service.publish_release(provider, draft.id),
        lambda: listings.put_listing(dataset.id, {}),
    ):
        with pytest.raises(DatasetWithdrawn):
            deed()
    assert verbs(session, dataset.id) == [Verb.DATASET_REGISTERED, Verb.DATASET_WITHDRAWN]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO file SELECT (json_populate_record(file, CAST(:another AS json))).* FROM file WHERE release_id = :release",
        "UPDATE file SET sha256 = repeat('0', 64) WHERE release_id = :release",
        "UPDATE file SET name = 'other' WHERE release_id = :release",
        "UPDATE file SET size_bytes = 0 WHERE release_id = :release",
        "UPDATE file SET release_id = :draft WHERE release_id = :release",
        "UPDATE file SET release_id = :release WHERE release_id = :draft",
        "DELETE FROM file WHERE release_id = :release",
        "DELETE FROM release WHERE id = :release",
        "UPDATE release SET state = 'draft' WHERE id = :release",
        "UPDATE release SET label = 'other' WHERE id = :release",
        "UPDATE release SET published_at = now() WHERE id = :release",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_published(
    provider: Actor, attach: Attach, dataset: Dataset, release: Release, session: Session, statement: str
) -> None:
    attach(release, state=ProfileState.PROFILED)
    draft = service.open_release(provider, dataset.id, "次版")
    attach(draft, "next.csv")
    service.publish_release(provider, release.id)
    session.flush()
    savepoint = session.begin_nested()
    with pytest.raises(IntegrityError, match=r"sealed|cannot be"):
        session.execute(text(statement), {"release": release.id, "draft": draft.id, "another": ANOTHER})
    savepoint.rollback()
    assert [file.name for file in queries.list_files(release.id)] == ["人流.csv"]


def test_the_database_lets_a_draft_change_and_a_profile_come_late(session: Session) -> None:
    file = FileFactory(profile_state="pending", profile=None)
    release_id = file.release_id
    session.execute(text("UPDATE file SET name = 'b', name_key = 'b'"))
    session.execute(text("UPDATE release SET state = 'published', published_at = now(), label = 'x'"))
    session.execute(text("UPDATE file SET profile_state = 'opaque', profile = '{}'"))
    session.execute(text("UPDATE release SET state = 'withdrawn', withdrawn_at = now()"))
    other = FileFactory()
    session.execute(text("DELETE FROM file WHERE id = :id"), {"id": other.id})
    session.execute(text("DELETE FROM release WHERE id = :id"), {"id": other.release_id})
    assert session.execute(text("SELECT id, state FROM release")).all() == [(release_id, "withdrawn")]


def test_datasets_are_listed_newest_first_in_pages(provider: Actor, session: Session) -> None:
    mine = [service.register_dataset(provider, DatasetDraftFactory()).id for _ in range(5)]
    DatasetFactory(published=True)
    page = queries.list_datasets(organization_id=provider.organization_id, size=3)
    rest = queries.list_datasets(organization_id=provider.organization_id, size=3, cursor=page.next_cursor)
    assert [row.id for row in [*page.items, *rest.items]] == mine[::-1]
    assert rest.next_cursor is None
    assert len(queries.list_datasets(state=DatasetState.PUBLISHED).items) == 1
    assert len(queries.list_datasets().items) == 6


def test_releases_are_listed_newest_first_in_pages(provider: Actor, dataset: Dataset) -> None:
    ReleaseFactory()
    mine = [service.open_release(provider, dataset.id, f"第{n}版").id for n in range(3)]
    page = queries.list_releases(dataset.id, size=2)
    rest = queries.list_releases(dataset.id, size=2, cursor=page.next_cursor)
    assert [row.id for row in [*page.items, *rest.items]] == mine[::-1]
    assert queries.list_releases(dataset.id, state=ReleaseState.PUBLISHED).items == []


def test_a_file_belongs_to_what_was_read(release: Release, attach: Attach, session: Session) -> None:
    file = attach(release)
    assert queries.get_file(file.id) is file
    assert queries.find_file_by_id("fil_none") is None
    assert count(session, File) == 2
