"""CKAN's seventeen actions under what nobody should send, and rows that are asked for again and again."""

import json
import threading
from itertools import product
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.exchange import listing
from marketplace.kit.db import db
from marketplace.metering.models import Delivery
from tests.api.trade import Goods, Market, market_of, row_counts
from tests.protocols.test_ckan import ACTIONS, AT, goods, grant_id, index, read  # noqa: F401 - fixtures
from tests.protocols.test_delta_sharing import CSV, NAME, PROFILE, profiling_as
from tests.protocols.test_mcp import bought

ERRORS = {
    404: {"Not Found Error"},
    409: {"Validation Error"},
    403: {"Authorization Error"},
    400: {"Search Query Error", "Bad Request"},  # the latter of an address that holds what none may
}
PARAMETERS = (
    "id", "name", "q", "fq", "sort", "rows", "start", "limit", "offset", "facet.field", "facet.limit", "resource_id",
    "filters", "fields", "all_fields", "include_private",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, "", "\ud800", "\x00", "../../etc/passwd", "' OR 1=1 --", "x" * 5000, -1, 0, 2.5, 10**30, True, [], {}, [[[]]],
    {"a": {"b": 1}}, "NaN", "٣", "ds_" + "0" * 32,
)  # fmt: skip


def is_told_as_ckan_tells(answer: Any, action: str) -> None:
    """An answer is a result, an error of a known kind with the status that belongs to it, or a bare text."""
    document = json.loads(answer.data)
    if answer.status_code == 400 and isinstance(document, str):
        return
    assert document["help"].endswith(f"/api/3/action/help_show?name={action}")
    if answer.status_code == 200:
        assert (document["success"], "error" in document) == (True, False)
        return
    assert (document["success"], "result" in document) == (False, False)
    assert document["error"]["__type"] in ERRORS[answer.status_code], answer.data
    if answer.status_code == 409:
        faults = {name: said for name, said in document["error"].items() if name != "__type"}
        assert faults
        assert all(isinstance(said, list) and all(isinstance(one, str) for one in said) for said in faults.values())


@pytest.mark.parametrize("action", ACTIONS)
def test_whatever_is_sent_to_an_action_is_answered_as_ckan_answers(
    market: Market,
    goods: Goods,  # noqa: F811 - a fixture
    action: str,
) -> None:
    before = row_counts()
    for name, value in product(PARAMETERS, ODD):
        by_json = market.nobody.call("POST", f"{AT}/{action}", json={name: value})
        assert by_json.status_code in {200, *ERRORS}, (name, value, by_json.text)
        is_told_as_ckan_tells(by_json, action)
    for value in ("", "x", "-1", "{", "[]", "%ff", "%00", "１"):
        by_get = market.nobody.get(f"{AT}/{action}?id={value}&rows={value}&q={value}&resource_id={value}")
        assert by_get.status_code in {200, *ERRORS}, (value, by_get.text)
        is_told_as_ckan_tells(by_get, action)
    for body in (b"{", b"[]", b"null", b'"x"', b"1", b"\xff\xfe", b'{"a":' * 5000):
        answer = market.nobody.send("POST", f"{AT}/{action}", body)
        if action == "datastore_search":  # who sends no key is told so before anything is read
            assert answer.status_code == 403
            continue
        assert (answer.status_code, isinstance(json.loads(answer.data), str)) == (400, True), body
    for method in ("PUT", "DELETE", "PATCH"):
        assert market.nobody.call(method, f"{AT}/{action}").status_code == 405
    assert row_counts() == before


@pytest.mark.parametrize("action", ACTIONS)
def test_a_key_that_is_none_is_refused_by_the_action_that_needs_one_alone(
    market: Market,
    goods: Goods,  # noqa: F811 - a fixture
    action: str,
) -> None:
    needs = {"resource_id": "rel_" + "0" * 32 + "-" + "0" * 16, "id": goods.dataset_id, "name": "package_show"}
    for header in ("Authorization", "X-CKAN-API-Key"):
        answer = market.nobody.call("POST", f"{AT}/{action}", json=needs, headers={header: "forged"})
        is_told_as_ckan_tells(answer, action)
        assert answer.status_code != 200 or action != "datastore_search"
        assert action != "datastore_search" or answer.status_code in {403, 404}


def resource_of(market: Market, dataset_id: str) -> str:
    package = json.loads(market.nobody.get(f"{AT}/package_show?id={dataset_id}").data)["result"]
    return str(package["resources"][0]["id"])


def test_rows_asked_for_again_and_again_in_every_way_are_charged_once(
    market: Market,
    goods: Goods,  # noqa: F811 - a fixture
    grant_id: str,  # noqa: F811 - a fixture
) -> None:
    resource_id = resource_of(market, goods.dataset_id)
    first = read(market, resource_id, filters={"地点": "大通"}, limit=10)
    assert first.status_code == 200
    charged, token = market.usage(grant_id)[0], str(market.buyer.token)
    assert charged > 0
    body = {"limit": 10, "filters": {"地点": "大通"}, "resource_id": resource_id}
    query = {"resource_id": resource_id, "limit": "10", "filters": json.dumps({"地点": "大通"})}
    again = [
        read(market, resource_id, filters={"地点": "大通"}, limit=10),
        market.nobody.call("POST", f"{AT}/datastore_search", json=body, headers={"X-CKAN-API-Key": token}),
        market.nobody.call("POST", "/api/action/datastore_search", data=query, headers={"Authorization": token}),
        market.nobody.get(f"{AT}/datastore_search", query_string=query, headers={"Authorization": token}),
    ]
    assert {one.status_code for one in again} == {200}
    records = [json.loads(one.data)["result"]["records"] for one in (first, *again)]
    assert all(one == records[0] for one in records)
    assert market.usage(grant_id)[0] == charged


def test_clients_that_give_up_and_ask_again_at_once_are_charged_once(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiling_as(monkeypatch, PROFILE | {"complete": True})
    market = market_of(own_database)
    made = market.goods(NAME, CSV)
    listing.rebuild_index()
    index()
    grant = bought(market, made)
    resource_id = resource_of(market, made.dataset_id)
    alone = read(market, resource_id, limit=1)
    assert alone.status_code == 200
    alone.close()
    charged, barrier, statuses = market.usage(grant)[0], threading.Barrier(4), []

    def ask() -> None:
        barrier.wait()
        for _ in range(3):
            answer = read(market, resource_id, limit=1)
            statuses.append(answer.status_code)
            answer.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(200) >= 1
    assert market.usage(grant)[0] == charged
    # Each was a delivery of its own on the record; only the first was charged.
    assert (db.session.scalar(select(func.count()).select_from(Delivery)) or 0) >= 1 + statuses.count(200)
