"""Ratings on the wire: by whoever bought, once, with replies, hidden and shown again."""

import pytest

from marketplace.exchange import listing
from tests.api.trade import Goods, Market, Party, audit_count, ok, party, refused, row_counts

WORDS = {"stars": 4, "text_ja": "粒度が細かく、毎週届く。", "text_en": "Fine-grained, and it comes every week."}


def rate(who: Party, goods: Goods, **changes: object) -> dict[str, object]:
    return ok(who.call("PUT", f"/v1/datasets/{goods.dataset_id}/rating", json=WORDS | changes))


def ratings(who: Party, goods: Goods) -> dict[str, object]:
    return ok(who.get(f"/v1/datasets/{goods.dataset_id}/ratings"))


@pytest.fixture
def sold(market: Market, goods: Goods) -> Goods:
    """What the buyer has bought."""
    market.bought(goods)
    return goods


def test_who_bought_rates_and_everybody_reads_it_without_a_name(market: Market, sold: Goods) -> None:
    made = rate(market.buyer, sold)

    read = ratings(market.nobody, sold)
    assert read["summary"] == {"total": 1, "mean_tenths": 40, "stars": {"1": 0, "2": 0, "3": 0, "4": 1, "5": 0}}
    [shown] = read["items"]
    assert shown == made | {"mine": False}
    assert shown["author"] is None
    assert market.buyer.organization_id not in str(read)
    assert ratings(market.buyer, sold)["items"][0]["mine"] is True


def test_a_name_is_shown_where_its_owner_wants_it(market: Market, sold: Goods) -> None:
    rate(market.buyer, sold, shows_name=True)
    assert ratings(market.nobody, sold)["items"][0]["author"]["id"] == market.buyer.organization_id
    rate(market.buyer, sold, shows_name=False)
    assert ratings(market.nobody, sold)["items"][0]["author"] is None


def test_whoever_bought_nothing_of_it_does_not_rate_whether_there_is_something_or_not(
    market: Market, sold: Goods
) -> None:
    before = row_counts()
    strange = refused(
        market.stranger.call("PUT", f"/v1/datasets/{sold.dataset_id}/rating", json=WORDS), 404, "not-found"
    )
    absent = refused(market.stranger.call("PUT", f"/v1/datasets/ds_{'0' * 32}/rating", json=WORDS), 404, "not-found")
    refused(market.stranger.call("DELETE", f"/v1/datasets/{sold.dataset_id}/rating"), 404, "not-found")

    assert strange | {"instance": ""} == absent | {"instance": ""}
    assert row_counts() == before


def test_a_provider_that_buys_too_does_not_rate_its_own(market: Market) -> None:
    both = party(market.app, "both", "provider", "buyer")
    own = market.dataset(both)["id"]
    refused(both.call("PUT", f"/v1/datasets/{own}/rating", json=WORDS), 404, "not-found")


def test_one_rating_for_each_organization_changed_withdrawn_and_given_again(market: Market, sold: Goods) -> None:
    first = rate(market.buyer, sold)
    changed = rate(market.buyer, sold, stars=2, text_ja="欠測が多い。")
    assert (changed["id"], changed["stars"]) == (first["id"], 2)
    assert ratings(market.nobody, sold)["summary"]["total"] == 1

    assert market.buyer.call("DELETE", f"/v1/datasets/{sold.dataset_id}/rating").status_code == 204
    assert ratings(market.nobody, sold) == {
        "summary": {"total": 0, "mean_tenths": None, "stars": dict.fromkeys("12345", 0)}, "items": [], "next_cursor": None,
    }  # fmt: skip
    refused(market.buyer.call("DELETE", f"/v1/datasets/{sold.dataset_id}/rating"), 404, "not-found")
    assert rate(market.buyer, sold)["id"] == first["id"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"stars": 0}, "/stars"), ({"stars": 6}, "/stars"), ({"stars": 4.5}, "/stars"), ({"stars": "5"}, "/stars"),
        ({"text_ja": "良" * 2001}, "/text_ja"), ({"text_en": "a\x00b"}, "/text_en"), ({"trust": 100}, "/trust"),
    ],
)  # fmt: skip
def test_what_no_rating_is_changes_nothing(
    market: Market, sold: Goods, changes: dict[str, object], pointer: str
) -> None:
    before = row_counts()
    refused(
        market.buyer.call("PUT", f"/v1/datasets/{sold.dataset_id}/rating", json=WORDS | changes),
        422,
        "invalid-input",
        pointer,
    )
    assert row_counts() == before


def test_the_provider_alone_replies_and_takes_it_back(market: Market, sold: Goods) -> None:
    address = f"/v1/ratings/{rate(market.buyer, sold)['id']}/reply"
    refused(market.rival.call("PUT", address, json={"text_ja": "横から"}), 404, "not-found")

    ok(market.provider.call("PUT", address, json={"text_ja": "欠測は次の版で補います。"}))
    assert ratings(market.nobody, sold)["items"][0]["reply"]["text_ja"] == "欠測は次の版で補います。"
    ok(market.provider.call("PUT", address, json={}))
    assert ratings(market.nobody, sold)["items"][0]["reply"] is None


def test_the_operator_hides_with_a_reason_and_what_is_hidden_stays_so_until_it_is_shown(
    market: Market, sold: Goods
) -> None:
    rating = rate(market.buyer, sold, text_ja="担当の山田さんが遅い。")["id"]
    refused(market.operator.post(f"/v1/ratings/{rating}/hide", {"reason": "\u3000"}), 422, "invalid-input", "/reason")
    ok(market.operator.post(f"/v1/ratings/{rating}/hide", {"reason": "個人名"}))
    ok(market.operator.post(f"/v1/ratings/{rating}/hide", {"reason": "別の理由"}))

    for who in (market.nobody, market.stranger, market.provider):
        assert ratings(who, sold)["items"] == []
        assert ratings(who, sold)["summary"]["total"] == 0
    for who in (market.buyer, market.operator, market.auditor):
        assert ratings(who, sold)["items"][0]["hidden"]["reason"] == "個人名"
    refused(market.provider.call("PUT", f"/v1/ratings/{rating}/reply", json={"text_ja": "返信"}), 404, "not-found")

    market.buyer.call("DELETE", f"/v1/datasets/{sold.dataset_id}/rating")
    assert rate(market.buyer, sold)["hidden"] is not None
    assert ratings(market.nobody, sold)["items"] == []

    ok(market.operator.post(f"/v1/ratings/{rating}/unhide"))
    assert ratings(market.nobody, sold)["items"][0]["hidden"] is None


def test_each_deed_is_on_the_record_without_its_words(market: Market, sold: Goods) -> None:
    before = audit_count()
    rating = rate(market.buyer, sold)["id"]
    market.provider.call("PUT", f"/v1/ratings/{rating}/reply", json={"text_ja": "返信"})
    market.operator.post(f"/v1/ratings/{rating}/hide", {"reason": "理由"})
    market.operator.post(f"/v1/ratings/{rating}/unhide")
    market.buyer.call("DELETE", f"/v1/datasets/{sold.dataset_id}/rating")
    assert audit_count() == before + 5
    entries = ok(market.operator.get("/v1/audit/entries", query_string={"subject": rating}))["items"]
    assert [entry["verb"].rsplit(".", 1)[1] for entry in entries] == [
        "withdrawn",
        "shown",
        "hidden",
        "replied",
        "given",
    ]
    assert not {"粒度が細かく、毎週届く。", "返信", "理由"} & set(str(entries).split("'"))


def test_ratings_and_trust_stand_in_the_document_and_in_search(market: Market, sold: Goods) -> None:
    before = ok(market.nobody.get(f"/v1/catalog/{sold.dataset_id}"))["trust"]
    for stars in (5, 5):
        other = party(market.app, "another", "buyer")
        ok(market.order(market.offer(sold.dataset_id), other), 201)
        rate(other, sold, stars=stars)
    rate(market.buyer, sold, stars=5)
    listing.rebuild_index()

    document = ok(market.nobody.get(f"/v1/catalog/{sold.dataset_id}"))
    assert document["ratings"]["total"] == 3
    assert document["trust"]["parts"]["ratings"] == 25
    assert document["trust"]["score"] == before["score"] - before["parts"]["ratings"] + 25
    [found] = [hit for hit in ok(market.nobody.get("/v1/catalog"))["items"] if hit["id"] == sold.dataset_id]
    assert found["trust"]["score"] == document["trust"]["score"]


def test_ratings_of_what_is_hidden_are_hidden(market: Market, sold: Goods) -> None:
    rate(market.buyer, sold)
    group = ok(market.provider.post("/v1/groups", {"name_ja": "会"}), 201)["id"]
    ok(market.provider.call("PUT", f"/v1/datasets/{sold.dataset_id}/audience", json={"group_id": group}))

    refused(market.nobody.get(f"/v1/datasets/{sold.dataset_id}/ratings"), 404, "not-found")
    assert ratings(market.provider, sold)["summary"]["total"] == 1
    refused(market.nobody.get(f"/v1/organizations/{market.provider.organization_id}/reputation"), 404, "not-found")


def test_who_shares_in_the_revenue_or_manages_the_listings_does_not_rate(market: Market, goods: Goods) -> None:
    sharer, helper = party(market.app, "sharer", "provider", "buyer"), party(market.app, "helper", "provider", "buyer")
    shares = [
        {"organization_id": market.provider.organization_id, "basis_points": 9_000},
        {"organization_id": sharer.organization_id, "basis_points": 1_000},
    ]
    paid = market.offer(goods.dataset_id, "one_off", shares=shares)
    assert paid["id"]
    body = {"delegate_id": helper.organization_id, "permissions": ["datasets.read"]}
    ok(market.provider.post("/v1/delegations", body), 201)
    free = market.offer(goods.dataset_id)
    for who in (sharer, helper):
        ok(market.order(free, who), 201)
        refused(who.call("PUT", f"/v1/datasets/{goods.dataset_id}/rating", json=WORDS), 403, "rater-involved")


def test_pages_of_ratings_are_whole(market: Market, sold: Goods) -> None:
    made = [rate(market.buyer, sold)["id"]]
    for _ in range(3):
        other = party(market.app, "another", "buyer")
        ok(market.order(market.offer(sold.dataset_id), other), 201)
        made.append(rate(other, sold)["id"])
    first = ok(market.nobody.get(f"/v1/datasets/{sold.dataset_id}/ratings?size=3"))
    rest = ok(market.nobody.get(f"/v1/datasets/{sold.dataset_id}/ratings?size=3&cursor={first['next_cursor']}"))
    assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    assert first["summary"]["total"] == 4


def test_what_is_told_of_a_provider_is_for_everybody_and_of_whoever_lists_publicly_alone(
    market: Market, sold: Goods
) -> None:
    rate(market.buyer, sold)
    told = ok(market.nobody.get(f"/v1/organizations/{market.provider.organization_id}/reputation"))
    assert told["ratings"]["mean_tenths"] == 40
    assert (told["trust"], told["standing"]) == ("verified", None)
    for other in (market.rival, market.buyer, market.operator):
        refused(market.nobody.get(f"/v1/organizations/{other.organization_id}/reputation"), 404, "not-found")
