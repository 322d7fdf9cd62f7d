"""Lists: pages to the end without loss and without duplicates, sizes within bounds, cursors of ours alone."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.trade import DATASET, Goods, Market, Party, ok, pages_of, put_file, refused

COUNT = 7


def _datasets(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    return market.provider, {}, {market.dataset(title_ja=f"資料{n}")["id"] for n in range(COUNT)}


def _releases(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    dataset_id = market.dataset()["id"]
    market.release(market.dataset()["id"])
    return (
        market.provider,
        {"dataset_id": dataset_id},
        {market.release(dataset_id, f"v{n}")["id"] for n in range(COUNT)},
    )


def _terms(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    ok(market.rival.post("/v1/terms", {"template": "research"}), 201)
    bodies = [{"template": "research", "items": {"notices": f"第{n}号"}} for n in range(COUNT)]
    return market.provider, {}, {ok(market.provider.post("/v1/terms", body), 201)["id"] for body in bodies}


def _offers(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    goods = market.goods()
    market.offer(market.goods().dataset_id)
    made = {market.offer(goods.dataset_id, "one_off", duration_days=n + 1)["id"] for n in range(COUNT)}
    return market.nobody, {"dataset_id": goods.dataset_id}, made


def _orders(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    offer = market.offer(market.goods().dataset_id)
    ok(market.order(offer, market.stranger), 201)
    return market.buyer, {}, {ok(market.order(offer), 201)["id"] for _ in range(COUNT)}


def _grants(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    offer = market.offer(market.goods().dataset_id)
    ok(market.order(offer, market.stranger), 201)
    return market.buyer, {}, {ok(market.order(offer), 201)["grant_id"] for _ in range(COUNT)}


def _invoices(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    goods = market.goods()
    return market.buyer, {}, {market.bought(goods, "one_off", duration_days=n + 1)["invoice_id"] for n in range(3)}


def _clients(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    made = {ok(market.buyer.post("/v1/clients", {"name": f"端末{n}"}), 201)["id"] for n in range(COUNT)}
    return market.buyer, {}, made | {market.buyer.client_id}


def _members(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    path = "/v1/organizations/me/members"
    made = {ok(market.buyer.post(path, {"name": f"佐藤{n}", "role": "finance"}), 201)["id"] for n in range(COUNT)}
    ok(market.rival.post(path, {"name": "他社", "role": "owner"}), 201)
    return market.buyer, {}, made


def _organizations(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    parties = (market.provider, market.rival, market.buyer, market.stranger, market.operator, market.auditor)
    return market.auditor, {}, {party.organization_id for party in parties}


def _transactions(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    _invoices(market)
    everything = ok(market.auditor.get("/v1/ledger/transactions", query_string={"size": 100}))["items"]
    return market.auditor, {}, {entry["id"] for entry in everything}


def _entries(market: Market) -> tuple[Party, dict[str, Any], set[str]]:
    _datasets(market)
    query = {"verb": "catalog.dataset.registered", "size": 100}
    return (
        market.auditor,
        query,
        {entry["id"] for entry in ok(market.auditor.get("/v1/audit/entries", query_string=query))["items"]},
    )


LISTS: dict[str, tuple[str, Callable[[Market], tuple[Party, dict[str, Any], set[str]]]]] = {
    "datasets": ("/v1/datasets", _datasets),
    "releases": ("/v1/datasets/{dataset_id}/releases", _releases),
    "terms": ("/v1/terms", _terms),
    "offers": ("/v1/offers", _offers),
    "orders": ("/v1/orders", _orders),
    "grants": ("/v1/grants", _grants),
    "invoices": ("/v1/invoices", _invoices),
    "clients": ("/v1/clients", _clients),
    "members": ("/v1/organizations/me/members", _members),
    "organizations": ("/v1/organizations", _organizations),
    "transactions": ("/v1/ledger/transactions", _transactions),
    "entries": ("/v1/audit/entries", _entries),
}
FOREIGN = [
    base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
    for key in ([], [1], [None], [1.5], [{}], ["a\0"], ["a", "b", "c", "d"], "text", {"a": 1}, [True, True], ["0001-01-01T00:00:00+09:00", 5],
                [10**30], [-1, 2, 3], ["2026-11-22T00:00:00Z", "\ud800"])
]  # fmt: skip
GARBAGE = ["x", "====", "あ", "AAAA", "W10", "' OR 1=1", "%00", "x" * 501, "bnVsbA"]


@pytest.fixture(params=sorted(LISTS))
def listed(request: pytest.FixtureRequest, market: Market):
    path, make = LISTS[request.param]
    who, query, ids = make(market)
    return who, path.format(**query), {name: value for name, value in query.items() if f"{{{name}}}" not in path}, ids


def test_pages_lead_to_the_end_without_loss_or_duplicates(listed) -> None:
    who, path, query, ids = listed
    for size in (1, 2, len(ids), len(ids) + 1):
        found = [item["id"] for item in pages_of(who, path, **query | {"size": size})]
        assert len(found) == len(set(found)), f"size {size}: something came twice"
        assert set(found) == ids, f"size {size}"
        assert found == sorted(found, reverse=True), "newest first"


def test_sizes_are_1_to_100(listed) -> None:
    who, path, query, _ids = listed
    for size in ("0", "-1", "101", "1000000000", "1.5", "many", "", "9" * 5000, "NaN"):
        refused(who.get(path, query_string=query | {"size": size}), 422, "invalid-input", "/size")
    for size in ("1", "100"):
        ok(who.get(path, query_string=query | {"size": size}))


def test_a_cursor_that_we_did_not_write_is_refused_or_harmless(listed) -> None:
    who, path, query, _ids = listed
    for cursor in [*FOREIGN, *GARBAGE]:
        answer = who.get(path, query_string=query | {"cursor": cursor})
        assert answer.status_code in {200, 422}, (cursor, answer.text[:300])
        if answer.status_code == 422:
            refused(answer, 422, "invalid-input", "/cursor")
    refused(who.get(path, query_string=query | {"cursor": "x" * 501}), 422, "invalid-input", "/cursor")


def test_unknown_parameters_are_refused(listed) -> None:
    who, path, query, _ids = listed
    refused(
        who.get(path, query_string=query | {"sort": "price", "organization": "x"}),
        422,
        "invalid-input",
        "/sort",
        "/organization",
    )


def test_what_is_added_while_somebody_reads_disturbs_no_page(market: Market) -> None:
    _who, _query, ids = _datasets(market)
    first = ok(market.provider.get("/v1/datasets", query_string={"size": 3}))
    ok(market.provider.post("/v1/datasets", DATASET), 201)
    rest = pages_of(market.provider, "/v1/datasets", 100, cursor=first["next_cursor"])
    assert {item["id"] for item in first["items"] + rest} == ids


def test_one_party_pages_through_its_own_and_overseers_through_all(market: Market) -> None:
    _who, _query, mine = _orders(market)
    assert {item["id"] for item in pages_of(market.provider, "/v1/orders", 3)} > mine
    assert len(pages_of(market.stranger, "/v1/orders", 3)) == 1
    assert not pages_of(market.rival, "/v1/orders", 3)
    assert len(pages_of(market.auditor, "/v1/orders", 3)) == COUNT + 1


def test_usage_pages_lead_to_the_end(market: Market, goods: Goods) -> None:
    offer = market.offer(goods.dataset_id)
    grants = {ok(market.order(offer), 201)["grant_id"] for _ in range(5)}
    for grant_id in grants:
        assert market.fetch(grant_id).status_code == 200
    for size in (1, 2, 5):
        lines = pages_of(market.buyer, "/v1/usage", size)
        assert sorted(line["grant_id"] for line in lines) == sorted(grants)


LONGEST = "あ" * 83 + ".csv"
NAMES = [LONGEST, "b.csv", "a.csv", "人流.csv", "c d.csv", "い" * 83 + ".csv"]


@pytest.fixture
def many(market: Market) -> Goods:
    """A public release with several files, beside others of the same dataset and of another."""
    market.goods("other.csv")
    goods = market.goods("earlier.csv")
    release_id = market.release(goods.dataset_id, "many")["id"]
    for name in NAMES:
        ok(market.upload(release_id, name, name.encode()), 201)
    market.publish(release_id)
    return Goods(goods.dataset_id, release_id, LONGEST, LONGEST.encode())


def test_anybody_pages_through_all_files_of_a_public_release_by_name(market: Market, many: Goods) -> None:
    path = f"/v1/catalog/{many.dataset_id}/releases/{many.release_id}/files"
    (shown, _earlier) = ok(market.nobody.get(f"/v1/catalog/{many.dataset_id}"))["releases"]
    for size in (1, 2, len(NAMES), 100):
        assert pages_of(market.nobody, path, size) == shown["files"]
    assert sorted(file["name"] for file in shown["files"]) == sorted(NAMES)


def test_a_file_list_takes_cursors_and_sizes_as_all_lists_do(market: Market, many: Goods) -> None:
    path = f"/v1/catalog/{many.dataset_id}/releases/{many.release_id}/files"
    for cursor in [*FOREIGN, *GARBAGE]:
        answer = market.nobody.get(path, query_string={"cursor": cursor})
        assert answer.status_code in {200, 422}, (cursor, answer.text[:300])
    refused(market.nobody.get(path, query_string={"size": "101"}), 422, "invalid-input", "/size")
    refused(market.nobody.get(path, query_string={"sort": "size"}), 422, "invalid-input", "/sort")


def test_files_of_what_is_not_public_are_listed_to_nobody(market: Market, many: Goods) -> None:
    draft = market.release(many.dataset_id, "draft")["id"]
    ok(market.upload(draft, "secret.csv"), 201)
    other = market.goods()
    for dataset_id, release_id in (
        (many.dataset_id, draft),
        (many.dataset_id, other.release_id),
        (other.dataset_id, many.release_id),
        ("ds_1", many.release_id),
    ):
        path = f"/v1/catalog/{dataset_id}/releases/{release_id}/files"
        for who in (market.nobody, market.provider, market.buyer):
            refused(who.get(path), 404, "not-found")
    path = f"/v1/catalog/{many.dataset_id}/releases/{many.release_id}/files"
    ok(market.provider.post(f"/v1/releases/{many.release_id}/withdraw"))
    refused(market.nobody.get(path), 404, "not-found")
    ok(market.provider.post(f"/v1/datasets/{other.dataset_id}/withdraw"))
    refused(market.nobody.get(f"/v1/catalog/{other.dataset_id}/releases/{other.release_id}/files"), 404, "not-found")


def test_files_of_a_release_come_in_order_of_name(market: Market) -> None:
    release_id = market.release(market.dataset()["id"])["id"]
    for name in ("b.csv", "a.csv", "人流.csv"):
        ok(put_file(market.provider, release_id, name, b"a\n1\n"), 201)
    files = ok(market.provider.get(f"/v1/releases/{release_id}"))["files"]
    assert [file["name"] for file in files] == ["a.csv", "b.csv", "人流.csv"]
