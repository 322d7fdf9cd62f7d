"""Subscriptions on the wire: read by their parties, cancelled at the end of what is paid."""

import pytest

from tests.api.trade import Market, ok, refused, row_counts


@pytest.fixture
def subscription(market: Market) -> str:
    """The id of a running subscription."""
    market.bought(market.goods("monthly.csv"), "subscription")
    (found,) = ok(market.buyer.get("/v1/subscriptions"))["items"]
    return str(found["id"])


def test_both_parties_and_overseers_read_a_subscription_and_nobody_else(market: Market, subscription: str) -> None:
    for party in (market.buyer, market.provider, market.operator, market.auditor):
        found = ok(party.get(f"/v1/subscriptions/{subscription}"))
        assert (found["state"], found["term_number"], len(found["terms"])) == ("active", 1, 1)
        assert found["next_term_from"] > found["term_to"] >= found["term_from"] == found["starts_on"]
        assert [one["id"] for one in ok(party.get("/v1/subscriptions"))["items"]] == [subscription]
    refused(market.stranger.get(f"/v1/subscriptions/{subscription}"), 404, "not-found")
    assert ok(market.stranger.get("/v1/subscriptions"))["items"] == []


def test_cancelling_ends_it_with_what_is_paid_and_twice_is_once(market: Market, subscription: str) -> None:
    path = f"/v1/subscriptions/{subscription}/cancel"
    before = row_counts()
    refused(market.stranger.post(path), 404, "not-found")
    assert row_counts() == before
    first = ok(market.buyer.post(path))
    assert (first["state"], first["ended_at"]) == ("active", None)
    assert ok(market.provider.post(path))["cancelled_at"] == first["cancelled_at"]
    assert ok(market.buyer.get(f"/v1/subscriptions/{subscription}"))["next_term_from"] is None
