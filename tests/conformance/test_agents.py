"""The official client of the Model Context Protocol, in both ways to begin, and fastmcp use the address of agents."""

import json
from pathlib import Path

import psycopg
import pytest
import requests

from marketplace.kit.postgres import libpq_url
from tests import live
from tests.conformance import environments

HERE = Path(__file__).parent / "agents"
TITLES = {
    "title_ja": "大通地区の人流", "title_en": "Footfall in Odori",
    "description_ja": "1時間ごとの通行量。", "description_en": "Passers-by by the hour.",
}  # fmt: skip
FREE = ("search", "describe", "read_terms", "quote", "sample")
CSV = "地点,日付,人数\n大通,2026-11-22,120\n駅前,2026-11-23,7\n".encode("cp932")


@pytest.fixture(scope="module")
def python():
    return environments.installed(HERE)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory, clone, python):
    with live.exchange(tmp_path_factory.mktemp("agents"), clone()) as started:
        yield started


@pytest.fixture(scope="module")
def parties(exchange):
    return exchange.assemble()


@pytest.fixture(scope="module")
def sold(exchange, parties, tmp_path_factory):
    """A dataset with a table, sold to the buyer by the byte, and a day's budget as its page would set it."""
    path = tmp_path_factory.mktemp("goods") / "人流.csv"
    path.write_bytes(CSV)
    dataset_id = live.publish(parties["provider"], [path], TITLES)["dataset_id"]
    grant_id = live.buy(parties["buyer"], live.offer(parties["provider"], dataset_id, "free"))["grant_id"]
    live.wait_until("the index", lambda: parties["buyer"].get("/v1/catalog?q=人流")["total"])
    with psycopg.connect(libpq_url(exchange.database_url), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO agent_budget (organization_id, bytes_per_day, yen_per_day, member_id, version, set_at)"
            " VALUES (%s, 1048576, 1000, 'mem_1', 1, now())",
            [parties["buyer"].organization_id],
        )
    return dataset_id, grant_id


def speak(python, exchange, deed, **asked):
    return environments.ask(python, HERE / "speak.py", deed=deed, url=f"{exchange.base_url}/mcp", **asked)["done"]


@pytest.mark.parametrize("client", ["fastmcp", "sdk", "handshake"])
def test_foreign_clients_search_understand_and_fetch_and_are_charged_once(python, exchange, parties, sold, client):
    (dataset_id, grant_id), buyer = sold, parties["buyer"]
    rows = {
        "grant_id": grant_id,
        "file_name": "人流.csv",
        "where": [{"column": "地点", "operator": "eq", "value": "駅前"}],
    }
    calls = [
        ("search", {"words": "人流"}), ("describe", {"dataset_id": dataset_id}),
        ("sample", {"dataset_id": dataset_id, "file_name": "人流.csv"}), ("grants", {}), ("fetch", rows), ("fetch", rows),
        ("describe", {"dataset_id": "ds_" + "0" * 32}),
    ]  # fmt: skip
    told = speak(python, exchange, client, token=buyer.token(), calls=calls)
    assert set(told["tools"]) == {*FREE, "grants", "fetch", "fetch_file"}
    assert [one["is_error"] for one in told["results"]] == [False] * 6 + [True]
    found, described, _sample, granted, page, again, _refused = (one["text"] for one in told["results"])
    assert dataset_id in [item["id"] for item in json.loads(found)["items"]]
    offer = json.loads(described)["offers"][0]
    assert json.loads(page)["rows"] == [{"地点": "駅前", "日付": "2026-11-23", "人数": 7}]
    assert page == again
    assert grant_id in [one["grant_id"] for one in json.loads(granted)["grants"]]
    charged = live.wait_until("the charge", lambda: buyer.get(f"/v1/grants/{grant_id}")["quota"]["used_bytes"])
    # What is charged is the page alone, and the same page once, whichever client fetched it.
    assert charged < 2 * len(page.encode())
    priced = speak(
        python, exchange, client, calls=[("quote", {"offer_id": offer["id"]}), ("read_terms", {"terms_id": offer["terms_id"]})]
    )  # fmt: skip
    assert json.loads(priced["results"][0]["text"])["gross_yen"] == 0
    assert json.loads(priced["results"][1]["text"])["text_ja"]


@pytest.mark.parametrize("client", ["fastmcp", "sdk", "handshake"])
def test_foreign_clients_are_led_to_a_whole_file_within_the_budget(python, exchange, parties, sold, client):
    (_dataset_id, grant_id), buyer = sold, parties["buyer"]
    asked = {"grant_id": grant_id, "file_name": "人流.csv"}
    calls = [("fetch_file", asked), ("grants", {}), ("fetch_file", asked | {"file_name": "他.csv"})]
    file, granted, other = speak(python, exchange, client, token=buyer.token(), calls=calls)["results"]
    [link] = file["links"]
    told = json.loads(file["text"])
    assert (link["uri"], link["size"], other["is_error"]) == (told["url"], len(CSV), True)
    left = json.loads(granted["text"])["budget_today"]["bytes_left"]
    # An address is followed without a token, again where it breaks, and was counted before its first byte.
    assert requests.get(link["uri"], timeout=60).content == CSV
    assert requests.get(link["uri"], headers={"Range": "bytes=10-"}, timeout=60).content == CSV[10:]
    [again] = speak(python, exchange, client, token=buyer.token(), calls=[("grants", {})])["results"]
    assert json.loads(again["text"])["budget_today"]["bytes_left"] == left
    with psycopg.connect(libpq_url(exchange.database_url), autocommit=True) as connection:
        bound = "UPDATE agent_budget SET bytes_per_day = (SELECT max(bytes_given) FROM agent_day) + %s"
        connection.execute(bound, [len(CSV) - 1])
        [refused] = speak(python, exchange, client, token=buyer.token(), calls=[("fetch_file", asked)])["results"]
        connection.execute(bound, [1_048_576])
    assert refused["is_error"]
    assert "agent-budget-exhausted" in refused["text"]


def test_the_official_client_finds_the_authorization_server_from_what_is_refused(python, exchange, sold):
    call = {"name": "fetch", "arguments": {"grant_id": sold[1], "file_name": "人流.csv"}}
    told = speak(python, exchange, "discover", call=call)
    assert (told["status"], told["scope"]) == (401, "data:read")
    assert told["urls"][0] == f"{exchange.base_url}/.well-known/oauth-protected-resource/mcp"
    assert told["resource"].rstrip("/") == f"{exchange.base_url}/mcp"
    assert [one.rstrip("/") for one in told["servers"]] == [exchange.base_url]


def test_a_token_is_had_for_the_resource_that_the_address_names(exchange, parties):
    buyer = parties["buyer"]
    for resource, status in (("/mcp", 200), ("", 200), ("/elsewhere", 400)):
        answer = requests.post(
            f"{exchange.base_url}/oauth/token",
            data={
                "grant_type": "client_credentials", "scope": "data:read", "resource": f"{exchange.base_url}{resource}",
            },
            auth=(buyer.client_id, buyer.client_secret), timeout=60,
        )  # fmt: skip
        assert answer.status_code == status, answer.text
