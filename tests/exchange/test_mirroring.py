"""A second machine makes its own search index from the database, and keeps it as the listings are."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.app import install
from marketplace.catalog import changes
from marketplace.catalog.models import Dataset
from marketplace.catalog.search import SearchIndex
from marketplace.exchange import facilities, listing, mirroring
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.live import wait_until

Elsewhere = Callable[[], SearchIndex]


@pytest.fixture
def city(own_database: Flask) -> Actor:
    """A city on a database of its own, where commits are real."""
    install(own_database)
    return market.party(city=True)


@pytest.fixture
def second(city: Actor, tmp_path: Path) -> Callable[[], int]:
    """Have the second machine catch up, once."""

    def catch_up() -> int:
        with machine(tmp_path / "second"):
            return mirroring.catch_up()

    return catch_up


@contextmanager
def machine(data_dir: Path) -> Iterator[SearchIndex]:
    """Be the machine whose data folder this is."""
    before = facilities.current()
    settings = replace(before.settings, data_dir=data_dir, search_index="own", run_worker=False)
    index = SearchIndex(settings.search_dir)
    facilities.install(replace(before, settings=settings, index=index))
    try:
        yield index
    finally:
        facilities.install(before)


def imported(city: Actor, number: int) -> str:
    package = {"id": f"p{number}", "name": f"p{number}", "title": f"避難所{number}", "resources": [], "tags": []}
    with transaction():
        return listing.import_ckan(city, package).id


def retitled(city: Actor, dataset_id: str, title: str) -> None:
    with transaction():
        version = db.session.scalar(select(Dataset.version).where(Dataset.id == dataset_id))
        listing.revise(city, dataset_id, {"title_ja": title}, version)


def found_there(tmp_path: Path, words: str) -> set[str]:
    return {hit.dataset_id for hit in SearchIndex(tmp_path / "second" / "search").search(words, size=100).hits}


def test_a_machine_without_an_index_makes_one_that_answers_as_the_first_does(
    city: Actor, second: Callable[[], int], tmp_path: Path
) -> None:
    made = {imported(city, number) for number in range(7)}
    listing.index()
    assert second() == 7
    assert found_there(tmp_path, "避難所") == made
    for words in ("", "避難所", "shelter", "避難所3"):
        there = SearchIndex(tmp_path / "second" / "search").search(words, size=50)
        assert there == market.index().search(words, size=50)


def test_it_follows_what_comes_changes_and_goes_and_does_nothing_where_nothing_does(
    city: Actor, second: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "BATCH_ROWS", 2)
    kept, changed, gone = (imported(city, number) for number in range(3))
    second()
    later = {imported(city, number) for number in range(3, 8)}
    retitled(city, changed, "積雪深の観測")
    with transaction():
        listing.withdraw_dataset(city, gone)
    assert second() >= 7
    assert found_there(tmp_path, "避難所") == {kept, *later}
    assert found_there(tmp_path, "積雪深") == {changed}
    second()
    assert second() == 0


def test_a_change_that_began_before_the_last_look_and_ends_after_it_is_not_missed(
    own_database: Flask, city: Actor, second: Callable[[], int], tmp_path: Path
) -> None:
    dataset_id = imported(city, 1)
    second()
    changed, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with own_database.app_context(), transaction():
            version = db.session.scalar(select(Dataset.version).where(Dataset.id == dataset_id))
            listing.revise(city, dataset_id, {"title_ja": "積雪深の観測"}, version)
            changed.set()
            assert go_on.wait(180)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(slow)
        try:
            assert changed.wait(180)
            other = imported(city, 2)
            second()
            second()
        finally:
            go_on.set()
        late.result(60)
    second()
    assert found_there(tmp_path, "積雪深") == {dataset_id}
    assert found_there(tmp_path, "避難所") == {other}


@pytest.mark.parametrize("left", ["99999999999999", "not a number", None])
def test_a_mark_of_another_database_or_none_means_a_new_index(
    city: Actor, second: Callable[[], int], tmp_path: Path, left: str | None
) -> None:
    made = {imported(city, number) for number in range(2)}
    second()
    mark = tmp_path / "second" / "search" / "followed"
    if left is None:
        mark.unlink()
    else:
        mark.write_text(left, encoding="ascii")
    assert second() == 2
    assert found_there(tmp_path, "避難所") == made
    assert int(mark.read_text(encoding="ascii")) > 0


@pytest.mark.parametrize("name", ["meta.json", "*.store"])
def test_a_damaged_index_is_made_anew(city: Actor, second: Callable[[], int], tmp_path: Path, name: str) -> None:
    made = {imported(city, number) for number in range(2)}
    second()
    for file in (tmp_path / "second" / "search").glob(name):
        file.write_bytes(b"{")
    second()
    second()
    if name == "meta.json":
        assert found_there(tmp_path, "避難所") == made


def test_a_thread_follows_until_it_is_stopped(
    own_database: Flask, city: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirroring, "INTERVAL_SECONDS", 0.05)
    dataset_id = imported(city, 1)
    with machine(tmp_path / "second") as index:
        mirror = mirroring.rounds(own_database.app_context)
        mirror.start()
        try:
            wait_until("the index", lambda: index.is_usable() and index.search("避難所").total == 1)
            retitled(city, dataset_id, "積雪深の観測")
            wait_until("the change", lambda: index.search("積雪深").total == 1)
        finally:
            mirror.stop()
    assert not mirror.is_alive()


def test_a_thread_outlives_whatever_fails_and_waits_for_another_writer(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from marketplace.catalog.errors import IndexBusy

    outcomes = [IndexBusy(), RuntimeError("the database went away")]
    through = threading.Event()

    def fail() -> int:
        if outcomes:
            raise outcomes.pop(0)
        through.set()
        return 0

    monkeypatch.setattr(mirroring, "catch_up", fail)
    monkeypatch.setattr(mirroring, "INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(mirroring, "REST_SECONDS", 0.01)
    mirror = mirroring.rounds(own_database.app_context)
    mirror.start()
    assert through.wait(60)
    mirror.stop()
    assert "search-mirror failed" in caplog.text
