"""A CKAN harvests the exchange into its own database: through its schema and validators, and once however often.

CKAN's model, actions, validators and ckanext-harvest's stages are the published ones, on a real PostgreSQL. Its index
(Solr) and its queue (Redis) are not there: nothing is indexed, and a job's stages are called one after another.
"""

import json
import uuid
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from marketplace.kit.postgres import libpq_url
from tests import live
from tests.conformance import environments

HERE = Path(__file__).parent
TITLES = {
    "title_ja": "大通地区の人流 <b>", "title_en": "Footfall in Odori",
    "description_ja": "1時間ごとの通行量。", "description_en": "Passers-by by the hour.",
}  # fmt: skip
KEYWORDS = ["雪", "札幌・石狩", "Wi-Fi", "人流", "a,b"]
FOREIGN = {
    "id": "p1", "name": "hinanjo", "title": "避難所一覧", "notes": "市内の避難所。", "license_id": "CC-BY-4.0",
    "tags": [{"name": "避難所"}, {"name": "水"}], "extras": [{"key": "更新頻度", "value": "年1回"}, {"key": "frequency", "value": "毎年"}],
    "maintainer_email": "bosai@city.example.jp",
    "resources": [
        {"id": f"r{number}", "name": f"避難所{number}", "url": f"https://city.example.jp/{number}.csv", "format": "CSV", "url_type": "upload"}
        for number in range(502)
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def exchange(tmp_path_factory, clone):
    with live.exchange(tmp_path_factory.mktemp("harvested"), clone()) as started:
        yield started


@pytest.fixture(scope="module")
def parties(exchange):
    return exchange.assemble()


@pytest.fixture(scope="module")
def listed(parties, tmp_path_factory):
    """A dataset with a file and keywords of every kind, and a record taken over with 502 resources."""
    path = tmp_path_factory.mktemp("goods") / "人流.csv"
    path.write_text("地点,人数\n大通,120\n")
    provider = parties["provider"]
    sold = live.publish(provider, [path], TITLES)["dataset_id"]
    live.offer(provider, sold, "free")
    revise(provider, sold, keywords=KEYWORDS)
    taken = provider.post("/v1/datasets/import", {"package": FOREIGN})["id"]
    live.wait_until("the index", lambda: provider.get("/api/3/action/package_search?rows=0")["result"]["count"] == 2)
    return sold, taken


def revise(provider, dataset_id, **changes):
    tag = provider.call("GET", f"/v1/datasets/{dataset_id}").headers["ETag"]
    provider.call("PATCH", f"/v1/datasets/{dataset_id}", json=changes, headers={"If-Match": tag})


@pytest.fixture(scope="module")
def ckan(exchange):
    """Harvest into a database of CKAN's own that was empty before the first time."""
    python = environments.installed(HERE / "harvest")
    server, name = make_url(exchange.database_url), f"ckan_{uuid.uuid4().hex}"
    # Written out: CKAN hands the address through files in which a percent sign has a meaning of its own.
    host = server.query.get("host", server.host)
    url = f"postgresql://{server.username}@/{name}?host={host}&port={server.query.get('port', server.port or 5432)}"
    with psycopg.connect(libpq_url(exchange.database_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    known = {"config": {}}

    def harvest():
        told = environments.ask(
            python, HERE / "harvest" / "import_into.py", url=exchange.base_url, database_url=url, **known
        )
        known["source_id"] = told["source_id"]
        return told

    return harvest


def shown(parties, dataset_id):
    return parties["buyer"].get(f"/api/3/action/package_show?id={dataset_id}")["result"]


def test_a_ckan_has_what_the_exchange_lists_and_once_however_often_it_harvests(ckan, parties, listed):
    provider, (sold, taken) = parties["provider"], listed
    told = ckan()
    assert (told["faults"], told["outcomes"]) == ([], ["True", "True"])
    kept = {package["id"]: package for package in told["packages"]}
    assert set(kept) == {sold, taken}
    for dataset_id, package in kept.items():
        ours = shown(parties, dataset_id)
        for field in ("name", "title", "notes", "url", "license_id", "maintainer", "maintainer_email", "author"):
            assert (package[field] or None) == (ours[field] or None), field
        assert {tag["name"] for tag in package["tags"]} == {tag["name"] for tag in ours["tags"]}
        assert [one["url"] for one in package["resources"]] == [one["url"] for one in ours["resources"]]
        assert [one["name"] for one in package["resources"]] == [one["name"] for one in ours["resources"]]
        extras = {one["key"]: one["value"] for one in package["extras"]}
        assert {one["key"]: one["value"] for one in ours["extras"]}.items() <= extras.items()
        # As the harvester does by itself: all of a source belongs to the portal's own organization for it.
        assert (package["organization"]["title"], package["groups"]) == ("札幌市", [])
    assert len(kept[taken]["resources"]) == 502
    # What CKAN takes for no tag stands beside the tags, so that the dataset comes in all the same.
    assert {tag["name"] for tag in kept[sold]["tags"]} == {"Wi-Fi", "人流"}
    extras = {one["key"]: one["value"] for one in kept[sold]["extras"]}
    assert json.loads(extras["keywords"]) == shown_keywords(parties, sold)

    again = ckan()
    assert (again["faults"], set(again["outcomes"])) == ([], {"unchanged"})
    assert gist(again) == gist(told)

    revise(provider, sold, title_ja="大通地区の人流（新）")
    live.wait_until("the index", lambda: "（新）" in json.dumps(search(parties), ensure_ascii=False))
    later = ckan()
    assert (later["faults"], sorted(later["outcomes"])) == ([], ["True", "unchanged"])
    titles = {package["id"]: package["title"] for package in later["packages"]}
    assert titles == {sold: "大通地区の人流（新）", taken: "避難所一覧"}


def gist(told):
    """What a CKAN has, whatever order it keeps it in."""
    return {one["id"]: (one["title"], one["metadata_modified"], len(one["resources"])) for one in told["packages"]}


def search(parties):
    return [one["title"] for one in parties["buyer"].get("/api/3/action/package_search?rows=10")["result"]["results"]]


def shown_keywords(parties, dataset_id):
    return parties["buyer"].get(f"/v1/catalog/{dataset_id}")["keywords"]
