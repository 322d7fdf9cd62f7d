"""Webhooks that go out: what changed reaches those who asked, signed, once at least, and nobody else."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from marketplace.exchange import news
from marketplace.kit import clock, jobs, settings
from marketplace.kit.transaction import transaction
from marketplace.webhooks import sending
from tests.api.trade import Goods, Market, audit_count, market_of, ok, refused, row_counts
from tests.receivers import Receiver, receiving

EVERYTHING = ["listing.published", "listing.changed", "listing.withdrawn", "release.published", "search.matched"]
ENDPOINT = {"url": "https://hooks.example.jp/musubi?x=1", "events": EVERYTHING}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(monkeypatch) as made:
        yield made


@pytest.fixture
def fewer_failures(market: Market) -> Iterator[None]:
    before = settings.current()
    settings.install(replace(before, webhook_failures_max=3))
    yield
    settings.install(before)


def listen(market: Market, **changes: Any) -> dict[str, Any]:
    return dict(ok(market.buyer.post("/v1/webhooks", ENDPOINT | changes), 201))


def send() -> None:
    jobs.run_pending("webhooks.deliver")


def of(market: Market, goods: Goods, endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    return list(ok(market.buyer.get(f"/v1/webhooks/{endpoint['id']}/messages"))["items"])


def revise(market: Market, dataset_id: str, **changes: Any) -> None:
    tag = market.provider.get(f"/v1/datasets/{dataset_id}").headers["ETag"]
    ok(market.provider.call("PATCH", f"/v1/datasets/{dataset_id}", json=changes, headers={"If-Match": tag}))


def test_what_becomes_of_a_listing_is_told_in_order(market: Market, receiver: Receiver) -> None:
    listen(market)
    goods = market.goods()
    revise(market, goods.dataset_id, title_ja="新しい題名")
    second = market.release(goods.dataset_id, "2026-12")["id"]
    ok(market.upload(second), 201)
    market.publish(second)
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))
    send()
    assert receiver.types() == ["listing.published", "listing.changed", "release.published", "listing.withdrawn"]
    first, changed, released, _gone = (body["data"] for body in receiver.bodies)
    assert (first["dataset_id"], first["release"]["id"]) == (goods.dataset_id, goods.release_id)
    assert (changed["title_ja"], changed["changed"]) == ("新しい題名", ["title_ja"])
    assert released["release"]["id"] == second
    assert all(body["timestamp"].endswith("Z") for body in receiver.bodies)


def test_a_message_is_signed_with_its_secret_and_with_its_key(market: Market, receiver: Receiver) -> None:
    endpoint = listen(market)
    market.goods()
    send()
    [(headers, body)] = receiver.came
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    symmetric, asymmetric = headers["webhook-signature"].split(" ")
    secret = base64.b64decode(endpoint["secret"].removeprefix("whsec_"))
    assert symmetric == f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(endpoint["public_key"].removeprefix("whpk_")))
    public.verify(base64.b64decode(asymmetric.removeprefix("v1a,")), signed)
    assert "secret" not in ok(market.buyer.get(f"/v1/webhooks/{endpoint['id']}"))


def test_after_a_rotation_both_secrets_sign_for_a_day(market: Market, receiver: Receiver) -> None:
    endpoint = listen(market)
    rotated = ok(market.buyer.post(f"/v1/webhooks/{endpoint['id']}/rotate"))
    assert rotated["secret"] != endpoint["secret"]
    assert rotated["previous_until"]
    market.goods()
    send()
    [(headers, _body)] = receiver.came
    assert [one.split(",")[0] for one in headers["webhook-signature"].split(" ")] == ["v1", "v1", "v1a"]
    ok(market.buyer.post(f"/v1/webhooks/{endpoint['id']}/test"), 202)
    with clock.stopped(clock.now() + timedelta(hours=25)):
        sending.deliver()
    assert len(receiver.came[-1][0]["webhook-signature"].split(" ")) == 2


def test_filters_leave_out_what_was_not_asked_for(market: Market, receiver: Receiver) -> None:
    goods = market.goods()
    by_dataset = listen(market, dataset_ids=[goods.dataset_id])
    by_publisher = listen(market, publisher_ids=[market.rival.organization_id])
    by_kind = listen(market, events=["listing.withdrawn"])
    revise(market, goods.dataset_id, title_en="Another")
    market.goods("b.csv", b"a\n1\n")
    send()
    assert [message["type"] for message in of(market, goods, by_dataset)] == ["listing.changed"]
    assert of(market, goods, by_publisher) == of(market, goods, by_kind) == []


def test_a_listing_for_a_private_group_is_nobodys_news(market: Market, receiver: Receiver) -> None:
    goods = market.goods()
    listen(market)
    group = ok(market.provider.post("/v1/groups", {"name_ja": "共同研究"}), 201)
    ok(market.provider.call("PUT", f"/v1/datasets/{goods.dataset_id}/audience", json={"group_id": group["id"]}))
    revise(market, goods.dataset_id, title_ja="秘密の題名")
    send()
    assert receiver.types() == ["listing.withdrawn"]
    assert "秘密" not in json.dumps(receiver.bodies, ensure_ascii=False)


def test_a_message_that_is_not_taken_comes_again_under_the_same_id(market: Market, receiver: Receiver) -> None:
    endpoint, receiver.status = listen(market), 500
    goods, now = market.goods(), clock.now()
    send()
    [waiting] = of(market, goods, endpoint)
    assert (waiting["state"], waiting["attempts"], waiting["last_status"]) == ("waiting", 1, 500)
    assert clock.parse(waiting["due_at"]) >= now + timedelta(seconds=5)
    send()
    assert len(receiver.came) == 1
    receiver.status = 200
    with clock.stopped(now + timedelta(minutes=1)):
        sending.deliver()
    [done] = of(market, goods, endpoint)
    assert (done["state"], done["attempts"], done["last_status"]) == ("delivered", 2, 200)
    assert len({headers["webhook-id"] for headers, _body in receiver.came}) == 1
    assert receiver.came[0][1] == receiver.came[1][1]
    assert ok(market.buyer.get(f"/v1/webhooks/{endpoint['id']}"))["failures"] == 0


@pytest.mark.parametrize("status", [301, 302, 400, 500])
def test_a_redirect_is_not_followed_and_no_answer_but_a_good_one_counts(
    market: Market, receiver: Receiver, status: int
) -> None:
    endpoint, receiver.status = listen(market), status
    goods = market.goods()
    send()
    assert of(market, goods, endpoint)[0]["state"] == "waiting"
    assert len(receiver.came) == 1


@pytest.mark.usefixtures("fewer_failures")
def test_an_endpoint_that_takes_nothing_is_disabled_and_its_people_are_told(market: Market, receiver: Receiver) -> None:
    endpoint, receiver.status = listen(market), 503
    for number in range(3):
        market.goods(f"{number}.csv", b"a\n1\n")
    send()
    shown = ok(market.buyer.get(f"/v1/webhooks/{endpoint['id']}"))
    assert (shown["state"], shown["disabled_reason"], shown["failures"]) == ("disabled", "failures", 3)
    market.goods("late.csv", b"a\n1\n")
    with clock.stopped(clock.now() + timedelta(hours=1)):
        sending.deliver()
    assert len(receiver.came) == 3
    receiver.status = 200
    ok(market.buyer.post(f"/v1/webhooks/{endpoint['id']}/enable"))
    with clock.stopped(clock.now() + timedelta(hours=1)):
        sending.deliver()
    # What happened while it was disabled is not kept for it.
    assert len(receiver.came) == 6


def test_who_says_that_it_is_gone_is_asked_no_more(market: Market, receiver: Receiver) -> None:
    endpoint, receiver.status = listen(market), 410
    market.goods()
    send()
    shown = ok(market.buyer.get(f"/v1/webhooks/{endpoint['id']}"))
    assert (shown["state"], shown["disabled_reason"]) == ("disabled", "gone")


def test_tries_end_after_three_days(market: Market, receiver: Receiver) -> None:
    endpoint, receiver.status = listen(market), 500
    goods, at = market.goods(), clock.now()
    for _ in range(10):
        with clock.stopped(at):
            sending.deliver()
        at += timedelta(days=1, seconds=1)
    [message] = of(market, goods, endpoint)
    assert (message["state"], message["attempts"], len(receiver.came)) == ("failed", 10, 10)
    receiver.status = 200
    ok(market.buyer.post(f"/v1/webhooks/{endpoint['id']}/messages/{message['id']}/resend"), 202)
    send()
    assert of(market, goods, endpoint)[0]["state"] == "delivered"


def test_hits_of_a_saved_search_reach_their_own_organization_alone(market: Market, receiver: Receiver) -> None:
    endpoint, goods = listen(market), market.goods()
    document = ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))
    with transaction():
        assert news.search_matched(market.stranger.organization_id, "sch_1", "公園", [document]) == 0
        assert news.search_matched(market.buyer.organization_id, "sch_1", "公園", [document]) == 1
    send()
    assert receiver.types() == ["listing.published", "search.matched"]
    told = receiver.bodies[-1]["data"]
    assert (told["search_name"], told["datasets"][0]["dataset_id"]) == ("公園", goods.dataset_id)
    assert len(of(market, goods, endpoint)) == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (ENDPOINT | {"url": "http://hooks.example.jp/"}, "/url"),
        (ENDPOINT | {"url": "https://user@hooks.example.jp/"}, "/url"),
        (ENDPOINT | {"url": "https://hooks.example.jp:8443/"}, "/url"),
        (ENDPOINT | {"events": []}, "/events"),
        (ENDPOINT | {"events": ["everything"]}, "/events/0"),
        (ENDPOINT | {"dataset_ids": ["x"]}, "/dataset_ids/0"),
        (ENDPOINT | {"secret": "whsec_mine"}, "/secret"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(market: Market, body: dict[str, Any], pointer: str) -> None:
    before = row_counts()
    refused(market.buyer.post("/v1/webhooks", body), 422, "invalid-input", pointer)
    assert row_counts() == before


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]"])
def test_nothing_is_sent_into_the_machines_own_network(market: Market, address: str) -> None:
    endpoint = listen(market, url=f"https://{address}/")
    goods = market.goods()
    send()
    [message] = of(market, goods, endpoint)
    assert (message["state"], message["last_status"]) == ("waiting", None)
    assert message["last_trouble"] == "it does not lie on the open internet"


def test_an_endpoint_is_its_organizations_alone(market: Market) -> None:
    endpoint = listen(market)
    at = f"/v1/webhooks/{endpoint['id']}"
    before = row_counts()
    for method, path in (
        ("GET", at), ("DELETE", at), ("POST", f"{at}/rotate"), ("POST", f"{at}/enable"), ("POST", f"{at}/disable"),
        ("POST", f"{at}/test"), ("GET", f"{at}/messages"), ("POST", f"{at}/messages/evt_1/resend"),
    ):  # fmt: skip
        refused(market.provider.call(method, path), 404, "not-found")
    refused(market.auditor.get(at), 403, "capacity-missing")
    assert row_counts() == before


def test_a_change_names_the_version_that_it_changes_and_stands_on_the_record(market: Market) -> None:
    endpoint = listen(market)
    at, before = f"/v1/webhooks/{endpoint['id']}", audit_count()
    changed = market.buyer.call("PATCH", at, json={"events": ["listing.changed"]}, headers={"If-Match": '"1"'})
    assert ok(changed)["events"] == ["listing.changed"]
    stale = market.buyer.call("PATCH", at, json={"description": "x"}, headers={"If-Match": '"1"'})
    refused(stale, 412, "webhook-endpoint-stale")
    assert audit_count() == before + 1
    assert market.buyer.call("DELETE", at).status_code == 204
    refused(market.buyer.get(at), 404, "not-found")


def test_an_organization_has_twenty_endpoints_at_most(market: Market) -> None:
    for _ in range(20):
        listen(market)
    refused(market.buyer.post("/v1/webhooks", ENDPOINT), 409, "webhook-endpoints-full")


def test_what_is_over_is_forgotten_after_a_month_and_what_waits_is_not(market: Market, receiver: Receiver) -> None:
    done, waiting = listen(market), listen(market, url="https://down.example.jp/", events=["listing.changed"])
    goods = market.goods()
    send()
    ok(market.buyer.post(f"/v1/webhooks/{waiting['id']}/disable"))
    with clock.stopped(clock.now() + timedelta(days=31)):
        sending.forget()
    assert of(market, goods, done) == []


@pytest.fixture
def raced(own_database: Any) -> Market:
    return market_of(own_database)


def test_of_many_workers_one_sends_each_message(raced: Market, receiver: Receiver, own_database: Any) -> None:
    listen(raced)
    for number in range(6):
        raced.goods(f"{number}.csv", b"a\n1\n")

    def work() -> None:
        with own_database.app_context():
            sending.deliver()

    at_once(work, 4)
    assert len(receiver.came) == 6
    assert len({headers["webhook-id"] for headers, _body in receiver.came}) == 6


def at_once(work: Callable[[], None], count: int) -> None:
    barrier = threading.Barrier(count)

    def begin() -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=begin) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_worker_that_dies_on_the_way_leaves_its_message_to_the_next(
    market: Market, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, goods = listen(market), market.goods()

    def dies(*_given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(sending, "_settle", dies)
        with pytest.raises(KeyboardInterrupt):
            sending.deliver()
    assert len(receiver.came) == 1
    sending.deliver()
    assert len(receiver.came) == 1
    with clock.stopped(clock.now() + sending.LEASE + timedelta(seconds=1)):
        sending.deliver_left()
    assert of(market, goods, endpoint)[0]["state"] == "delivered"
    assert len({headers["webhook-id"] for headers, _body in receiver.came}) == 1


def test_who_registers_at_once_gets_no_more_than_all_may_have(raced: Market, own_database: Any) -> None:
    for _ in range(18):
        listen(raced)
    statuses: list[int] = []

    def register() -> None:
        statuses.append(raced.buyer.post("/v1/webhooks", ENDPOINT).status_code)

    at_once(register, 4)
    assert sorted(statuses) == [201, 201, 409, 409]
