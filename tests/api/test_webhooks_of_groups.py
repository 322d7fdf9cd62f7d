"""What is listed to a private group is told to its organizations, to no other, and to none that has left."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from marketplace.kit import jobs
from marketplace.webhooks import sending
from tests.api.test_webhooks_out import ENDPOINT, revise, send
from tests.api.trade import Goods, Market, Party, market_of, ok, refused
from tests.receivers import Receiver, receiving

SECRET = "渡り鳥の調査"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(monkeypatch) as made:
        yield made


def listening(*parties: Party) -> None:
    """Each has an endpoint that tells whose it is by its address, and wants to know everything."""
    for party in parties:
        ok(party.post("/v1/webhooks", ENDPOINT | {"url": f"https://{party.role}.example.jp/"}), 201)


def group_of(market: Market, *members: Party) -> str:
    group_id = str(ok(market.provider.post("/v1/groups", {"name_ja": "共同研究"}), 201)["id"])
    for member in members:
        admit(market, group_id, member)
    return group_id


def admit(market: Market, group_id: str, member: Party, **more: Any) -> None:
    body = {"organization_id": member.organization_id} | more
    assert market.provider.post(f"/v1/groups/{group_id}/members", body).status_code in {200, 201}


def list_to(market: Market, goods: Goods, group_id: str | None) -> None:
    path = f"/v1/datasets/{goods.dataset_id}/audience"
    ok(market.provider.call("PUT", path, json={"group_id": group_id}))


def heard(receiver: Receiver, party: Party) -> list[str]:
    """What came to somebody's endpoint, once everything due was sent."""
    send()
    host = f"{party.role}.example.jp"
    return [json.loads(body)["type"] for headers, body in receiver.came if headers["host"] == host]


def test_owner_and_members_hear_of_a_groups_listing_and_nobody_else_does(market: Market, receiver: Receiver) -> None:
    goods = market.goods()
    group_id = group_of(market, market.buyer)
    listening(market.buyer, market.provider, market.stranger, market.rival)
    list_to(market, goods, group_id)
    assert heard(receiver, market.stranger) == heard(receiver, market.rival) == ["listing.withdrawn"]
    assert heard(receiver, market.buyer) == heard(receiver, market.provider) == ["listing.changed"]
    receiver.came.clear()
    revise(market, goods.dataset_id, title_ja=SECRET)
    second = market.release(goods.dataset_id, "2026-12")["id"]
    ok(market.upload(second), 201)
    market.publish(second)
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))
    expected = ["listing.changed", "release.published", "listing.withdrawn"]
    assert heard(receiver, market.buyer) == heard(receiver, market.provider) == expected
    assert heard(receiver, market.stranger) == heard(receiver, market.rival) == []
    assert all(SECRET in body.decode() for _headers, body in receiver.came)


def test_who_comes_to_see_a_listing_hears_of_it_as_new_and_who_saw_it_as_changed(
    market: Market, receiver: Receiver
) -> None:
    goods = market.goods()
    first, second = group_of(market, market.buyer), group_of(market, market.stranger, market.buyer)
    list_to(market, goods, first)
    listening(market.buyer, market.stranger, market.rival)
    list_to(market, goods, second)
    assert heard(receiver, market.buyer) == ["listing.changed"]
    assert heard(receiver, market.stranger) == ["listing.published"]
    list_to(market, goods, first)
    assert heard(receiver, market.stranger) == ["listing.published", "listing.withdrawn"]
    list_to(market, goods, None)
    assert heard(receiver, market.buyer) == ["listing.changed"] * 3
    assert heard(receiver, market.stranger)[2:] == heard(receiver, market.rival) == ["listing.published"]


def test_who_is_only_invited_hears_nothing(market: Market, receiver: Receiver) -> None:
    goods, group_id = market.goods(), group_of(market)
    admit(market, group_id, market.buyer, invited=True)
    list_to(market, goods, group_id)
    listening(market.buyer)
    revise(market, goods.dataset_id, title_ja=SECRET)
    assert heard(receiver, market.buyer) == []


@pytest.mark.parametrize("way", ["leaves", "is removed", "the group ends"])
def test_what_waits_for_who_left_goes_out_no_more_not_even_by_hand(
    market: Market, receiver: Receiver, way: str
) -> None:
    goods, group_id = market.goods(), group_of(market, market.buyer)
    list_to(market, goods, group_id)
    listening(market.buyer, market.provider)
    receiver.status = 500
    revise(market, goods.dataset_id, title_ja=SECRET)
    send()
    [hook] = ok(market.buyer.get("/v1/webhooks"))["items"]
    [waiting] = ok(market.buyer.get(f"/v1/webhooks/{hook['id']}/messages"))["items"]
    if way == "leaves":
        assert market.buyer.post(f"/v1/groups/{group_id}/leave").status_code in {200, 204}
    elif way == "is removed":
        path = f"/v1/groups/{group_id}/members/{market.buyer.organization_id}"
        assert market.provider.call("DELETE", path).status_code == 204
    else:
        list_to(market, goods, None)
        assert market.provider.call("DELETE", f"/v1/groups/{group_id}").status_code == 204
    receiver.status, before = 200, len(receiver.came)
    assert ok(market.buyer.get(f"/v1/webhooks/{hook['id']}/messages"))["items"] == []
    refused(market.buyer.post(f"/v1/webhooks/{hook['id']}/messages/{waiting['id']}/resend"), 404, "not-found")
    sending.deliver_left()
    told = [headers["host"] for headers, _body in receiver.came[before:]]
    assert "buyer.example.jp" not in told


def test_who_is_removed_while_something_is_told_gets_none_of_it_afterwards(
    own_database: Any, receiver: Receiver
) -> None:
    market = market_of(own_database)
    goods, group_id = market.goods(), group_of(market, market.buyer)
    list_to(market, goods, group_id)
    listening(market.buyer)
    barrier = threading.Barrier(2)

    def tell() -> None:
        barrier.wait()
        revise(market, goods.dataset_id, title_ja=SECRET)

    def remove() -> None:
        barrier.wait()
        path = f"/v1/groups/{group_id}/members/{market.buyer.organization_id}"
        assert market.provider.call("DELETE", path).status_code == 204

    threads = [threading.Thread(target=tell), threading.Thread(target=remove)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whoever came first: told before it was removed, the message was taken back with the membership.
    jobs.run_pending("webhooks.deliver")
    assert receiver.came == []
