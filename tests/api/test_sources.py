"""Naming where releases are fetched: for its owner alone, with what became of the last time."""

from sqlalchemy import text
from werkzeug.test import TestResponse

from marketplace.catalog.sources import service
from marketplace.catalog.sources.states import PullProblem
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.routes import SOURCE
from tests.api.trade import Market, audit_count, ok, refused, row_counts


def waiting() -> int:
    """How many times a source is to be asked."""
    return db.session.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'catalog.pull'")) or 0


def put(market: Market, path: str, **changes: object) -> TestResponse:
    return market.provider.call("PUT", path, json=SOURCE | changes)


def test_a_source_is_named_read_asked_and_removed(market: Market) -> None:
    path = f"/v1/datasets/{market.dataset()['id']}/source"
    refused(market.provider.get(path), 404, "not-found")
    named = ok(put(market, path))
    assert {name: named[name] for name in SOURCE} == SOURCE
    assert (named["publish"], named["last_result"], named["problem_en"]) == (False, None, None)
    assert ok(market.provider.get(path)) == named
    assert ok(market.auditor.get(path))["url"] == "https://data.example.jp/"

    before = waiting()
    ok(market.provider.post(f"{path}/pull"), 202)
    assert waiting() == before + 1

    deeds = audit_count()
    assert market.provider.call("DELETE", path).status_code == 204
    assert audit_count() == deeds + 1
    refused(market.provider.call("DELETE", path), 404, "not-found")
    refused(market.provider.post(f"{path}/pull"), 404, "not-found")


def test_a_failure_is_read_in_both_languages(market: Market) -> None:
    dataset_id = market.dataset()["id"]
    path = f"/v1/datasets/{dataset_id}/source"
    ok(put(market, path))
    with transaction():
        asked = service.find_asked(dataset_id)
        assert asked is not None
        service.note_failure(asked, PullProblem.STATUS, "404")
    found = ok(market.provider.get(path))
    assert (found["last_result"], found["problem"], found["detail"], found["failures"]) == (
        "failed",
        "status",
        "404",
        1,
    )
    assert "200" in found["problem_ja"]
    assert "redirects are not followed" in found["problem_en"]


def test_a_source_that_may_not_be_asked_is_refused(market: Market) -> None:
    path = f"/v1/datasets/{market.dataset()['id']}/source"
    before = row_counts()
    refused(put(market, path, url="https://user@example.jp/"), 422, "invalid-input", "/url")
    refused(put(market, path, schedule="minutely"), 422, "invalid-input", "/schedule")
    refused(put(market, path, file_name="../a.csv"), 422, "file-name-unsafe")
    assert row_counts() == before


def test_nobody_else_names_or_reads_a_source(market: Market) -> None:
    path = f"/v1/datasets/{market.dataset()['id']}/source"
    ok(put(market, path))
    before = row_counts()
    for who, status in ((market.rival, 404), (market.buyer, 403), (market.nobody, 401)):
        assert who.get(path).status_code == status
        assert who.call("PUT", path, json=SOURCE).status_code == status
        assert who.call("DELETE", path).status_code == status
        assert who.post(f"{path}/pull").status_code == status
    assert row_counts() == before
