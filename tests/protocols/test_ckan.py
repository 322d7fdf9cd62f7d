"""CKAN's Action API on the wire: the seventeen actions, their errors, and rows charged once."""

import json
from typing import Any

import pytest

from marketplace.exchange import browsing, facilities, listing, tabular
from marketplace.kit import jobs
from tests.api.trade import Goods, Market, Party, ok, row_counts
from tests.protocols.test_delta_sharing import CSV, NAME, PROFILE, profiling_as

AT = "/api/3/action"
ACTIONS = (
    "site_read", "status_show", "package_list", "package_show", "package_search", "current_package_list_with_resources",
    "resource_show", "organization_list", "organization_show", "group_list", "group_show", "tag_list", "license_list",
    "datastore_search", "datastore_info", "resource_view_list", "help_show",
)  # fmt: skip


@pytest.fixture
def goods(market: Market, monkeypatch: pytest.MonkeyPatch) -> Goods:
    profiling_as(monkeypatch, PROFILE | {"complete": True})
    made = market.goods(NAME, CSV, keywords=["人流", "歩行者"], licence_hint="CC-BY-4.0")
    index()
    return made


@pytest.fixture
def grant_id(market: Market, goods: Goods) -> str:
    grant = str(market.bought(goods, "per_mib")["grant_id"])
    jobs.run_pending(tabular.CONVERT_JOB)
    return grant


def index() -> None:
    """Have the search index hold what is listed in this test, and nothing else."""
    listing.rebuild_index()
    browsing._places.__init__()  # type: ignore[misc] # where pages of another test ended


def act(who: Party, action: str, **asked: Any) -> Any:
    answer = who.call("POST", f"{AT}/{action}", json=asked)
    assert answer.status_code == 200, answer.text
    document = json.loads(answer.data)
    assert (document["success"], set(document)) == (True, {"help", "success", "result"})
    assert document["help"].endswith(f"/api/3/action/help_show?name={action}")
    return document["result"]


def refused(answer: Any, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    document = json.loads(answer.data)
    assert (document["success"], document["error"]["__type"]) == (False, kind)
    return dict(document["error"])


def resource_of(market: Market, goods: Goods) -> str:
    return str(act(market.nobody, "package_show", id=goods.dataset_id)["resources"][0]["id"])


def raw(who: Party, *fields: str) -> dict[str, str]:
    return dict.fromkeys(fields or ("Authorization",), str(who.token))


def read(market: Market, resource_id: str, who: Party | None = None, **asked: Any) -> Any:
    who = who or market.buyer
    return market.nobody.call(
        "POST", f"{AT}/datastore_search", json={"resource_id": resource_id} | asked, headers=raw(who)
    )


def test_the_interface_says_which_it_is_and_helps_with_each_action(market: Market) -> None:
    assert ok(market.nobody.get("/api/3")) == {"version": 3}
    for action in ACTIONS:
        assert act(market.nobody, "help_show", name=action)
    refused(market.nobody.get(f"{AT}/help_show?name=package_create"), 404, "Not Found Error")
    assert act(market.nobody, "site_read") is True
    assert act(market.nobody, "status_show")["extensions"] == ["datastore"]
    assert "CC-BY-4.0" in [one["id"] for one in act(market.nobody, "license_list")]


def test_a_dataset_is_a_package_with_its_files(market: Market, goods: Goods) -> None:
    package = act(market.nobody, "package_show", id=goods.dataset_id)
    assert (package["id"], package["name"], package["title"]) == (goods.dataset_id, goods.dataset_id, "大通地区の人流")
    assert package["title_translated"] == {"ja": "大通地区の人流", "en": "Footfall in Odori"}
    assert [tag["name"] for tag in package["tags"]] == ["人流", "歩行者"]
    assert [group["name"] for group in package["groups"]] == ["transport_tourism"]
    assert (package["license_id"], package["isopen"]) == ("CC-BY-4.0", True)
    assert package["organization"]["id"] == package["owner_org"] == market.provider.organization_id
    [resource] = package["resources"]
    assert (resource["name"], resource["format"], resource["datastore_active"]) == (NAME, "CSV", True)
    assert resource["size"] == len(CSV)
    assert act(market.nobody, "resource_show", id=resource["id"]) == resource
    assert act(market.nobody, "resource_view_list", id=resource["id"]) == []
    info = act(market.nobody, "datastore_info", id=resource["id"])
    assert [field["type"] for field in info["fields"]] == ["timestamp", "text", "int8"]
    assert info["meta"]["count"] == 2


def test_parameters_come_by_get_by_form_and_as_json_that_says_so_or_not(market: Market, goods: Goods) -> None:
    asked, who = {"id": goods.dataset_id, "include_private": True}, market.nobody
    by_json = who.call("POST", "/api/action/package_show", json=asked)
    by_get = who.get(f"{AT}/package_show", query_string=asked)
    by_form = who.call("POST", f"{AT}/package_show", data=asked)
    unsaid = who.call(
        "POST", f"{AT}/package_show", data=json.dumps(asked),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    bodies = [json.loads(one.data)["result"] for one in (by_json, by_get, by_form, unsaid)]
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("package_create", b"{}", "Bad request - Action name not known: package_create"),
        ("package_show", b"{", "JSON Error: Error decoding JSON data."),
        ("package_show", b"[" * 100_000, "JSON Error: Error decoding JSON data."),
        ("package_show", b"[]", "not a dictionary"),
    ],
)
def test_what_is_no_call_is_answered_with_a_bare_text(market: Market, path: str, body: bytes, said: str) -> None:
    answer = market.nobody.send("POST", f"{AT}/{path}", body)
    assert answer.status_code == 400
    assert said in json.loads(answer.data)


def test_what_is_not_there_or_lacks_a_parameter_is_refused_as_ckan_does(market: Market, goods: Goods) -> None:
    nothing = ("package_show", "resource_show", "organization_show", "group_show", "datastore_info")
    draft = market.dataset()["id"]
    for action in nothing:
        for identifier in ("nothing", draft, "rel_" + "0" * 32 + "-" + "0" * 16, "\ud800", f"{goods.dataset_id}-0"):
            refused(market.nobody.call("POST", f"{AT}/{action}", json={"id": identifier}), 404, "Not Found Error")
        fault = refused(market.nobody.call("POST", f"{AT}/{action}", json={}), 409, "Validation Error")
        assert fault["id"] == ["Missing value"]
    for asked in ({"rows": "x"}, {"start": -1}, {"rows": 2.5}, {"fq": {}}, {"facet": "maybe"}, {"start": 10**9}):
        fault = refused(market.nobody.call("POST", f"{AT}/package_search", json=asked), 409, "Validation Error")
        assert next(iter(asked)) in fault


def test_a_search_filters_sorts_and_counts(market: Market, goods: Goods) -> None:
    other = market.goods("b.csv", b"a,b\n1,2\n", title_ja="公園の一覧", themes=["housing_land"], keywords=["公園"])
    index()
    mine, org = {goods.dataset_id, other.dataset_id}, market.provider.organization_id

    def ids(**asked: Any) -> list[str]:
        found = act(market.nobody, "package_search", **asked)
        assert found["count"] >= len(found["results"])
        return [one["id"] for one in found["results"]]

    assert ids(sort="id asc") == sorted(mine)
    assert ids(sort="id desc", q="*:*") == sorted(mine, reverse=True)
    assert ids(sort="id asc", rows=1, start=1) == [max(mine)]
    assert ids(rows=0) == []
    assert ids(q="公園") == [other.dataset_id]
    assert ids(fq=f"organization:{org}", sort="id asc") == sorted(mine)
    assert ids(fq=f"-organization:{org}") == []
    assert ids(fq="organization:nobody") == []
    assert ids(fq="groups:housing_land") == ids(fq='-groups:"transport_tourism"') == [other.dataset_id]
    assert ids(fq="groups:(housing_land OR transport_tourism)", sort="id asc") == sorted(mine)
    assert ids(fq=f"organization:{org} OR organization:x +groups:housing_land") == [other.dataset_id]
    assert ids(fq="tags:人流") == ids(fq_list=["tags:人流", "tags:歩行者"]) == [goods.dataset_id]
    assert ids(fq="tags:人流 AND tags:公園") == []
    assert ids(fq="metadata_modified:[2020-01-01T00:00:00Z TO *]", sort="id asc") == sorted(mine)
    assert ids(fq="metadata_modified:[2999-01-01T00:00:00Z TO *]") == []
    assert ids(fq=f"organization:{org} metadata_modified:[* TO 2001-01-01T00:00:00Z]") == []
    counted = act(market.nobody, "package_search", **{"facet.field": '["groups", "organization"]', "rows": 0})
    assert counted["facets"]["groups"] == {"housing_land": 1, "transport_tourism": 1}
    assert counted["facets"]["organization"] == {org: 2}
    assert counted["search_facets"]["organization"]["items"][0]["count"] == 2


@pytest.mark.parametrize(
    "asked",
    [
        {"fq": "title:x"}, {"fq": "organization:"}, {"fq": "organization:(a AND b)"}, {"fq": "-tags:a"},
        {"fq": "organization:a OR groups:b"}, {"fq": "metadata_modified:2020"}, {"fq": "metadata_modified:[a TO *]"},
        {"fq": "organization:[a TO b]"}, {"sort": "popularity desc"}, {"sort": "id sideways"}, {"fq": "(" * 200},
        {"fq": "organization:a " * 201}, {"fq": "x" * 10_001}, {"fq": "organization:()"},
    ],
)  # fmt: skip
def test_a_search_that_is_not_understood_says_so(market: Market, asked: dict[str, str]) -> None:
    refused(market.nobody.call("POST", f"{AT}/package_search", json=asked), 400, "Search Query Error")


def test_lists_are_cut_and_whole(market: Market, goods: Goods) -> None:
    assert act(market.nobody, "package_list") == [goods.dataset_id]
    assert act(market.nobody, "package_list", limit=1, offset=1) == []
    assert [one["id"] for one in act(market.nobody, "current_package_list_with_resources")] == [goods.dataset_id]
    org = market.provider.organization_id
    assert act(market.nobody, "organization_list") == [org]
    assert act(market.nobody, "organization_list", all_fields=True)[0]["package_count"] == 1
    shown = act(market.nobody, "organization_show", id=org, include_datasets=True)
    assert [one["id"] for one in shown["packages"]] == [goods.dataset_id]
    assert act(market.nobody, "group_list") == ["transport_tourism"]
    assert act(market.nobody, "group_show", id="transport_tourism")["title"] == "運輸・観光"
    assert act(market.nobody, "tag_list") == ["人流", "歩行者"]
    assert act(market.nobody, "tag_list", query="歩", all_fields=True)[0]["name"] == "歩行者"


def test_an_imported_record_keeps_its_resources_and_what_else_it_said(market: Market) -> None:
    package = {
        "id": "p1", "name": "hinanjo", "title": "避難所", "extras": [{"key": "座標系", "value": "世界測地系"}, {"key": "frequency", "value": "年1回"}],
        "resources": [{"id": "r1", "name": "一覧", "url": "https://city.example.jp/a.csv", "format": "CSV"}],
    }  # fmt: skip
    dataset_id = ok(market.provider.post("/v1/datasets/import", {"package": package}), 201)["id"]
    index()
    shown = act(market.nobody, "package_show", id=dataset_id)
    assert shown["resources"][0]["url"] == "https://city.example.jp/a.csv"
    assert {"key": "座標系", "value": "世界測地系"} in shown["extras"]
    assert {"key": "source_name", "value": "hinanjo"} in shown["extras"]
    assert {"key": "source_frequency", "value": "年1回"} in shown["extras"]
    keys = [one["key"] for one in shown["extras"]]
    assert len(keys) == len(set(keys))
    assert {"caddec_provider_id", "identifier", "access_rights"} <= set(keys)
    resource = act(market.nobody, "resource_show", id=shown["resources"][0]["id"])
    assert (resource["source_id"], resource["package_id"]) == ("r1", dataset_id)


def test_rows_are_read_under_a_grant_and_charged_once(market: Market, goods: Goods, grant_id: str) -> None:
    resource_id = resource_of(market, goods)
    before = market.usage(grant_id)
    found = json.loads(read(market, resource_id, filters={"地点": "駅前"}, fields="人数,地点").data)["result"]
    assert found["records"] == [{"人数": 456, "地点": "駅前"}]
    assert (found["total"], found["total_was_estimated"]) == (1, False)
    assert [field["id"] for field in found["fields"]] == ["人数", "地点"]
    charged = market.usage(grant_id)
    assert charged[0] > before[0]
    again = read(market, resource_id, filters={"地点": "駅前"}, fields="人数,地点")
    assert json.loads(again.data)["result"] == found
    assert market.usage(grant_id)[0] == charged[0] == len(again.data) + before[0]


def test_pages_of_rows_follow_offsets_and_orders(market: Market, goods: Goods, grant_id: str) -> None:
    resource_id = resource_of(market, goods)

    def people(**asked: Any) -> list[int]:
        return [row["人数"] for row in json.loads(read(market, resource_id, **asked).data)["result"]["records"]]

    assert people(limit=1) == people(offset=0, limit=1) == [123]
    assert people(limit=1, offset=1) == people(sort="人数 desc", limit=1) == [456]
    assert people(sort="人数 desc", limit=1, offset=1) == [123]
    assert people(filters={"人数": [123, "456"]}, offset=1) == people(filters={"人数": "456"}) == [456]
    assert people(offset=5) == []
    first = json.loads(read(market, resource_id, limit=1, filters={"地点": ["大通", "駅前"]}).data)["result"]
    assert (first["total"], first["total_was_estimated"]) == (2, True)
    by_get = market.nobody.get(first["_links"]["next"], headers=raw(market.buyer, "X-CKAN-API-Key"))
    assert [row["人数"] for row in json.loads(by_get.data)["result"]["records"]] == [456]


def test_the_fields_alone_cost_nothing(market: Market, goods: Goods, grant_id: str) -> None:
    resource_id, before = resource_of(market, goods), row_counts()
    found = json.loads(read(market, resource_id, limit=0).data)["result"]
    assert (found["records"], found["total"], len(found["fields"])) == ([], 2, 3)
    assert row_counts() == before


def test_rows_without_a_grant_are_refused_and_nothing_changes(market: Market, goods: Goods, grant_id: str) -> None:
    resource_id, unscoped = resource_of(market, goods), market.buyer.with_scopes("grants:read")
    before = row_counts()
    refused(read(market, resource_id, market.stranger), 403, "Authorization Error")
    refused(read(market, resource_id, unscoped), 403, "Authorization Error")
    refused(market.nobody.get(f"{AT}/datastore_search?resource_id={resource_id}"), 403, "Authorization Error")
    forged = market.nobody.get(f"{AT}/datastore_search?resource_id=x", headers={"Authorization": "forged"})
    refused(forged, 403, "Authorization Error")
    two = {"Authorization": str(market.buyer.token), "X-CKAN-API-Key": "another"}
    assert market.nobody.get(f"{AT}/datastore_search?resource_id=x", headers=two).status_code == 400
    refused(read(market, "rel_" + "0" * 32 + "-" + "0" * 16), 404, "Not Found Error")
    for asked in (
        {"filters": {"ない": 1}},
        {"filters": {"人数": "x"}},
        {"q": "x"},
        {"distinct": True},
        {"sort": "x asc"},
    ):
        refused(read(market, resource_id, **asked), 409, "Validation Error")
    assert row_counts() == before


def test_a_withdrawn_dataset_is_not_there_and_its_rows_still_are(market: Market, goods: Goods, grant_id: str) -> None:
    resource_id = resource_of(market, goods)
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))
    index()
    refused(market.nobody.get(f"{AT}/package_show?id={goods.dataset_id}"), 404, "Not Found Error")
    refused(market.nobody.get(f"{AT}/resource_show?id={resource_id}"), 404, "Not Found Error")
    refused(read(market, resource_id, market.stranger), 404, "Not Found Error")
    assert act(market.nobody, "package_list") == []
    assert read(market, resource_id).status_code == 200


def test_many_pages_are_walked_by_the_places_where_the_ones_before_ended(
    market: Market, goods: Goods, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        market.goods(f"{number}.csv", b"a\n1\n", title_ja=f"公園 {number}")
    index()
    monkeypatch.setattr(browsing, "STEP", 2)
    whole = [one["id"] for one in act(market.nobody, "package_search", q="公園", rows=100)["results"]]
    assert len(whole) == 5
    for size in (1, 2, 3):
        pages = [act(market.nobody, "package_search", q="公園", rows=size, start=at) for at in range(0, 6, size)]
        assert [one["id"] for page in pages for one in page["results"]] == whole
    asked: list[int] = []
    search = facilities.current().index.search
    monkeypatch.setattr(
        facilities.current().index.__class__, "search",
        lambda _self, *given, **more: asked.append(more["size"]) or search(*given, **more),
    )  # fmt: skip
    act(market.nobody, "package_search", q="公園", rows=1, start=4)
    assert sum(asked) <= 3
    browsing._places.__init__()  # type: ignore[misc]
    last = act(market.nobody, "package_search", q="公園", rows=1, start=4)
    assert [one["id"] for one in last["results"]] == whole[4:]
