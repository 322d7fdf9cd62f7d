"""What ordering an offer costs at once, said before it is ordered."""

from typing import Any

import pytest

from tests.api.trade import PRICES, Market, ok

AMOUNTS = ("amount_net_yen", "amount_tax_yen", "amount_gross_yen")
UPFRONT_YEN = {"one_off": 13_200, "subscription": 3_300}
TRIAL = {"kind": "subscription", "amount_yen": 3_000, "term_months": 1, "trial_days": 14}


@pytest.mark.parametrize("price", [*PRICES.values(), TRIAL], ids=[*PRICES, "trial"])
def test_an_offer_says_what_its_order_then_says(market: Market, price: dict[str, Any]) -> None:
    goods = market.goods()
    kind = "free" if price["kind"] == "free" else "one_off"
    offer = market.offer(goods.dataset_id, kind, price=price)
    said = ok(market.nobody.get(f"/v1/offers/{offer['id']}"))["due_now"]
    placed = ok(market.order(offer), 201)
    assert said == {name: placed[name] for name in AMOUNTS}
    assert said["amount_gross_yen"] == UPFRONT_YEN.get(price["kind"], 0) * (price is not TRIAL)


def test_lists_leave_it_out(market: Market) -> None:
    goods = market.goods()
    market.offer(goods.dataset_id, "one_off")
    [listed] = ok(market.nobody.get(f"/v1/offers?dataset_id={goods.dataset_id}"))["items"]
    assert "due_now" not in listed
