"""The search index follows the listings: many in one commit, none lost, whoever dies or comes late."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.app import install
from marketplace.catalog import entries, queries, waiting
from marketplace.catalog.errors import IndexBroken
from marketplace.catalog.models import Dataset, SearchWaiting
from marketplace.catalog.search import SearchIndex
from marketplace.exchange import listing
from marketplace.identity.actors import Actor
from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.live import wait_until

CROWD = 300


def imported(city: Actor, number: int) -> str:
    """A dataset taken over from elsewhere."""
    package = {"id": f"p{number}", "name": f"p{number}", "title": f"避難所{number}", "resources": [], "tags": []}
    with transaction():
        return listing.import_ckan(city, package).id


def retitled(city: Actor, dataset_id: str, title: str) -> None:
    """Change a dataset's title."""
    with transaction():
        version = db.session.scalar(select(Dataset.version).where(Dataset.id == dataset_id))
        listing.revise(city, dataset_id, {"title_ja": title}, version)


def found(words: str) -> set[str]:
    """What the index itself finds."""
    return {hit.dataset_id for hit in market.index().search(words, size=100).hits}


def left() -> list[str]:
    """The datasets that the index has not followed."""
    return list(db.session.scalars(select(SearchWaiting.dataset_id)))


@pytest.fixture
def city(app: Flask) -> Actor:
    return market.party(city=True)


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many datasets each write of the index brought."""
    noted: list[int] = []
    follow = SearchIndex.follow

    def noting(self: SearchIndex, changes: dict[str, Any]) -> set[str]:
        noted.append(len(changes))
        return follow(self, changes)

    monkeypatch.setattr(SearchIndex, "follow", noting)
    return noted


def meanwhile(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object]) -> None:
    """Do something once, after the index was written and before that is noted."""
    follow = SearchIndex.follow
    deeds = [deed]

    def late(self: SearchIndex, changes: dict[str, Any]) -> set[str]:
        refused = follow(self, changes)
        if deeds:
            deeds.pop()()
        return refused

    monkeypatch.setattr(SearchIndex, "follow", late)


def test_three_hundred_listings_come_into_the_index_in_one_commit(city: Actor, commits: list[int]) -> None:
    made = {imported(city, number) for number in range(CROWD)}
    assert set(left()) == made
    assert jobs.run_pending("catalog.index") == CROWD
    assert commits == [CROWD]
    assert left() == []
    assert market.index().search("避難所").total >= CROWD


def test_a_batch_is_bounded_and_the_next_follows_in_the_same_job(
    city: Actor, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BATCH_ROWS", 2)
    made = {imported(city, number) for number in range(5)}
    listing.index()
    assert (commits, left()) == ([2, 2, 1], [])
    assert made <= found("避難所")


def test_a_dataset_changed_many_times_waits_once_and_gets_its_last_state(city: Actor, commits: list[int]) -> None:
    dataset_id = imported(city, 1)
    retitled(city, dataset_id, "積雪深の観測")
    retitled(city, dataset_id, "除雪車の位置")
    listing.index()
    assert commits == [1]
    assert dataset_id in found("除雪車")
    assert dataset_id not in found("積雪深") | found("避難所")
    with transaction():
        listing.withdraw_dataset(city, dataset_id)
    listing.index()
    assert dataset_id not in found("除雪車")
    listing.index()
    assert commits == [1, 1]


def test_what_waits_is_undone_with_its_story(city: Actor) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        listing.import_ckan(city, {"id": "p", "name": "p", "title": "避難所", "resources": [], "tags": []})
        raise ZeroDivisionError
    assert left() == []


def test_a_death_between_the_index_and_the_note_is_made_good_by_the_next_job(
    city: Actor, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_id = imported(city, 1)

    def die() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        meanwhile(patch, die)
        listing.index()
    assert dataset_id in found("避難所")
    assert left() == [dataset_id]
    total = market.index().search("").total
    listing.index()
    assert (left(), commits) == ([], [1, 1])
    assert market.index().search("").total == total


def test_a_change_that_comes_while_the_index_is_written_is_not_lost(
    city: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_id, other = imported(city, 1), imported(city, 2)
    meanwhile(monkeypatch, lambda: retitled(city, dataset_id, "積雪深の観測"))
    listing.index()
    assert left() == []
    assert dataset_id in found("積雪深")
    assert other in found("避難所")


def test_a_document_that_cannot_be_entered_holds_up_no_other_and_gets_another_turn(
    city: Actor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = imported(city, 1), imported(city, 2)
    entry_of = entries.entry_of

    def fail(document: dict[str, Any]) -> Any:
        if document["id"] == bad:
            raise ValueError("no entry can be made of this")
        return entry_of(document)

    with monkeypatch.context() as patch:
        patch.setattr(entries, "entry_of", fail)
        listing.index()
        assert bad in caplog.text
        assert left() == [bad]
        assert good in found("避難所")
        assert not waiting.is_any()
        listing.rebuild_index()
        assert good in found("避難所")
        assert bad not in found("避難所")
    jobs.run_pending("catalog.index")
    assert left() == [bad]
    listing.index_left()
    assert jobs.run_pending("catalog.index") == 1
    assert left() == []
    assert bad in found("避難所")


def test_what_waits_although_its_job_is_gone_is_taken_up_and_nothing_else_is(city: Actor) -> None:
    listing.index()
    db.session.execute(text("DELETE FROM procrastinate_jobs"))
    listing.index_left()
    assert jobs.run_pending("catalog.index") == 0
    dataset_id = imported(city, 1)
    db.session.execute(text("DELETE FROM procrastinate_jobs"))
    listing.index_left()
    assert jobs.run_pending("catalog.index") == 1
    assert dataset_id in found("避難所")


def test_a_damaged_index_keeps_all_waiting_until_it_is_made_anew(city: Actor) -> None:
    before = imported(city, 1)
    listing.index()
    (market.index()._directory / "meta.json").write_bytes(b"{")
    after = imported(city, 2)
    with pytest.raises(IndexBroken):
        listing.index()
    assert left() == [after]
    listing.rebuild()
    assert left() == []
    assert {before, after} <= found("避難所")


@pytest.fixture
def alone(own_database: Flask) -> Actor:
    """A city on a database of its own, where commits are real."""
    install(own_database)
    return market.party(city=True)


def test_of_two_workers_one_follows_and_also_does_what_the_other_was_asked_for(
    own_database: Flask, alone: Actor, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = imported(alone, 1)
    at_it, go_on = threading.Event(), threading.Event()

    def stay() -> None:
        at_it.set()
        assert go_on.wait(180)

    meanwhile(monkeypatch, stay)

    def work() -> None:
        with own_database.app_context():
            listing.index()

    with ThreadPoolExecutor(1) as pool:
        one = pool.submit(work)
        try:
            assert at_it.wait(180)
            second = imported(alone, 2)
            listing.index()
            assert second not in found("避難所")
        finally:
            go_on.set()
        one.result(60)
    db.session.rollback()
    assert left() == []
    assert {first, second} == found("避難所")
    assert commits == [1, 1]


def test_a_real_worker_is_soon_through_with_a_crowd_of_jobs(
    own_database: Flask, alone: Actor, commits: list[int]
) -> None:
    made = [imported(alone, number) for number in range(CROWD)]
    worker = jobs.Worker(own_database.config["SQLALCHEMY_DATABASE_URI"], own_database.app_context)
    worker.start()
    try:
        wait_until("the jobs", nothing_to_do)
    finally:
        worker.stop(30)
    assert left() == []
    assert commits == [CROWD]
    assert market.index().search("").total == len(made)
    assert queries.get_dataset(made[-1]).id == made[-1]


def nothing_to_do() -> bool:
    db.session.rollback()
    return db.session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0
