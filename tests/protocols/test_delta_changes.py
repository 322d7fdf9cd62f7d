"""The change data feed of Delta Sharing: what a release brought, by key or by whole rows, metered like the rest."""

import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from marketplace.exchange import changes, tabular
from marketplace.kit import clock, jobs
from tests.api.trade import Goods, Market, ok, row_counts
from tests.protocols.test_delta_sharing import lines, profiling_as, refused, revoked

NAME, TABLE = "人流.csv", "人流_csv"
HEAD = "地点,人数,備考\n"
RELEASES = ["大通,12,\n駅前,7,雨\n円山,3,\n", "駅前,8,雨\n大通,12,\n宮の森,5,\n", "駅前,8,雨\n大通,12,\n宮の森,5,\n"]
PROFILE: dict[str, Any] = {
    "format": "csv", "delimiter": ",", "rows": 3, "complete": True,
    "columns": [
        {"name": "地点", "type": "string", "format": None, "min": "x", "max": "y"},
        {"name": "人数", "type": "integer", "format": None, "min": "0", "max": "99"},
        {"name": "備考", "type": "string", "format": None, "min": "x", "max": "y"},
    ],
}  # fmt: skip
DELTA = {"delta-sharing-capabilities": "responseformat=delta;readerfeatures=deletionvectors,columnmapping"}


def published(market: Market, monkeypatch: pytest.MonkeyPatch, *releases: str, **dataset: Any) -> tuple[str, str]:
    """A table of so many releases, a minute apart, all bought: the grant and where the table is."""
    profiling_as(monkeypatch, PROFILE)
    goods: Goods = market.goods(NAME, (HEAD + releases[0]).encode(), **dataset)
    grant_id = str(market.bought(goods, "per_mib", release_scope="all")["grant_id"])
    for number, rows in enumerate(releases[1:], start=1):
        release_id = market.release(goods.dataset_id, f"第{number + 1}版")["id"]
        ok(market.upload(release_id, NAME, (HEAD + rows).encode()), 201)
        with clock.stopped(clock.now() + timedelta(minutes=number)):
            market.publish(release_id)
    jobs.run_pending(tabular.CONVERT_JOB)
    return grant_id, f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/{TABLE}"


def asked(market: Market, table: str, query: str = "startingVersion=0", **headers: str) -> Any:
    """The answer to a question for changes, once what changed has been found."""
    first = market.buyer.get(f"{table}/changes?{query}", headers=headers)
    jobs.run_pending(changes.COMPARE_JOB)
    return market.buyer.get(f"{table}/changes?{query}", headers=headers) if first.status_code == 503 else first


def rows_of(market: Market, action: dict[str, Any]) -> list[dict[str, Any]]:
    url = urlsplit(action["url"])
    return pq.read_table(io.BytesIO(market.nobody.get(f"{url.path}?{url.query}").data)).to_pylist()


def test_with_a_key_rows_come_go_and_change(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, *RELEASES, key_columns=["地点"])
    answer = asked(market, table)
    protocol, metadata, first, second = lines(answer)
    assert protocol == {"protocol": {"minReaderVersion": 1}}
    assert metadata["metaData"]["configuration"]["delta.enableChangeDataFeed"] == "true"
    assert answer.headers["Delta-Table-Version"] == "0"
    assert [row["地点"] for row in rows_of(market, first["add"])] == ["大通", "駅前", "円山"]
    changed = second["cdf"]
    assert (first["add"]["version"], changed["version"]) == (0, 1)
    assert changed["timestamp"] - first["add"]["timestamp"] >= 59_000
    assert [(row["_change_type"], row["地点"], row["人数"]) for row in rows_of(market, changed)] == [
        ("delete", "円山", 3), ("update_preimage", "駅前", 7), ("update_postimage", "駅前", 8), ("insert", "宮の森", 5),
    ]  # fmt: skip


def test_without_a_key_whole_rows_come_and_go(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, *RELEASES[:2])
    (_protocol, _metadata, changed) = lines(asked(market, table, "startingVersion=1&endingVersion=9"))
    assert [(row["_change_type"], row["地点"], row["人数"]) for row in rows_of(market, changed["cdf"])] == [
        ("delete", "駅前", 7), ("delete", "円山", 3), ("insert", "駅前", 8), ("insert", "宮の森", 5),
    ]  # fmt: skip


def test_a_key_that_rows_share_is_no_key(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, "a,1,\na,1,\n", "a,1,\na,2,\n", key_columns=["地点"])
    (_protocol, _metadata, changed) = lines(asked(market, table, "startingVersion=1"))
    kinds = [(row["_change_type"], row["人数"]) for row in rows_of(market, changed["cdf"])]
    assert kinds == [("delete", 1), ("insert", 2)]


def test_both_formats_tell_the_same_content(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, *RELEASES[:2], key_columns=["地点"])
    plain, delta = lines(asked(market, table)), lines(asked(market, table, **DELTA))
    assert delta[0]["protocol"]["deltaProtocol"] == {"minReaderVersion": 1, "minWriterVersion": 4}
    assert delta[1]["metaData"]["version"] == 0
    single = delta[3]["file"]
    cdc = single["deltaSingleAction"]["cdc"]
    assert urlsplit(cdc["path"]).path == urlsplit(plain[3]["cdf"]["url"]).path
    assert (single["version"], single["timestamp"], cdc["dataChange"]) == (1, plain[3]["cdf"]["timestamp"], False)
    assert (single["id"][:32], cdc["size"]) == (plain[3]["cdf"]["id"], plain[3]["cdf"]["size"])


def test_what_changed_is_charged_once_and_ends_with_its_grant(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    grant_id, table = published(market, monkeypatch, *RELEASES[:2], key_columns=["地点"])
    changed = lines(asked(market, table, "startingVersion=1"))[2]["cdf"]
    for _ in range(2):
        assert len(rows_of(market, changed)) == 4
    assert market.usage(grant_id)[0] == changed["size"]
    assert ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))["total_rows"] == 4
    url = urlsplit(changed["url"])
    refused(market.nobody.get(f"{url.path}?{url.query}x"), 403, "PERMISSION_DENIED")
    revoked(market, grant_id)
    refused(market.nobody.get(f"{url.path}?{url.query}"), 403, "PERMISSION_DENIED", "revoked")
    refused(market.buyer.get(f"{table}/changes?startingVersion=1"), 403, "PERMISSION_DENIED", "revoked")


def test_versions_that_changed_nothing_bring_nothing(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, *RELEASES, key_columns=["地点"])
    end = {"delta-sharing-capabilities": "responseformat=parquet;includeEndStreamAction=true"}
    assert [next(iter(line)) for line in lines(asked(market, table, "startingVersion=2", **end))] == [
        "protocol", "metaData", "endStreamAction",
    ]  # fmt: skip


def test_columns_that_changed_are_told_instead_of_rows(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, RELEASES[0])
    other = PROFILE | {"columns": [*PROFILE["columns"], {"name": "天気", "type": "string", "format": None}]}
    profiling_as(monkeypatch, other)
    release_id = market.release(table.split("/")[3], "第二版")["id"]
    ok(market.upload(release_id, NAME, "地点,人数,備考,天気\nx,1,y,z\n".encode()), 201)
    with clock.stopped(clock.now() + timedelta(minutes=1)):
        market.publish(release_id)
    jobs.run_pending(tabular.CONVERT_JOB)
    refused(asked(market, table), 400, "INVALID_PARAMETER_VALUE", "types changed with version 1")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("", "No startingVersion or startingTimestamp"),
        ("startingVersion=0&startingTimestamp=2026-01-01T00:00:00Z", "Multiple starting arguments"),
        ("startingVersion=0&endingVersion=1&endingTimestamp=2026-01-01T00:00:00Z", "Multiple ending arguments"),
        ("startingVersion=1&endingVersion=0", "End cannot be before start"),
        ("startingVersion=2", "cannot be greater than the latest version of the table(1)"),
        ("startingVersion=-1", "Invalid startingVersion"),
        ("startingVersion=x", "Invalid startingVersion"),
        ("startingTimestamp=soon", "Invalid timestamp"),
        ("startingTimestamp=2100-01-01T00:00:00Z", "is after the latest version"),
        ("startingVersion=0&endingTimestamp=2000-01-01T00:00:00Z", "is before the earliest version"),
    ],
    ids=lambda value: str(value)[:40] or "nothing",
)
def test_what_the_protocol_does_not_allow_is_refused(
    market: Market, monkeypatch: pytest.MonkeyPatch, query: str, word: str
) -> None:
    _grant, table = published(market, monkeypatch, *RELEASES[:2])
    before = row_counts()
    refused(market.buyer.get(f"{table}/changes?{query}"), 400, "INVALID_PARAMETER_VALUE", word)
    assert row_counts() == before


def test_versions_are_found_by_their_time(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, *RELEASES[:2], key_columns=["地点"])
    now = clock.text(clock.now())
    only = lines(asked(market, table, f"startingTimestamp={now}"))
    assert [next(iter(line)) for line in only] == ["protocol", "metaData", "cdf"]
    first = lines(asked(market, table, f"startingVersion=0&endingTimestamp={now}"))
    assert [next(iter(line)) for line in first] == ["protocol", "metaData", "add"]


def test_what_is_not_compared_yet_is_asked_for_and_comes(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, *RELEASES[:2])
    waiting = market.buyer.get(f"{table}/changes?startingVersion=0")
    refused(waiting, 503, "TEMPORARILY_UNAVAILABLE", "Retry-After")
    assert jobs.run_pending(changes.COMPARE_JOB) == 1
    assert len(lines(market.buyer.get(f"{table}/changes?startingVersion=0"))) == 4
    assert json.loads(market.buyer.get(f"/v1/grants/{_grant}").text)["quota"]["used_bytes"] == 0
