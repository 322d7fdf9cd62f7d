"""A query with ``startingVersion``: which files came into a table and left it, release by release, a page at a time."""

import hashlib
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from marketplace.access.shares import SharedFile
from marketplace.exchange import tabular
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.protocols.delta_sharing import asking
from tests.api.trade import Market, ok, row_counts
from tests.protocols.test_delta_changes import DELTA, HEAD, NAME, PROFILE, RELEASES, published
from tests.protocols.test_delta_sharing import lines, profiling_as, query, refused, revoked

END = {"delta-sharing-capabilities": "responseformat=parquet;includeEndStreamAction=true"}
OLD, NEW = RELEASES[0], RELEASES[1]


def kinds(answered: list[dict[str, Any]]) -> list[str]:
    return [next(iter(line)) for line in answered]


def version_of(market: Market, table: str, version: int, **headers: str) -> dict[str, Any]:
    """The file of one version, as a query for that version tells it."""
    return lines(query(market.buyer, table, {"version": version}, **headers))[2]["file"]


def fetched(market: Market, url: str) -> bytes:
    parts = urlsplit(url)
    answer = market.nobody.get(f"{parts.path}?{parts.query}")
    assert answer.status_code == 200, answer.text
    return answer.data


def moment(market: Market, table: str, version: int) -> int:
    """When a version was published, in milliseconds."""
    dataset_id = table.split("/")[3]
    found = db.session.scalars(
        db.text("SELECT published_at FROM release WHERE dataset_id = :id ORDER BY published_at"), {"id": dataset_id}
    ).all()
    return int(found[version].timestamp() * 1000)


def test_each_release_takes_the_file_of_the_one_before_away(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, OLD, NEW)
    answer = query(market.buyer, table, {"startingVersion": 0})
    protocol, metadata, *actions = lines(answer)
    assert answer.headers["Delta-Table-Version"] == "0"
    assert protocol == {"protocol": {"minReaderVersion": 1}}
    assert metadata["metaData"]["version"] == 0
    old, new = version_of(market, table, 0), version_of(market, table, 1)
    first, second = moment(market, table, 0), moment(market, table, 1)
    same = [
        ("add", old | {"version": 0, "timestamp": first}),
        ("remove", {name: old[name] for name in ("id", "size", "partitionValues")} | {"version": 1, "timestamp": second}),
        ("add", new | {"version": 1, "timestamp": second}),
    ]  # fmt: skip
    assert len(actions) == len(same)
    for line, (kind, told) in zip(actions, same, strict=True):
        assert list(line) == [kind]
        signed = {"url", "expirationTimestamp"}
        assert {name: line[kind][name] for name in line[kind].keys() - signed} == {
            name: told[name] for name in told.keys() - signed
        }
        assert line[kind]["expirationTimestamp"] > clock.now().timestamp() * 1000
    assert actions[0]["add"]["url"] == actions[1]["remove"]["url"]


def test_readers_of_a_delta_log_get_its_own_actions(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, OLD, NEW)
    answer = query(market.buyer, table, {"startingVersion": 1}, **DELTA)
    protocol, metadata, removed, added = lines(answer)
    assert answer.headers["Delta-Table-Version"] == "1"
    assert answer.headers["delta-sharing-capabilities"] == "responseformat=delta"
    assert protocol["protocol"]["deltaProtocol"]["minReaderVersion"] == 1
    assert (metadata["metaData"]["version"], "deltaMetadata" in metadata["metaData"]) == (1, True)
    at = moment(market, table, 1)
    for line, version, kind, own in (
        (removed, 0, "remove", {"deletionTimestamp": at, "extendedFileMetadata": True}),
        (added, 1, "add", {"modificationTime": at, "stats": '{"numRecords": 3}'}),
    ):
        file, told = line["file"], version_of(market, table, version, **DELTA)
        assert {name: file[name] for name in ("id", "size", "version", "timestamp")} == {
            "id": told["id"], "size": told["size"], "version": 1, "timestamp": at,
        }  # fmt: skip
        single = file["deltaSingleAction"]
        path = single[kind].pop("path")
        assert urlsplit(path).path == urlsplit(told["deltaSingleAction"]["add"]["path"]).path
        place = {"partitionValues": {}, "size": told["size"], "dataChange": True}
        assert single == {kind: place | own}


def test_a_release_of_the_same_content_does_nothing_and_its_file_keeps_its_id(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grant, table = published(market, monkeypatch, OLD, OLD, NEW)
    first, removed, added = (
        next(iter(line.items())) for line in lines(query(market.buyer, table, {"startingVersion": 0}))[2:]
    )
    assert [(kind, told["version"]) for kind, told in (first, removed, added)] == [
        ("add", 0),
        ("remove", 2),
        ("add", 2),
    ]
    assert removed[1]["id"] == first[1]["id"] != added[1]["id"]
    between = lines(query(market.buyer, table, {"startingVersion": 1, "endingVersion": 1}, **END))
    assert kinds(between) == ["protocol", "metaData", "endStreamAction"]
    assert between[2] == {"endStreamAction": {}}


def test_its_addresses_give_the_files_and_are_charged_once(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    grant_id, table = published(market, monkeypatch, OLD, NEW)
    added, removed, new = (
        next(iter(line.values())) for line in lines(query(market.buyer, table, {"startingVersion": 0}))[2:]
    )
    assert market.usage(grant_id) == (0, 0)
    for file, places in (
        (added, ["大通", "駅前", "円山"]),
        (removed, ["大通", "駅前", "円山"]),
        (new, ["駅前", "大通", "宮の森"]),
    ):
        data = fetched(market, file["url"])
        assert hashlib.sha256(data).hexdigest() == urlsplit(file["url"]).path.split("/")[-1].removesuffix(".parquet")
        assert len(data) == file["size"]
        assert [row["地点"] for row in pq.read_table(io.BytesIO(data)).to_pylist()] == places
    fetched(market, version_of(market, table, 1)["url"])
    assert market.usage(grant_id)[0] == added["size"] + new["size"]
    assert ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))["total_rows"] == 6


def test_pages_of_one_file_tell_what_one_answer_tells(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, OLD, NEW, OLD)
    with clock.stopped(clock.now()):
        whole = lines(query(market.buyer, table, {"startingVersion": 1}))
        pages, asked = [], {"startingVersion": 1, "maxFiles": 1}
        while asked:
            *answered, end = lines(query(market.buyer, table, asked))
            assert answered[:2] == whole[:2]
            pages.append(answered[2:])
            assert (
                end["endStreamAction"]["minUrlExpirationTimestamp"]
                == next(iter(answered[2].values()))["expirationTimestamp"]
            )
            token = end["endStreamAction"].get("nextPageToken")
            asked = asked | {"pageToken": token} if token else {}
    assert [len(page) for page in pages] == [1, 1, 1, 1]
    assert [line for page in pages for line in page] == whole[2:]
    assert kinds(whole[2:]) == ["remove", "add", "remove", "add"]


def token_of(market: Market, table: str) -> str:
    end = lines(query(market.buyer, table, {"startingVersion": 0, "maxFiles": 1}))[-1]["endStreamAction"]
    return str(end["nextPageToken"])


def test_a_page_is_asked_for_as_the_one_before_was(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, OLD, NEW)
    token, before = token_of(market, table), row_counts()
    other = table.removesuffix("人流_csv") + "other_csv"
    for where, body, word in (
        (table, {"startingVersion": 1}, "Query parameter mismatch"),
        (table, {"startingVersion": 0, "endingVersion": 1}, "Query parameter mismatch"),
        (table, {"startingVersion": 0, "limitHint": 3}, "Query parameter mismatch"),
        (table, {"version": 0}, "Invalid page token"),
        (table, {"startingVersion": 0, "pageToken": ""}, "Invalid page token"),
        (table, {"startingVersion": 0, "pageToken": token[:-9]}, "Invalid page token"),
        (table, {"startingVersion": 0, "pageToken": asking.refresh_token(0, table)}, "Invalid page token"),
        (table, {"startingVersion": 0, "pageToken": 1}, "pageToken must be a string"),
    ):
        refused(query(market.buyer, where, {"pageToken": token} | body), 400, "INVALID_PARAMETER_VALUE", word)
    refused(query(market.buyer, other, {"startingVersion": 0, "pageToken": token}), 404, "RESOURCE_DOES_NOT_EXIST")
    assert row_counts() == before


def test_a_page_token_is_good_for_one_table_its_versions_and_a_day() -> None:
    at = clock.now()
    versions = [SharedFile("grt_1", f"rel_{number}", at, f"file_{number}", NAME, is_open=True) for number in range(3)]
    since = asking.Since(0, None, "said", None)
    paged = replace(since, page_token=asking.page_token(since, "s.default.t", 1, 2, versions))
    assert asking.since(paged, "S.default.T", versions) == asking.since(paged, "s.default.t", versions[:2]) == (1, 2)
    for name, files, word in (
        ("s.default.t2", versions, "Invalid page token"),
        ("s.default.t", versions[1:], "Query parameter mismatch"),
        ("s.default.t", versions[:1], "Query parameter mismatch"),
    ):
        with pytest.raises(asking.NotAsAgreed, match=word):
            asking.since(paged, name, files)
    with (
        clock.stopped(at + asking.PAGED_WITHIN + timedelta(minutes=1)),
        pytest.raises(asking.NotAsAgreed, match="expired"),
    ):
        asking.since(paged, "s.default.t", versions)


def test_what_is_published_between_two_pages_is_left_to_the_next_query(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grant, table = published(market, monkeypatch, OLD, NEW)
    token = token_of(market, table)
    release(market, table, "x,1,\n", 2)
    body = {"startingVersion": 0, "pageToken": token}
    assert [next(iter(line.values()))["version"] for line in lines(query(market.buyer, table, body))[2:]] == [1, 1]
    assert len(lines(query(market.buyer, table, {"startingVersion": 0}))) == 7


def release(market: Market, table: str, rows: str, minutes: int, head: str = HEAD) -> None:
    """Publish a further release so many minutes from now, with its table made."""
    release_id = market.release(table.split("/")[3], f"{minutes}分後")["id"]
    ok(market.upload(release_id, NAME, (head + rows).encode()), 201)
    with clock.stopped(clock.now() + timedelta(minutes=minutes)):
        market.publish(release_id)
    jobs.run_pending(tabular.CONVERT_JOB)


def test_columns_that_changed_are_told_before_the_files_that_have_them(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grant, table = published(market, monkeypatch, OLD)
    profiling_as(monkeypatch, PROFILE | {"columns": [*PROFILE["columns"], {"name": "時", "type": "datetime", "format": "year-month-day clock", "min": "2026-11-22 09:00:00", "max": "2026-11-22 09:00:00"}]})  # fmt: skip
    release(market, table, "x,1,y,2026-11-22 09:00\n", 1, "地点,人数,備考,時\n")
    told = lines(query(market.buyer, table, {"startingVersion": 0}))
    assert kinds(told) == ["protocol", "metaData", "add", "metaData", "remove", "add"]
    assert (told[1]["metaData"]["version"], told[3]["metaData"]["version"]) == (0, 1)
    schemas = [json.loads(told[number]["metaData"]["schemaString"])["fields"] for number in (1, 3)]
    assert [[field["name"] for field in fields] for fields in schemas] == [
        ["地点", "人数", "備考"],
        ["地点", "人数", "備考", "時"],
    ]
    assert kinds(lines(query(market.buyer, table, {"startingVersion": 1}))) == ["protocol", "metaData", "remove", "add"]
    delta = lines(query(market.buyer, table, {"startingVersion": 0}, **DELTA))
    assert delta[0]["protocol"]["deltaProtocol"]["readerFeatures"] == ["timestampNtz"]


def test_what_the_protocol_does_not_allow_is_refused(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _grant, table = published(market, monkeypatch, OLD, NEW)
    before = row_counts()
    for body, word in (
        ({"startingVersion": 0, "version": 0}, "Please only provide one of"),
        ({"startingVersion": 0, "timestamp": "2026-01-01T00:00:00Z"}, "Please only provide one of"),
        ({"startingVersion": 0, "refreshToken": "x"}, "refreshToken"),
        ({"startingVersion": 0, "includeRefreshToken": True}, "includeRefreshToken"),
        ({"startingVersion": -1}, "startingVersion cannot be negative"),
        ({"startingVersion": "x3"}, "startingVersion must be a whole number"),
        ({"startingVersion": 0.5}, "startingVersion must be a whole number"),
        ({"startingVersion": 0, "endingVersion": -1}, "endingVersion cannot be negative"),
        ({"startingVersion": 0, "endingVersion": "x3"}, "endingVersion must be a whole number"),
        ({"startingVersion": 1, "endingVersion": 0}, "startingVersion(1) must be smaller than or equal to endingVersion(0)"),
        ({"startingVersion": 2}, "Start version cannot be greater than the latest version of the table(1)"),
        ({"startingVersion": 1, "endingVersion": 2}, "End version cannot be greater than the latest version of the table(1)"),
        ({"startingVersion": 0, "maxFiles": 0}, "maxFiles must be positive"),
    ):  # fmt: skip
        refused(query(market.buyer, table, body), 400, "INVALID_PARAMETER_VALUE", word)
    assert row_counts() == before
    ended = {"timestamp": clock.text(clock.now()), "endingVersion": 9}
    assert kinds(lines(query(market.buyer, table, ended))) == ["protocol", "metaData", "file"]


def test_only_what_the_grants_open_is_told(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    profiling_as(monkeypatch, PROFILE)
    goods = market.goods(NAME, (HEAD + OLD).encode())
    grant_id = str(market.bought(goods)["grant_id"])
    table = f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/人流_csv"
    release(market, table, NEW, 1)
    asked = {"startingVersion": 0}
    assert [next(iter(line.values())).get("version") for line in lines(query(market.buyer, table, asked))[1:]] == [0, 0]
    refused(query(market.buyer, table, {"startingVersion": 1}), 400, "INVALID_PARAMETER_VALUE", "of the table(0)")
    refused(query(market.stranger, table, asked), 404, "RESOURCE_DOES_NOT_EXIST")
    refused(query(market.nobody, table, asked), 401, "UNAUTHENTICATED")
    revoked(market, grant_id)
    before = row_counts()
    refused(query(market.buyer, table, asked), 403, "PERMISSION_DENIED", "revoked")
    assert row_counts() == before


def test_a_version_that_cannot_be_read_stops_nobody_who_asks_from_the_next_on(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grant, table = published(market, monkeypatch, OLD, NEW)
    sha256 = hashlib.sha256((HEAD + OLD).encode()).hexdigest()
    broken = "UPDATE conversion SET state = 'failed', sha256 = NULL, size_bytes = NULL, rows = NULL, columns = NULL, problem = :problem WHERE source_sha256 = :sha256"  # fmt: skip
    db.session.execute(db.text(broken), {"problem": json.dumps({"detail": "cut off"}), "sha256": sha256})
    db.session.commit()
    refused(query(market.buyer, table, {"startingVersion": 0}), 400, "INVALID_PARAMETER_VALUE", "Version 0: cut off")
    assert kinds(lines(query(market.buyer, table, {"startingVersion": 1}))) == ["protocol", "metaData", "add"]
    db.session.execute(db.text("DELETE FROM conversion WHERE source_sha256 = :sha256"), {"sha256": sha256})
    db.session.commit()
    refused(query(market.buyer, table, {"startingVersion": 1}), 503, "TEMPORARILY_UNAVAILABLE", "Retry-After")
    assert jobs.run_pending(tabular.CONVERT_JOB) == 1
    assert kinds(lines(query(market.buyer, table, {"startingVersion": 1}))) == ["protocol", "metaData", "remove", "add"]
