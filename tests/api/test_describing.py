"""Datasets, releases, terms and offers on the wire, and the public catalogue that they make up."""

from urllib.parse import quote

import pytest

from marketplace.kit import jobs
from tests.api.trade import DATASET, PRICES, Goods, Market, ok, order_of, refused, row_counts


def test_a_new_dataset_says_where_it_is_and_at_which_version(market: Market) -> None:
    answer = market.provider.post("/v1/datasets", DATASET | {"keywords": ["人流"], "licence_hint": None})
    made = ok(answer, 201)
    assert answer.headers["Location"] == f"/v1/datasets/{made['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert (made["state"], made["version"], made["organization_id"]) == ("draft", 1, market.provider.organization_id)
    assert {name: made[name] for name in DATASET} == DATASET
    read = market.provider.get(answer.headers["Location"])
    assert (read.json, read.headers["ETag"]) == (made, '"1"')


@pytest.mark.parametrize("field", sorted(DATASET))
def test_every_needed_field_is_asked_for(market: Market, field: str) -> None:
    draft = {name: value for name, value in DATASET.items() if name != field}
    before = row_counts()
    refused(market.provider.post("/v1/datasets", draft), 422, "invalid-input", f"/{field}")
    assert row_counts() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [("region", "011003"), ("region", "01100２"), ("language", "Japanese"), ("themes", ["labour"] * 2), ("themes", []), ("themes", "labour"), ("update_frequency", "SOMETIMES"),
     ("contact_url", "javascript:alert(1)"), ("contact_url", "http://user:pw@example.jp"), ("contact_email", "no address"),
     ("assessment_url", "javascript:alert(1)"), ("assessment_url", "pia.pdf"),
     ("keywords", ["a", "a"]), ("keywords", "人流"), ("title_ja", "x" * 301), ("title_ja", ["x"]), ("licence_hint", "WTFPL")],
)  # fmt: skip
def test_a_value_that_breaks_a_rule_is_pointed_at(market: Market, field: str, value) -> None:
    before = row_counts()
    refused(market.provider.post("/v1/datasets", DATASET | {field: value}), 422, "invalid-input", f"/{field}")
    assert row_counts() == before


def test_a_change_names_the_version_that_it_changes(market: Market) -> None:
    made = market.dataset()
    path = f"/v1/datasets/{made['id']}"
    change = {"title_en": "Footfall, revised"}
    before = row_counts()
    refused(market.provider.call("PATCH", path, json=change), 428, "version-missing")
    for stale in ('"2"', '"0"', "*", 'W/"1"', '"1", "2"', "1", "x", '"' + "9" * 400 + '"', '"１"'):
        answer = market.provider.call(
            "PATCH", path, json=change, headers={"If-Match": stale.encode().decode("latin-1")}
        )
        assert refused(answer, 412, "version-stale")["version"] == 1, stale
    assert row_counts() == before
    answer = market.provider.call("PATCH", path, json=change, headers={"If-Match": '"1"'})
    changed = ok(answer)
    assert (changed["title_en"], changed["version"], answer.headers["ETag"]) == ("Footfall, revised", 2, '"2"')
    assert {**changed, "title_en": "", "version": 0, "updated_at": ""} == {
        **made,
        "title_en": "",
        "version": 0,
        "updated_at": "",
    }
    refused(market.provider.call("PATCH", path, json=change, headers={"If-Match": '"1"'}), 412, "version-stale")


def test_a_contact_can_be_taken_back(market: Market) -> None:
    made = market.dataset(contact_name="担当課", contact_url="https://example.jp", contact_email="ict@example.jp")
    empty = {"contact_name": "", "contact_url": "", "contact_email": ""}
    changed = market.provider.call("PATCH", f"/v1/datasets/{made['id']}", json=empty, headers={"If-Match": '"1"'})
    assert {name: ok(changed)[name] for name in empty} == empty


def test_a_provider_says_where_the_impact_assessment_lies(market: Market) -> None:
    made = market.dataset()
    assert made["assessment_url"] == ""
    path, address = f"/v1/datasets/{made['id']}", {"assessment_url": "https://www.city.sapporo.jp/pia/1.pdf"}
    ok(market.provider.call("PATCH", path, json=address, headers={"If-Match": '"1"'}))
    assert ok(market.provider.get(path))["assessment_url"] == address["assessment_url"]


def test_a_withdrawn_dataset_is_changed_no_more(market: Market) -> None:
    made = market.dataset()
    path = f"/v1/datasets/{made['id']}"
    assert ok(market.provider.post(f"{path}/withdraw"))["state"] == "withdrawn"
    before = row_counts()
    refused(market.provider.post(f"{path}/withdraw"), 409, "dataset-withdrawn")
    refused(market.provider.post(f"{path}/releases", {"label": "x"}), 409, "dataset-withdrawn")
    refused(
        market.provider.call("PATCH", path, json={"title_en": "x"}, headers={"If-Match": '"2"'}),
        409,
        "dataset-withdrawn",
    )
    assert row_counts() == before


def test_a_release_is_opened_filled_published_and_sealed(market: Market) -> None:
    dataset_id = market.dataset()["id"]
    answer = market.provider.post(f"/v1/datasets/{dataset_id}/releases", {"label": "2026-11", "notes": "初版"})
    release = ok(answer, 201)
    assert answer.headers["Location"] == f"/v1/releases/{release['id']}"
    assert (release["state"], release["published_at"]) == ("draft", None)
    before = row_counts()
    taken = refused(
        market.provider.post(f"/v1/datasets/{dataset_id}/releases", {"label": "2026-11"}), 409, "release-label-taken"
    )
    assert taken["release_id"] == release["id"]
    path = f"/v1/releases/{release['id']}"
    refused(market.provider.post(f"{path}/publish"), 409, "release-empty")
    assert row_counts() == before
    ok(market.upload(release["id"]), 201)
    assert refused(market.provider.post(f"{path}/publish"), 409, "profile-pending")["files"] == ["人流.csv"]
    assert market.publish(release["id"])["state"] == "published"
    refused(market.provider.post(f"{path}/publish"), 409, "release-sealed")
    assert ok(market.provider.post(f"{path}/withdraw"))["state"] == "withdrawn"
    refused(market.provider.post(f"{path}/withdraw"), 409, "release-withdrawn")


def test_a_draft_is_seen_by_its_owner_and_overseers_alone(market: Market) -> None:
    release_id = market.release(market.dataset()["id"])["id"]
    for who in (market.provider, market.operator, market.auditor):
        assert ok(who.get(f"/v1/releases/{release_id}"))["files"] == []
    refused(market.rival.get(f"/v1/releases/{release_id}"), 404, "not-found")
    refused(market.buyer.get(f"/v1/releases/{release_id}"), 403, "insufficient-scope")


def test_the_catalogue_is_open_to_everybody(market: Market, goods: Goods) -> None:
    offer = market.offer(goods.dataset_id, "one_off")
    jobs.run_pending("catalog.index")
    for words in ("人流", "じんりゅう", "FOOTFALL", "ｆｏｏｔｆａｌｌ", ""):
        found = ok(market.nobody.get("/v1/catalog", query_string={"q": words, "size": 100}))
        if words != "じんりゅう":
            assert goods.dataset_id in {item["id"] for item in found["items"]}, words
    listed = ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))
    assert listed["title_ja"] == DATASET["title_ja"]
    assert offer["id"] in str(listed["offers"])
    for path in (
        f"/v1/offers/{offer['id']}",
        f"/v1/terms/{offer['terms_id']}",
        "/v1/terms/templates",
        "/v1/health",
        "/v1/ready",
    ):
        ok(market.nobody.get(path))


def test_the_catalogue_shows_no_draft_and_nothing_withdrawn(market: Market, goods: Goods) -> None:
    draft = market.dataset()["id"]
    refused(market.nobody.get(f"/v1/catalog/{draft}"), 404, "not-found")
    ok(market.provider.post(f"/v1/releases/{goods.release_id}/withdraw"))
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))
    jobs.run_pending("catalog.index")
    refused(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"), 404, "not-found")
    found = ok(market.nobody.get("/v1/catalog", query_string={"q": "人流", "size": 100}))
    assert not {draft, goods.dataset_id} & {item["id"] for item in found["items"]}


@pytest.mark.parametrize(
    "words",
    [
        "\u202e",
        "'; DROP TABLE dataset; --",
        "title:*",
        "((((",
        "AND OR NOT",
        "💴" * 100,
        "~" * 1000,
        "\n",
        "*",
        '"',
        "あ" * 1000,
    ],
)
def test_a_search_takes_any_words(market: Market, goods: Goods, words: str) -> None:
    ok(market.nobody.get("/v1/catalog", query_string={"q": words}))


def test_a_search_is_bounded(market: Market) -> None:
    for name, value in (
        ("q", "x" * 1001),
        ("size", "101"),
        ("size", "0"),
        ("cursor", "x"),
        ("sort", "price"),
        ("cursor", "W10"),
    ):
        refused(market.nobody.get("/v1/catalog", query_string={name: value}), 422, "invalid-input", f"/{name}")
    ok(market.nobody.get("/v1/catalog", query_string={"theme": ["no such theme"] * 50, "publisher": "\u202e"}))


def test_terms_are_named_by_their_hash_and_rendered_for_all(market: Market) -> None:
    answer = market.provider.post(
        "/v1/terms", {"template": "standard-commercial", "items": {"notices": "出典を明示すること"}}
    )
    written = ok(answer, 201)
    assert answer.headers["Location"] == f"/v1/terms/{written['id']}"
    by_id, by_hash = (
        ok(market.nobody.get(answer.headers["Location"])),
        ok(market.nobody.get(f"/v1/terms/{written['sha256']}")),
    )
    assert by_id == by_hash
    assert "出典を明示すること" in by_id["text_ja"]
    odrl = market.nobody.get(f"/v1/terms/{written['id']}/odrl")
    assert odrl.content_type == "application/ld+json"
    assert odrl.json == by_id["odrl"]
    assert (
        ok(
            market.provider.post(
                "/v1/terms", {"template": "standard-commercial", "items": {"notices": "出典を明示すること"}}
            ),
            201,
        )
        == written
    )


def test_the_name_of_a_policy_comes_from_us_not_from_the_request(market: Market) -> None:
    terms = market.terms()
    read = market.nobody.get(
        f"/v1/terms/{terms['id']}/odrl", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    )
    assert read.json["uid"].startswith(market.app.config["MUSUBI_SETTINGS"].base_url)
    assert market.nobody.get(f"/v1/terms/{terms['id']}/odrl", base_url="http://evil.example").status_code == 400


def test_an_offer_needs_ones_own_dataset_and_ones_own_terms(market: Market, goods: Goods) -> None:
    mine, theirs = market.terms(), ok(market.rival.post("/v1/terms", {"template": "research"}), 201)
    before = row_counts()
    for dataset_id, terms_id, who in (
        (goods.dataset_id, theirs["id"], market.provider),
        (goods.dataset_id, theirs["id"], market.rival),
        (goods.dataset_id, mine["id"], market.rival),
    ):
        body = {"dataset_id": dataset_id, "terms_id": terms_id, "price": PRICES["one_off"]}
        refused(who.post("/v1/offers", body), 404, "not-found")
    assert row_counts() == before


def test_what_may_not_be_listed_is_not_offered(market: Market, goods: Goods) -> None:
    terms = ok(
        market.provider.post(
            "/v1/terms", {"template": "standard-commercial", "items": {"personal_data": "personalInformation"}}
        ),
        201,
    )
    body = {"dataset_id": goods.dataset_id, "terms_id": terms["id"], "price": PRICES["one_off"]}
    before = row_counts()
    refused(market.provider.post("/v1/offers", body), 422, "privacy-class-not-listable", "/terms_id")
    assert row_counts() == before


def test_names_in_japanese_reach_every_address(market: Market) -> None:
    goods = market.goods("人流 データ＿2026年（確報）.csv")
    grant_id = ok(market.buyer.post("/v1/orders", order_of(market.offer(goods.dataset_id))), 201)["grant_id"]
    answer = market.fetch(grant_id, goods.file_name)
    assert answer.data == goods.content
    assert quote(goods.file_name, safe="") in answer.headers["Content-Disposition"]
