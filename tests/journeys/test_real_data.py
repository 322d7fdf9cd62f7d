"""Real municipal files through the whole exchange, over HTTP: profiled as they are, found, delivered byte for byte."""

import csv
import gzip
import io
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
import requests

from marketplace.demo import cast
from tests import live
from tests.journeys.conftest import TITLES

pytestmark = pytest.mark.shared_data


def counted(text):
    """Count names and rows with the standard library alone; `#` lines but `#property` are not data."""
    lines = [line for line in csv.reader(io.StringIO(text, newline="")) if line]
    names = next(line for line in lines if not line[0].startswith("#") or line[0] == "#property")
    return names, sum(not line[0].startswith("#") for line in lines if line is not names)


@pytest.fixture(scope="module")
def trade(market):
    """List files of one dataset, buy it, fetch every file, compare, and return the profiles."""

    def run(titles, *paths):
        provider, buyer = market.parties["provider"], market.parties["buyer"]
        release = live.publish(provider, list(paths), TITLES | titles)
        grant_id = live.buy(buyer, live.offer(provider, release["dataset_id"], "free"))["grant_id"]
        contents = {path.name: path.read_bytes() for path in paths}
        for name, content in contents.items():
            assert buyer.call("GET", f"/v1/grants/{grant_id}/files/{quote(name)}").content == content, name
        delivered = sum(map(len, set(contents.values())))
        live.wait_until(
            "the meter", lambda: buyer.get("/v1/usage", grant_id=grant_id)["total_bytes"] == delivered, seconds=30
        )
        assert {file["name"]: file["size_bytes"] for file in release["files"]} == {
            name: len(content) for name, content in contents.items()
        }
        return release["dataset_id"], {file["name"]: file["profile"] for file in release["files"]}

    return run


def found(market, words):
    page = requests.get(f"{market.base_url}/v1/catalog", params={"q": words, "size": 100}, timeout=180).json()
    return {item["id"] for item in page["items"]}


def assert_found(market, dataset_id, *words):
    for one in words:
        live.wait_until(f"{one} to find it", lambda one=one: dataset_id in found(market, one), seconds=180)


def test_all_csv_files_of_takamatsu_are_listed_and_delivered(market, trade, shared_data):
    paths = sorted((shared_data / "takamatsu_ccby4").glob("*.csv"))
    assert len(paths) > 100
    titles = {"title_ja": "高松市の観光と施設", "title_en": "Tourism and facilities of Takamatsu"}
    dataset_id, profiles = trade(titles, *paths)
    for path in paths:
        names, rows = counted(path.read_bytes().decode("utf-8-sig"))
        profile = profiles[path.name]
        assert (profile["rows"], len(profile["columns"]), profile["encoding"]) == (rows, len(names), "utf-8"), path.name
    assert_found(market, dataset_id, "観光", "Takamatsu", "takamatsu tourism")


def test_both_encodings_of_the_municipality_list_have_the_same_columns_and_values(market, trade, shared_data):
    raw = (shared_data / "localgovjp_sjis_cc0.csv").read_bytes()
    old = market.file(raw, "市町村一覧_cp932.csv")
    new = market.file(raw.decode("cp932").encode("utf-8-sig"), "市町村一覧_utf8.csv")
    _, profiles = trade({"title_ja": "市町村一覧", "title_en": "Municipalities"}, old, new)
    one, other = profiles[old.name], profiles[new.name]
    assert (one["encoding"], other["encoding"], other["bom"]) == ("cp932", "utf-8", True)
    assert one["rows"] == other["rows"] == counted(raw.decode("cp932"))[1]
    assert (one["columns"], one["preview"]) == (other["columns"], other["preview"])


def test_the_bears_of_sapporo_are_features_with_properties(market, trade, shared_data):
    path = shared_data / "sapporo_bears_ccby4.geojson"
    features = json.loads(path.read_text("utf-8"))["features"]
    dataset_id, profiles = trade({"title_ja": "札幌市の熊の目撃情報", "title_en": "Bear sightings in Sapporo"}, path)
    profile = profiles[path.name]
    assert (profile["format"], profile["rows"]) == ("geojson", len(features))
    names = {name for feature in features for name in feature["properties"]}
    assert names <= {column["name"] for column in profile["columns"]}
    assert_found(market, dataset_id, "熊", "Bear", "bear sapporo", "award")


def test_the_series_of_fukui_are_counted_and_found(market, trade, shared_data):
    paths = [shared_data / name for name in ("fukui_station_people_flow.csv", "fukui_tourism_daily_count_ccby.csv")]
    titles = {"title_ja": "福井駅の人流と気温", "title_en": "People flow at Fukui station"}
    dataset_id, profiles = trade(titles, *paths)
    for path in paths:
        names, rows = counted(path.read_text("utf-8-sig"))
        profile = profiles[path.name]
        assert ([column["name"] for column in profile["columns"]], profile["rows"]) == (names, rows)
    assert_found(market, dataset_id, "人流", "気温", "ＰＥＯＰＬＥ　flow", "placement")


def test_three_hundred_records_of_tokyo_become_entries_of_the_catalogue(market, shared_data):
    city = market.exchange.admit(
        market.parties["operator"], "city", cast.application(70, "東京都", "Tokyo", "public_body", "provider")
    )
    with gzip.open(shared_data / "tokyo_ckan_sample300.jsonl.gz", "rt", encoding="utf-8") as lines:
        packages = [json.loads(line) for line in lines]
    city.token()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda package: city.post("/v1/datasets/import", {"package": package}), packages))
    assert len({dataset["id"] for dataset in made}) == len(packages) == 300
    assert [one["title_ja"] for one in made] == [" ".join(package["title"].split()) for package in packages]
    again = city.post("/v1/datasets/import", {"package": packages[0]})
    assert again["id"] == made[0]["id"]
    entry = requests.get(f"{market.base_url}/v1/catalog/{made[0]['id']}", timeout=180)
    assert entry.status_code == 200
    assert entry.json()["title_ja"] == made[0]["title_ja"]
    assert_found(market, made[0]["id"], made[0]["title_ja"])
