"""What is made for CKAN portals reads this one: ckanapi's library and command, and ckanext-harvest's harvester.

The harvester is driven here without a CKAN of its own: its search of a portal page by page, with the filters that it
words for organizations and for what changed since, and its reading of organizations and groups. What it does with the
records in CKAN's own database is in test_ckan_harvest.py.
"""

import gzip
import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from marketplace.kit import clock
from tests import live
from tests.conformance import environments

HERE = Path(__file__).parent
TITLES = {
    "title_ja": "大通地区の人流", "title_en": "Footfall in Odori",
    "description_ja": "1時間ごとの通行量。", "description_en": "Passers-by by the hour.",
}  # fmt: skip
CSV = "地点,日付,人数\n大通,2026-11-22,120\n駅前,2026-11-23,7\n".encode("cp932")
RECORDS = 250


@pytest.fixture(scope="module")
def ckanapi():
    return environments.installed(HERE / "ckan")


@pytest.fixture(scope="module")
def harvester():
    return environments.installed(HERE / "harvest")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory, clone):
    with live.exchange(tmp_path_factory.mktemp("ckan"), clone()) as started:
        yield started


@pytest.fixture(scope="module")
def parties(exchange):
    return exchange.assemble()


@pytest.fixture(scope="module")
def sold(exchange, parties, tmp_path_factory):
    """A dataset with a table, sold to the buyer by the byte; the index has followed."""
    path = tmp_path_factory.mktemp("goods") / "人流.csv"
    path.write_bytes(CSV)
    dataset_id = live.publish(parties["provider"], [path], TITLES)["dataset_id"]
    grant_id = live.buy(parties["buyer"], live.offer(parties["provider"], dataset_id, "free"))["grant_id"]
    live.wait_until("the index", lambda: _count(exchange, parties, "人流"))
    return dataset_id, grant_id


def _count(exchange, parties, q):
    return parties["buyer"].get(f"/api/3/action/package_search?q={q}&rows=0")["result"]["count"]


def call(python, exchange, action, key=None, get_only=False, **parameters):
    return environments.ask(
        python, HERE / "ckan" / "speak.py",
        url=exchange.base_url, action=action, parameters=parameters, key=key, get_only=get_only,
    )  # fmt: skip


@pytest.mark.parametrize("get_only", [False, True])
def test_ckanapi_calls_every_action(ckanapi, exchange, parties, sold, get_only):
    dataset_id, _grant = sold

    def done(action, **parameters):
        told = call(ckanapi, exchange, action, get_only=get_only, **parameters)
        assert "done" in told, (action, told)
        return told["done"]

    assert done("site_read") is True
    assert done("status_show")["locale_default"] == "ja"
    assert dataset_id in done("package_list")
    package = done("package_show", id=dataset_id)
    assert "人流" in [tag["name"] for tag in package["tags"]]
    found = done("package_search", q="人流", rows=1000, sort="id asc", fq=f"organization:{package['owner_org']}")
    assert dataset_id in [one["id"] for one in found["results"]]
    assert [one["id"] for one in found["results"]] == sorted(one["id"] for one in found["results"])
    counted = done("package_search", **{"rows": 0, "facet.field": json.dumps(["groups"])})
    assert sum(counted["facets"]["groups"].values()) >= 1
    assert dataset_id in [one["id"] for one in done("current_package_list_with_resources", limit=1000)]
    resource = package["resources"][0]
    assert done("resource_show", id=resource["id"]) == resource
    assert done("resource_view_list", id=resource["id"]) == []
    assert [field["id"] for field in done("datastore_info", id=resource["id"])["fields"]] == ["地点", "日付", "人数"]
    assert done("organization_show", id=package["owner_org"])["package_count"] >= 1
    assert package["owner_org"] in done("organization_list")
    assert done("group_show", id=done("group_list")[0])["type"] == "group"
    assert "人流" in done("tag_list")
    assert done("license_list")
    assert done("help_show", name="package_show")


def test_ckanapi_raises_what_it_raises_of_ckan(ckanapi, exchange, parties, sold):
    dataset_id, _grant = sold
    resource_id = call(ckanapi, exchange, "package_show", id=dataset_id)["done"]["resources"][0]["id"]
    assert call(ckanapi, exchange, "package_show", id="nothing")["raised"] == "NotFound"
    assert call(ckanapi, exchange, "package_search", rows="x")["raised"] == "ValidationError"
    assert call(ckanapi, exchange, "package_create", name="x")["raised"] == "CKANAPIError"
    nobody = call(ckanapi, exchange, "datastore_search", resource_id=resource_id)
    stranger = call(ckanapi, exchange, "datastore_search", key=parties["stranger"].token(), resource_id=resource_id)
    assert nobody["raised"] == stranger["raised"] == "NotAuthorized"


def test_ckanapi_reads_rows_with_a_token_as_its_key_and_is_charged_once(ckanapi, exchange, parties, sold):
    (dataset_id, grant_id), buyer = sold, parties["buyer"]
    resource_id = call(ckanapi, exchange, "package_show", id=dataset_id)["done"]["resources"][0]["id"]

    def used():
        return buyer.get(f"/v1/grants/{grant_id}")["quota"]["used_bytes"]

    asked = {"resource_id": resource_id, "filters": {"地点": "駅前"}}
    found = call(ckanapi, exchange, "datastore_search", key=buyer.token(), **asked)["done"]
    assert [row["人数"] for row in found["records"]] == [7]
    charged = live.wait_until("the charge", used)
    again = call(ckanapi, exchange, "datastore_search", key=buyer.token(), **asked)["done"]
    assert again == found
    another = call(ckanapi, exchange, "datastore_search", key=buyer.token(), resource_id=resource_id, limit=1)
    assert [row["人数"] for row in another["done"]["records"]] == [120]
    # Deliveries are settled one after another: once the last is charged, the one before it is as well.
    more = live.wait_until("the other charge", lambda: used() > charged and used())
    head = buyer.get(f"/v1/usage?grant_id={grant_id}")
    assert head["total_bytes"] == more
    assert head["total_deliveries"] == 3


def command(python, exchange, *arguments):
    return subprocess.run(
        [python.parent / "ckanapi", *arguments, "--remote", exchange.base_url],
        env={"HOME": "/nonexistent", "PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONUTF8": "1"},
        capture_output=True, text=True, timeout=live.WAIT_SECONDS, check=False,
    )  # fmt: skip


def test_the_command_dumps_all_datasets_and_organizations(ckanapi, exchange, parties, sold, tmp_path):
    dumped = tmp_path / "all.jsonl.gz"
    told = command(ckanapi, exchange, "dump", "datasets", "--all", "--gzip", "--output", dumped, "--processes", "2")
    assert told.returncode == 0, told.stderr
    records = [json.loads(line) for line in gzip.decompress(dumped.read_bytes()).splitlines()]
    assert sold[0] in [record["id"] for record in records]
    told = command(ckanapi, exchange, "dump", "organizations", "--all", "--quiet")
    assert told.returncode == 0, told.stderr
    assert [json.loads(line)["title"] for line in told.stdout.splitlines()]
    told = command(ckanapi, exchange, "action", "status_show")
    assert json.loads(told.stdout)["site_url"] == exchange.base_url
    told = command(ckanapi, exchange, "search", "datasets", "q=人流")
    assert sold[0] in told.stdout


@pytest.fixture(scope="module")
def many(exchange, parties, sold):
    """So many imported records that a harvester must ask for several pages."""
    began = clock.now()
    for number in range(RECORDS):
        package = {"id": f"p{number}", "name": f"p{number}", "title": f"避難所 {number}", "resources": []}
        parties["provider"].post("/v1/datasets/import", {"package": package})
    live.wait_until("the index", lambda: _count(exchange, parties, "避難所") >= RECORDS)
    return began


def harvest(python, exchange, deed, **asked):
    return environments.ask(python, HERE / "harvest" / "harvest.py", url=exchange.base_url, deed=deed, **asked)


def test_the_harvester_gathers_everything_page_by_page_and_nothing_twice(harvester, exchange, sold, many):
    packages = harvest(harvester, exchange, "search")["done"]
    assert len(packages) == len({one["id"] for one in packages}) == RECORDS + 1
    assert [one["id"] for one in packages] == sorted(one["id"] for one in packages)


def test_the_harvester_gathers_what_changed_since_and_of_whom_it_is_told(harvester, exchange, sold, many):
    everything = harvest(harvester, exchange, "search")["done"]
    owner = everything[0]["owner_org"]
    named = harvest(harvester, exchange, "organization", name=owner)["done"]
    assert named["id"] == owner
    group = harvest(harvester, exchange, "group", name=everything[0]["groups"][0]["name"])["done"]
    assert group["package_count"] >= 1
    for terms, count in (
        ([f"organization:{owner}"], RECORDS + 1),
        ([f"organization:{owner} OR organization:nobody"], RECORDS + 1),
        ([f"-organization:{owner}"], 0),
        ([f"metadata_modified:[{_said(many)}Z TO *]"], RECORDS),
        ([f"organization:{owner}", f"metadata_modified:[{_said(many)}Z TO *]"], RECORDS),
        ([f"metadata_modified:[{_said(clock.now() + timedelta(days=1))}Z TO *]"], 0),
    ):
        packages = harvest(harvester, exchange, "search", fq_terms=terms)["done"]
        assert len({one["id"] for one in packages}) == count, terms


def _said(at):
    return at.replace(tzinfo=None).isoformat()
