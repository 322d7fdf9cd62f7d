"""Offers of a dataset that is not listed are known to its parties alone."""

import pytest

from tests.api.trade import Market, ok, refused


def addresses(offer: dict[str, str]) -> list[str]:
    return [f"/v1/offers/{offer['id']}", f"/v1/offers?dataset_id={offer['dataset_id']}"]


@pytest.mark.parametrize("place", [0, 1])
def test_offers_of_a_draft_are_seen_by_its_provider_and_overseers(market: Market, place: int) -> None:
    address = addresses(market.offer(market.dataset()["id"], "one_off"))[place]

    for who in (market.nobody, market.buyer, market.rival):
        refused(who.get(address), 404, "not-found")
    for who in (market.provider, market.operator, market.auditor):
        ok(who.get(address))


def test_offers_of_a_listed_dataset_are_seen_by_everybody(market: Market) -> None:
    for address in addresses(market.offer(market.goods().dataset_id)):
        ok(market.nobody.get(address))


def test_who_bought_of_a_dataset_that_was_withdrawn_still_reads_the_offer(market: Market) -> None:
    goods = market.goods()
    offer = market.offer(goods.dataset_id)
    ok(market.order(offer), 201)
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))

    ok(market.buyer.get(f"/v1/offers/{offer['id']}"))
    refused(market.stranger.get(f"/v1/offers/{offer['id']}"), 404, "not-found")
    refused(market.nobody.get("/v1/offers?dataset_id=ds_" + "0" * 32), 404, "not-found")
