"""Tabular: a published table is converted once, in the background, and kept under the hash of its Parquet."""

from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from flask import Flask

from marketplace.catalog import service
from marketplace.catalog.profiling import words
from marketplace.catalog.states import ConversionState, ProfileState
from marketplace.exchange import facilities, listing, tabular
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.catalog import profiled

PROFILE = {
    "format": "csv", "delimiter": ",", "rows": 1,
    "columns": [{"name": name, "type": "string", "format": None} for name in ("日時", "地点", "人数")],
}  # fmt: skip


def published(provider, content: bytes = market.CONTENT, profile: dict | None = None):
    """A file of a release that is published with this profile; what waits in the queue is left there."""
    stored = listing.receive([content], None, None)
    with transaction():
        dataset_id = service.register_dataset(provider, market.DatasetDraftFactory()).id
        release = service.open_release(provider, dataset_id, "第1版")
        file = listing.attach(provider, release.id, "人流.csv", "text/csv", stored)
        profiled(file.id, profile or PROFILE, ProfileState.PROFILED)
        listing.publish(provider, release.id)
    return file


def test_a_table_is_converted_once_it_is_published(app: Flask):
    file = published(market.seller())
    assert tabular.find(file.sha256).state == ConversionState.PENDING
    assert jobs.run_pending(tabular.CONVERT_JOB) == 1
    made = tabular.find(file.sha256)
    assert (made.state, made.rows) == (ConversionState.DONE, 1)
    assert [column["name"] for column in made.columns] == ["日時", "地点", "人数"]
    with facilities.current().store.open(made.sha256) as parquet:
        assert pq.read_table(parquet).to_pylist() == [
            {"日時": "2026-11-22T09:00", "地点": "大通", "人数": "120"},
        ]
        assert parquet.seek(0, 2) == made.size_bytes


def test_the_same_content_under_another_name_is_not_converted_again(app: Flask):
    published(market.seller())
    published(market.seller())
    assert jobs.run_pending(tabular.CONVERT_JOB) == 1


def test_a_file_that_is_no_table_is_not_converted(app: Flask):
    file = published(market.seller(), b"%PDF-1.7", {"format": "pdf", "columns": []})
    assert tabular.find(file.sha256) is None
    assert jobs.run_pending(tabular.CONVERT_JOB) == 0


def test_a_table_that_cannot_be_converted_says_why_and_is_not_tried_again(app: Flask):
    file = published(market.seller(), b"no archive", PROFILE | {"format": "xlsx"})
    jobs.run_pending(tabular.CONVERT_JOB)
    failed = tabular.find(file.sha256)
    assert (failed.state, failed.problem["slug"], failed.sha256) == (ConversionState.FAILED, "truncated", None)
    tabular.convert(file.id, file.sha256)
    assert tabular.find(file.sha256).problem == failed.problem


def test_a_table_larger_than_a_file_may_be_is_not_kept(app: Flask, monkeypatch: pytest.MonkeyPatch):
    file = published(market.seller())
    monkeypatch.setattr(type(facilities.current().settings), "upload_size_bytes_max", 10)
    jobs.run_pending(tabular.CONVERT_JOB)
    assert tabular.find(file.sha256).problem["slug"] == "reader-stopped"


def test_a_conversion_that_was_given_up_is_asked_for_again(app: Flask):
    file = published(market.seller())
    with transaction():
        tabular.ask(file.id, file.sha256)
    with clock.stopped(clock.now() + tabular.GIVEN_UP_AFTER + timedelta(minutes=1)), transaction():
        tabular.ask(file.id, file.sha256)
    assert jobs.run_pending(tabular.CONVERT_JOB) == 2
    assert tabular.find(file.sha256).state == ConversionState.DONE


def test_what_a_reader_says_that_it_has_no_words_for_is_told_as_unreadable():
    assert words.told("damaged", {})["slug"] == "reader-stopped"
    assert words.told("of-no-list", {})["slug"] == "reader-stopped"
