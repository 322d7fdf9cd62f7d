"""The official client of Delta Sharing 1.4.2 reads what was bought, in both formats, and is billed alike."""

import pytest
import requests

from tests import live
from tests.conformance import pandas_client

TITLES = {
    "title_ja": "大通地区の人流", "title_en": "Footfall in Odori",
    "description_ja": "1時間ごとの通行量。", "description_en": "Passers-by by the hour.",
}  # fmt: skip
CSV = "地点,日付,測定,人数,比率,印\n大通,令和8年11月22日,2026-11-22 09:00,120,0.5,true\n駅前,令和8年11月23日,2026-11-22 10:00,,1.25,false\n".encode(
    "cp932"
)
ROWS = [
    {"地点": "大通", "日付": "2026-11-22T00:00:00.000", "測定": "2026-11-22T09:00:00.000", "人数": 120, "比率": 0.5, "印": True},
    {"地点": "駅前", "日付": "2026-11-23T00:00:00.000", "測定": "2026-11-22T10:00:00.000", "人数": None, "比率": 1.25, "印": False},
]  # fmt: skip
SECOND = CSV + "大通,令和8年11月24日,2026-11-24 09:00,7,2,true\n".encode("cp932")


@pytest.fixture(scope="module")
def python():
    return pandas_client.installed()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory, clone, python):
    with live.exchange(tmp_path_factory.mktemp("delta"), clone()) as started:
        yield started


@pytest.fixture(scope="module")
def parties(exchange):
    return exchange.assemble()


@pytest.fixture
def bought(parties, tmp_path):
    """A grant for all releases of a dataset of two, and the dataset's id."""
    path = tmp_path / "人流.csv"
    path.write_bytes(CSV)
    dataset_id = live.publish(parties["provider"], [path], TITLES)["dataset_id"]
    path.write_bytes(SECOND)
    live.publish(parties["provider"], [path], TITLES, dataset_id)
    offered = live.offer(parties["provider"], dataset_id, "free", release_scope="all")
    return live.buy(parties["buyer"], offered)["grant_id"], dataset_id


def by_token(exchange, buyer):
    return {
        "shareCredentialsVersion": 1,
        "endpoint": f"{exchange.base_url}/delta-sharing/",
        "bearerToken": buyer.token(),
    }


def by_secret(buyer, grant_id):
    """The profile of a grant as the exchange makes it, with the secret that only its client has."""
    profile = buyer.get(f"/v1/grants/{grant_id}/delta-sharing-profile")
    assert buyer.client_secret not in str(profile)
    return profile | {"clientSecret": buyer.client_secret}


def used(buyer, grant_id):
    return buyer.get(f"/v1/grants/{grant_id}")["quota"]["used_bytes"]


@pytest.mark.parametrize("use_delta_format", [False, True, None])
def test_pandas_reads_what_was_bought_with_the_profile_of_its_grant(python, parties, bought, use_delta_format):
    grant_id, dataset_id = bought
    profile, table = by_secret(parties["buyer"], grant_id), [dataset_id, "default", "人流_csv"]
    assert table in pandas_client.ask(python, deed="listed", profile=profile)["done"]
    told = pandas_client.ask(
        python, deed="read", profile=profile, table=table, version=0, use_delta_format=use_delta_format
    )
    assert told["done"]["rows"] == ROWS
    assert told["done"]["types"]["人数"] == "float64"  # as pandas has whole numbers with gaps
    assert told["done"]["types"]["測定"].startswith("datetime64[")


def test_both_formats_are_billed_alike_whatever_they_ask_for(exchange, python, parties, bought):
    buyer, (first, dataset_id) = parties["buyer"], bought
    table = [dataset_id, "default", "人流_csv"]
    profile = by_token(exchange, buyer)
    offered = live.offer(parties["provider"], dataset_id, "free", release_scope="all")
    charged = []
    for use_delta_format in (False, True):
        # The grant that was bought last is used: the second reads under its own.
        grant_id = live.buy(buyer, offered)["grant_id"] if use_delta_format else first
        told = pandas_client.ask(python, deed="read", profile=profile, table=table, use_delta_format=use_delta_format)
        assert len(told["done"]["rows"]) == 3
        charged.append(live.wait_until("the bytes to be charged", lambda grant=grant_id: used(buyer, grant)))
    assert charged[0] == charged[1] > 0
    [file] = [
        one for one in requests.post(
            f"{exchange.base_url}/delta-sharing/shares/{dataset_id}/schemas/default/tables/人流_csv/query",
            headers={"Authorization": f"Bearer {buyer.token()}"}, json={}, timeout=180,
        ).iter_lines() if b'"file"' in one
    ]  # fmt: skip
    assert f'"size":{charged[0]},'.encode() in file


def test_pandas_reads_versions_and_as_few_rows_as_it_wants(exchange, python, parties, bought):
    table, profile = [bought[1], "default", "人流_csv"], by_token(exchange, parties["buyer"])
    assert pandas_client.ask(python, deed="version", profile=profile, table=table) == {"done": 1}
    for version, rows in ((0, 2), (1, 3)):
        told = pandas_client.ask(python, deed="read", profile=profile, table=table, version=version)
        assert len(told["done"]["rows"]) == rows
    limited = pandas_client.ask(python, deed="read", profile=profile, table=table, limit=1)
    assert limited["done"]["rows"] == ROWS[:1]
    late = pandas_client.ask(python, deed="read", profile=profile, table=table, version=2)
    assert "Cannot time travel Delta table to version 2" in late["raised"]


@pytest.fixture
def changing(parties, tmp_path):
    """The table of a dataset of two releases whose rows are known by a key, bought."""
    path, keyed = tmp_path / "会員.csv", TITLES | {"key_columns": ["番号"]}
    path.write_bytes("番号,地点,人数\n1,大通,12\n2,駅前,7\n3,円山,3\n".encode("cp932"))
    dataset_id = live.publish(parties["provider"], [path], keyed)["dataset_id"]
    path.write_bytes("番号,地点,人数\n2,駅前,8\n1,大通,12\n4,宮の森,5\n".encode("cp932"))
    live.publish(parties["provider"], [path], keyed, dataset_id)
    live.buy(parties["buyer"], live.offer(parties["provider"], dataset_id, "free", release_scope="all"))
    return [dataset_id, "default", "会員_csv"]


@pytest.mark.parametrize("use_delta_format", [False, True])
def test_pandas_reads_what_changed(exchange, python, parties, changing, use_delta_format):
    profile = by_token(exchange, parties["buyer"])
    told = pandas_client.ask(
        python, deed="changed", profile=profile, table=changing, starting_version=0, use_delta_format=use_delta_format
    )
    assert "done" in told, told
    rows = [(row["_commit_version"], row["_change_type"], row["番号"], row["人数"]) for row in told["done"]]
    assert sorted(rows) == [
        (0, "insert", 1, 12), (0, "insert", 2, 7), (0, "insert", 3, 3),
        (1, "delete", 3, 3), (1, "insert", 4, 5), (1, "update_postimage", 2, 8), (1, "update_preimage", 2, 7),
    ]  # fmt: skip
    assert all(row["_commit_timestamp"] for row in told["done"])
    late = pandas_client.ask(python, deed="changed", profile=profile, table=changing, starting_version=2)
    assert "Start version cannot be greater than the latest version of the" in late["raised"]


@pytest.mark.parametrize("use_delta_format", [False, True])
def test_the_clients_own_readers_take_files_that_came_and_went(exchange, python, parties, changing, use_delta_format):
    told = pandas_client.ask(
        python, deed="since", profile=by_token(exchange, parties["buyer"]), table=changing,
        starting_version=0, use_delta_format=use_delta_format,
    )  # fmt: skip
    assert "done" in told, told
    rows = [(row["_commit_version"], row["_change_type"], row["番号"], row["人数"]) for row in told["done"]]
    assert sorted(rows) == [
        (0, "insert", 1, 12), (0, "insert", 2, 7), (0, "insert", 3, 3),
        (1, "delete", 1, 12), (1, "delete", 2, 7), (1, "delete", 3, 3),
        (1, "insert", 1, 12), (1, "insert", 2, 8), (1, "insert", 4, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("use_delta_format", [False, True])
def test_pandas_reads_changes_of_moments_without_a_zone(exchange, python, parties, bought, use_delta_format):
    told = pandas_client.ask(
        python, deed="changed", profile=by_token(exchange, parties["buyer"]), table=[bought[1], "default", "人流_csv"],
        starting_version=1, use_delta_format=use_delta_format,
    )  # fmt: skip
    assert [(row["_change_type"], row["人数"]) for row in told["done"]] == [("insert", 7)]


def test_pandas_is_told_at_once_when_access_has_ended(exchange, python, parties, bought):
    grant_id, dataset_id = bought
    parties["provider"].post(f"/v1/grants/{grant_id}/revoke", {"reason": "規約違反"})
    table, profile = [dataset_id, "default", "人流_csv"], by_token(exchange, parties["buyer"])
    told = pandas_client.ask(python, deed="read", profile=profile, table=table)
    assert "HTTPError: 403" in told["raised"]
    assert "revoked" in told["raised"]
    stranger = pandas_client.ask(python, deed="read", profile=by_token(exchange, parties["stranger"]), table=table)
    assert "HTTPError: 404" in stranger["raised"]
