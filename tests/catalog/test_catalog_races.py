"""Races in the catalogue, decided by the database."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings, queries, service
from marketplace.catalog.errors import DatasetWithdrawn, FileNameTaken, ReleaseLabelTaken, ReleaseSealed, VersionStale
from marketplace.catalog.states import DatasetState, ProfileState, ReleaseState
from marketplace.identity.actors import Actor
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction
from tests.factories.catalog import DatasetDraftFactory
from tests.factories.identity import OrganizationFactory, actor_of

RUNNERS = 8


def kept_provider() -> Actor:
    with transaction():
        return actor_of(OrganizationFactory(provider=True))


def kept_release(provider: Actor, files: int = 1) -> tuple[str, str]:
    """A committed dataset and draft release with profiled files."""
    with transaction():
        dataset = service.register_dataset(provider, DatasetDraftFactory())
        release = service.open_release(provider, dataset.id, "初版")
        for n in range(files):
            file = service.attach_file(provider, release.id, f"{n}.csv", "text/csv", "0" * 64, 1)
            service.record_profile(file.id, {}, ProfileState.PROFILED)
        return dataset.id, release.id


def race(app: Flask, deed: Callable[[int], str]) -> list[str | Refusal]:
    """Run the deed in eight threads, each in its own transaction; return ids or refusals."""

    def attempt(n: int) -> str | Refusal:
        with app.app_context():
            try:
                with transaction():
                    return deed(n)
            except Refusal as refusal:
                return refusal

    with ThreadPoolExecutor(RUNNERS) as pool:
        return list(pool.map(attempt, range(RUNNERS)))


def won(outcomes: list[str | Refusal]) -> list[str]:
    return [outcome for outcome in outcomes if isinstance(outcome, str)]


def lost(outcomes: list[str | Refusal]) -> set[type]:
    return {type(outcome) for outcome in outcomes if not isinstance(outcome, str)}


def entries(verb: Verb) -> int:
    return len(record.search_entries(record.Search(verb=verb.value)).items)


def test_of_many_publications_at_once_one_happens(own_database: Flask) -> None:
    provider = kept_provider()
    _, release_id = kept_release(provider)
    outcomes = race(own_database, lambda _n: service.publish_release(provider, release_id).id)
    assert (len(won(outcomes)), lost(outcomes)) == (1, {ReleaseSealed})
    assert entries(Verb.RELEASE_PUBLISHED) == 1


def test_two_releases_of_one_dataset_published_at_once_do_not_block_each_other(own_database: Flask) -> None:
    provider = kept_provider()
    dataset_id, _ = kept_release(provider)
    release_ids = []
    with transaction():
        for n in range(RUNNERS):
            release = service.open_release(provider, dataset_id, f"第{n}版")
            file = service.attach_file(provider, release.id, "a.csv", "text/csv", "0" * 64, 1)
            service.record_profile(file.id, {}, ProfileState.OPAQUE)
            release_ids.append(release.id)
    outcomes = race(own_database, lambda n: service.publish_release(provider, release_ids[n]).id)
    assert sorted(won(outcomes)) == sorted(release_ids) == sorted(queries.published_release_ids(dataset_id))


def test_of_many_different_files_of_one_name_at_once_one_is_kept(own_database: Flask) -> None:
    provider = kept_provider()
    _, release_id = kept_release(provider, files=0)

    def attach(n: int) -> str:
        sha256 = hashlib.sha256(str(n).encode()).hexdigest()
        return service.attach_file(provider, release_id, "人流.csv", "text/csv", sha256, n).id

    outcomes = race(own_database, attach)
    assert (len(won(outcomes)), lost(outcomes)) == (1, {FileNameTaken})
    assert [file.id for file in queries.list_files(release_id)] == won(outcomes)


def test_one_file_sent_many_times_at_once_is_kept_once(own_database: Flask) -> None:
    provider = kept_provider()
    _, release_id = kept_release(provider, files=0)
    outcomes = race(
        own_database, lambda _n: service.attach_file(provider, release_id, "a.csv", "text/csv", "1" * 64, 1).id
    )
    assert len(won(outcomes)) == RUNNERS
    assert len(set(won(outcomes))) == 1
    assert entries(Verb.FILE_RECEIVED) == 1


def test_a_file_comes_before_the_publication_or_is_refused(own_database: Flask) -> None:
    provider = kept_provider()
    _, release_id = kept_release(provider)

    def deed(n: int) -> str:
        if n == 0:
            return service.publish_release(provider, release_id).id
        return service.attach_file(provider, release_id, f"late{n}.csv", "text/csv", "1" * 64, 1).id

    race(own_database, deed)
    release, files = queries.get_release(release_id), queries.list_files(release_id)
    pending = [file for file in files if file.profile_state == ProfileState.PENDING]
    assert (release.state == ReleaseState.PUBLISHED) == (not pending)


def test_of_many_revisions_of_one_version_one_is_kept(own_database: Flask) -> None:
    provider = kept_provider()
    dataset_id, _ = kept_release(provider)
    outcomes = race(
        own_database, lambda n: service.revise_dataset(provider, dataset_id, {"title_en": f"Racer {n}"}, 1).title_en
    )
    assert (len(won(outcomes)), lost(outcomes)) == (1, {VersionStale})
    assert queries.get_dataset(dataset_id).title_en == won(outcomes)[0]


def test_one_label_opened_many_times_at_once_is_opened_once(own_database: Flask) -> None:
    provider = kept_provider()
    dataset_id, _ = kept_release(provider)
    outcomes = race(own_database, lambda _n: service.open_release(provider, dataset_id, "第二版").id)
    assert (len(won(outcomes)), lost(outcomes)) == (1, {ReleaseLabelTaken})


def test_one_package_imported_many_times_at_once_is_one_dataset(own_database: Flask) -> None:
    provider = kept_provider()
    package = {"id": "p1", "title": "避難所一覧"}
    outcomes = race(own_database, lambda _n: service.import_ckan_package(provider, package).id)
    assert len(won(outcomes)) == RUNNERS
    assert len(set(won(outcomes))) == 1
    assert entries(Verb.DATASET_IMPORTED) == 1


def test_a_withdrawn_dataset_is_never_left_listed(own_database: Flask) -> None:
    provider = kept_provider()
    dataset_id, _ = kept_release(provider)

    def deed(n: int) -> str:
        if n == RUNNERS // 2:
            return service.withdraw_dataset(provider, dataset_id).id
        listings.put_listing(dataset_id, {"id": dataset_id})
        return dataset_id

    outcomes = race(own_database, deed)
    assert lost(outcomes) <= {DatasetWithdrawn}
    assert queries.get_dataset(dataset_id).state == DatasetState.WITHDRAWN
    assert listings.find_listing(dataset_id) is None


@pytest.mark.parametrize("state", [ProfileState.PROFILED, ProfileState.FAILED])
def test_a_file_profiled_many_times_at_once_is_recorded_once(own_database: Flask, state: ProfileState) -> None:
    provider = kept_provider()
    _, release_id = kept_release(provider, files=0)
    with transaction():
        file_id = service.attach_file(provider, release_id, "a.csv", "text/csv", "1" * 64, 1).id
    race(own_database, lambda n: service.record_profile(file_id, {"n": n}, state).id)
    assert entries(Verb.FILE_PROFILED) == 1
