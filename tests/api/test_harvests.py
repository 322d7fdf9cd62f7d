"""Foreign catalogues and repairs over the wire: for their owner alone, with everything told in both languages."""

from sqlalchemy import text

from marketplace.catalog.harvesting import service
from marketplace.catalog.harvesting.states import HarvestProblem
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.trade import Market, audit_count, ok, refused, row_counts
from tests.factories import harvests

URL = "https://ckan.example.jp/dataset"


def test_a_catalogue_is_named_run_read_and_stopped(market: Market) -> None:
    held = ok(market.provider.post("/v1/harvests", {"url": URL, "schedule": "daily"}), 201)
    assert (held["kind"], held["schedule"], held["repairs"], held["url"]) == ("ckan", "daily", True, URL)
    path = f"/v1/harvests/{held['id']}"
    assert ok(market.provider.get(path)) == held
    assert ok(market.provider.get("/v1/harvests"))["items"] == [held]
    assert ok(market.auditor.get(path))["url"] == "https://ckan.example.jp/"
    run = ok(market.provider.post(f"{path}/runs", {"dry_run": True}), 202)
    assert (run["state"], run["dry_run"], run["full"], run["comparison"]) == ("running", True, True, [])
    waiting = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'catalog.harvest'"
    assert db.session.scalar(text(waiting)) == 1
    refused(market.provider.post(f"{path}/runs", {}), 409, "harvest-running")
    assert ok(market.provider.get(f"{path}/runs"))["items"] == [run]
    assert ok(market.provider.get(f"{path}/runs/{run['id']}/report?outcome=refused"))["items"] == []
    deeds = audit_count()
    assert ok(market.provider.call("DELETE", f"{path}/schedule"))["next_at"] is None
    assert audit_count() == deeds + 1


def test_a_failed_run_says_why_in_both_languages(market: Market) -> None:
    ids = harvests.harvested(market.provider.organization_id, market.dataset()["id"])
    with transaction():
        at = service.find_at(ids["run_id"])
        assert at is not None
        service.fail(at, HarvestProblem.REDIRECT, "302")
    run = ok(market.provider.get(f"/v1/harvests/{ids['harvest_id']}/runs/{ids['run_id']}"))
    assert (run["state"], run["problem"], run["detail"]) == ("failed", "redirect", "302")
    assert "転送" in run["problem_ja"]
    assert "Redirects are not followed" in run["problem_en"]


def test_addresses_that_are_not_asked_are_refused_and_leave_nothing(market: Market) -> None:
    before = row_counts()
    for url in ("http://ckan.example.jp/", "https://user@ckan.example.jp/", "file:records.json", "https://a:8443/"):
        refused(market.provider.post("/v1/harvests", {"url": url}), 422, "invalid-input", "/url")
    refused(market.provider.post("/v1/harvests", {"url": URL, "kind": "gopher"}), 422, "invalid-input", "/kind")
    refused(market.provider.post("/v1/harvests", {"url": URL, "schedule": "hourly"}), 422, "invalid-input", "/schedule")
    assert row_counts() == before


def test_findings_are_read_accepted_and_refused_by_their_owner_alone(market: Market) -> None:
    dataset_id = market.dataset()["id"]
    ids = harvests.harvested(market.provider.organization_id, dataset_id)
    path = f"/v1/datasets/{dataset_id}/repairs"
    [found] = ok(market.provider.get(path))["items"]
    assert (found["rule"], found["before"], found["after"], found["state"]) == ("tags", [], ["避難所"], "suggested")
    assert all(found[name] for name in ("label_ja", "label_en", "confidence"))
    before = row_counts()
    for who, status in ((market.rival, 404), (market.buyer, 403), (market.nobody, 401)):
        assert who.get(path).status_code == status
        assert who.post(f"{path}/{ids['repair_id']}/accept").status_code == status
    assert row_counts() == before
    accepted = ok(market.provider.post(f"{path}/{ids['repair_id']}/accept"))
    assert accepted["state"] == "accepted"
    assert "避難所" in ok(market.provider.get(f"/v1/datasets/{dataset_id}"))["keywords"]
    assert ok(market.provider.post(f"{path}/{ids['repair_id']}/accept")) == accepted
    assert ok(market.provider.post(f"{path}/{ids['repair_id']}/refuse"))["state"] == "refused"
    assert "避難所" not in ok(market.provider.get(f"/v1/datasets/{dataset_id}"))["keywords"]
    assert ok(market.provider.get(f"{path}?state=suggested"))["items"] == []
