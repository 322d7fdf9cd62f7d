"""Teasers, lineage and citations on the wire and on the pages."""

from datetime import timedelta

from marketplace.identity.states import MemberRole
from marketplace.kit import clock
from tests.api.bodies_of_understanding import teaser_body
from tests.api.trade import Market, ok, order_of, refused, row_counts
from tests.factories.identity import OrganizationFactory
from tests.web.people import signed_in, someone
from tests.web.test_pages import ATTACK, check

CITATION = {"kind": "use_case", "title": "混雑予測", "url": "https://example.jp/use"}


def test_a_teaser_is_announced_read_watched_and_never_bought(market: Market) -> None:
    answer = market.provider.post("/v1/teasers", teaser_body())
    made = ok(answer, 201)
    at = answer.headers["Location"]
    assert (made["state"], made["dataset_id"], made["watchers"]) == ("announced", None, 0)
    assert "watchers" not in ok(market.nobody.get(at))
    assert [one["id"] for one in ok(market.nobody.get("/v1/teasers"))["items"]] == [made["id"]]
    assert ok(market.buyer.post(f"{at}/watch"))["state"] == "announced"
    assert [one["watchers"] for one in ok(market.provider.get("/v1/teasers/own"))["items"]] == [1]
    before = row_counts()
    refused(market.nobody.post(f"{at}/watch"), 401, "not-authenticated")
    refused(market.rival.post(f"{at}/withdraw"), 404, "not-found")
    refused(market.rival.post(f"{at}/dataset", {}), 404, "not-found")
    refused(market.provider.call("PUT", at, json=teaser_body(), headers={"If-Match": '"9"'}), 412, "version-stale")
    refused(
        market.buyer.post("/v1/orders", order_of({"id": made["id"], "terms_sha256": "0" * 64})), 422, "invalid-input"
    )
    refused(
        market.buyer.post("/v1/orders", order_of({"id": f"ofr{made['id'][3:]}", "terms_sha256": "0" * 64})),
        404,
        "not-found",
    )
    assert row_counts() == before
    assert market.buyer.call("DELETE", f"{at}/watch").status_code == 204
    became = ok(market.provider.post(f"{at}/dataset", {}), 201)
    assert became["state"] == "coming"
    assert ok(market.nobody.get(at))["dataset_id"] is None
    assert ok(market.provider.get(f"/v1/datasets/{became['dataset_id']}"))["title_en"] == "Snow depth"
    refused(market.provider.post(f"{at}/dataset", {}), 409, "teaser-ended")


def test_lineage_and_citations_go_over_the_wire(market: Market) -> None:
    source, made = market.goods(), market.goods()
    at = f"/v1/datasets/{made.dataset_id}/lineage"
    body = {
        "sources": [{"dataset_id": source.dataset_id, "words": "集計"}, {"url": "https://e.example", "title": "気象"}]
    }
    version = market.provider.get(at).headers["ETag"]
    told = ok(market.provider.call("PUT", at, json=body, headers={"If-Match": version}))
    assert [one["url"] for one in told["sources"]] == [None, "https://e.example"]
    before = row_counts()
    circle = {"sources": [{"dataset_id": made.dataset_id}]}
    up = f"/v1/datasets/{source.dataset_id}/lineage"
    refusal = market.provider.call(
        "PUT", up, json=circle, headers={"If-Match": market.provider.get(up).headers["ETag"]}
    )
    assert refused(refusal, 409, "lineage-circular")["through"] == [made.dataset_id]
    refused(market.rival.call("PUT", at, json=body, headers={"If-Match": version}), 404, "not-found")
    assert row_counts() == before
    assert (
        ok(market.nobody.get(f"/v1/catalog/{source.dataset_id}/lineage"))["derived"][0]["dataset_id"] == made.dataset_id
    )

    cited = ok(market.buyer.post(f"/v1/catalog/{made.dataset_id}/citations", CITATION), 201)
    assert cited["state"] == "waiting"
    assert ok(market.nobody.get(f"/v1/catalog/{made.dataset_id}/citations"))["items"] == []
    assert [one["id"] for one in ok(market.provider.get(f"/v1/datasets/{made.dataset_id}/citations"))["items"]] == [
        cited["id"]
    ]
    refused(market.rival.post(f"/v1/citations/{cited['id']}/decision", {"state": "shown"}), 404, "not-found")
    ok(market.provider.post(f"/v1/citations/{cited['id']}/decision", {"state": "shown"}))
    assert ok(market.nobody.get(f"/v1/catalog/{made.dataset_id}/citations"))["items"][0]["title"] == "混雑予測"
    for language, words in (("ja", "もとになったデータ"), ("en", "Made of")):
        page = market.nobody.get(f"/catalog/{made.dataset_id}?lang={language}").text
        assert words in page
        assert "混雑予測" in page
    refused(
        market.buyer.post(f"/v1/catalog/{made.dataset_id}/citations", CITATION | {"url": "javascript:1"}),
        422,
        "invalid-input",
        "/url",
    )


def test_an_announcement_is_a_page_on_which_a_buyer_asks_to_be_told(market: Market) -> None:
    hostile = teaser_body() | {"title_ja": ATTACK, "description_en": ATTACK}
    made = ok(market.provider.post("/v1/teasers", hostile), 201)
    browser = signed_in(market.app, someone(MemberRole.BUYER, OrganizationFactory(buyer=True)))
    for language in ("ja", "en"):
        check(browser.get(f"/teasers?lang={language}"), language)
        check(browser.get(f"/teasers/{made['id']}?lang={language}"), language)
        assert ATTACK not in market.nobody.get(f"/teasers/{made['id']}?lang={language}").text
    assert browser.post("/organization/teasers/watch", {"teaser_id": made["id"]}).status_code == 303
    assert "You will be told by mail" in browser.get(f"/teasers/{made['id']}?lang=en").text
    assert browser.post("/organization/teasers/unwatch", {"teaser_id": made["id"]}).status_code == 303
    ok(market.provider.post(f"/v1/teasers/{made['id']}/withdraw"))
    assert "It was given up." in market.nobody.get(f"/teasers/{made['id']}?lang=en").text
    assert (clock.today() + timedelta(days=60)).isoformat() in market.nobody.get(f"/teasers/{made['id']}").text
