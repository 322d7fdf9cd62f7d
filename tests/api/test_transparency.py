"""The record as a transparency log over HTTP: who may fetch what, and what others make of it."""

import base64
import json

import pytest
from werkzeug.test import TestResponse

from marketplace.api import transparency
from marketplace.audit import checkpoints, log_keys, sequencer
from marketplace.audit.verbs import Verb
from marketplace.kit import merkle, notes
from marketplace.kit.transaction import transaction
from tests.api.test_payouts import earned, today
from tests.api.trade import Goods, Market, fresh_key, ok, refused


@pytest.fixture
def goods(market: Market) -> Goods:
    """Something was done, and signed."""
    made = market.goods()
    signed()
    return made


def signed() -> None:
    sequencer.sequence_all()
    with transaction():
        checkpoints.publish()


def test_everybody_fetches_checkpoint_keys_and_hashes_and_computes_the_root(market: Market, goods: Goods) -> None:
    del goods
    answer = market.nobody.get("/audit/checkpoint")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; charset=utf-8")
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    keys = [notes.read_key(key["vkey"]) for key in ok(market.nobody.get("/audit/keys"))]
    tree = notes.opened(answer.text, keys)
    full, rest = divmod(tree.size, 256)
    tiles = [f"/audit/tile/0/{number:03d}" for number in range(full)] + [f"/audit/tile/0/{full:03d}.p/{rest}"] * (
        rest > 0
    )
    hashes = b"".join(market.nobody.get(tile).data for tile in tiles)
    leaves = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    nodes: dict[tuple[int, int], bytes] = {}
    for position, leaf in enumerate(leaves):
        for level, at, value in merkle.grow(position, leaf, lambda level, at: nodes[level, at]):
            nodes[level, at] = value
    assert merkle.root(tree.size, lambda level, at: nodes[level, at]) == tree.root


def test_tiles_that_are_not_there_are_not_found(market: Market, goods: Goods) -> None:
    del goods
    for path in ("0/999", "0/0", "x", "9/000", "entries/000.p/1"):
        assert market.nobody.get(f"/audit/tile/{path}").status_code in {401, 404}
    assert market.nobody.get("/audit/tile/0/999").status_code == 404
    assert market.nobody.get("/audit/tile/0/000.p/1").headers["Cache-Control"] == "max-age=31536000, immutable, public"


def test_entries_are_for_auditors(market: Market, goods: Goods) -> None:
    del goods
    path = "/audit/tile/entries/000.p/1"
    assert market.nobody.get(path).status_code == 401
    assert market.buyer.get(path).status_code == 403
    answer = market.auditor.get(path)
    assert answer.status_code == 200
    assert merkle.leaf_hash(answer.data[2:]) == market.nobody.get("/audit/tile/0/000.p/1").data
    assert "private" in answer.headers["Cache-Control"]


def test_there_is_no_checkpoint_before_anything_is_signed(market: Market) -> None:
    refused(market.nobody.get("/audit/checkpoint"), 404, "not-found")


def test_what_was_done_is_named_in_the_answer_and_its_receipt_is_for_both_parties(market: Market, goods: Goods) -> None:
    placed = market.order(market.offer(goods.dataset_id))
    names = placed.headers["Musubi-Audit-Id"].split(", ")
    assert names
    waiting = market.buyer.get(f"/v1/audit/receipts/{names[-1]}")
    assert (waiting.status_code, waiting.json["proof"], waiting.headers["Retry-After"]) == (202, None, "1")
    signed()
    keys = log_keys.verifiers()
    for reader in (market.buyer, market.auditor):
        receipt = ok(reader.get(f"/v1/audit/receipts/{names[-1]}"))
        head, index, rest = receipt["proof"].split("\n", 2)
        path, _, note = rest.partition("\n\n")
        tree = notes.opened(note, keys)
        steps = [base64.b64decode(step) for step in path.split()]
        leaf = merkle.leaf_hash(receipt["entry"].encode())
        assert (head, index) == ("c2sp.org/tlog-proof@v1", f"index {receipt['position']}")
        assert merkle.root_of_inclusion(leaf, receipt["position"], tree.size, steps) == tree.root


def test_every_deed_of_a_trade_and_of_its_overseer_is_named_in_its_answer(market: Market) -> None:
    earned(market)
    goods, [grant] = market.goods(), ok(market.buyer.get("/v1/grants"))["items"]
    offer, revoked = market.offer(goods.dataset_id), f"/v1/grants/{grant['id']}/revoke"
    market.fetch(grant["id"])
    [delivery] = ok(market.buyer.get(f"/v1/deliveries?grant_id={grant['id']}"))["items"]
    drawn, operate, reason = market.operator.post("/v1/payouts"), market.operator.post, {"reason": "規約違反"}
    ok(operate("/v1/payout-files", {"transfer_on": today()}), 201)
    for answer, verbs in (
        (market.order(offer), {Verb.TERMS_ACCEPTED, Verb.ORDER_PLACED, Verb.GRANT_ISSUED, Verb.ORDER_FULFILLED}),
        (market.buyer.post("/v1/quotes", {"offer_id": offer["id"]}), {Verb.DOCUMENT_ISSUED}),
        (drawn, {Verb.PAYOUT_CREATED, Verb.PAYOUT_APPROVED}),
        (operate(f"/v1/payouts/{drawn.json['items'][0]['id']}/paid", {"paid_on": today()}), {Verb.PAYOUT_PAID}),
        (operate(revoked, reason), {Verb.GRANT_REVOKED}),
        (operate(f"/v1/organizations/{market.buyer.organization_id}/suspend", reason), {Verb.ORGANIZATION_SUSPENDED}),
    ):
        assert verbs <= verbs_of(market, answer), answer.text
    # What is told of a download in part after its answer has begun is found by the delivery.
    told = ok(market.provider.get(f"/v1/audit/receipts?subject={delivery['id']}"))["items"]
    assert {one["verb"] for one in told} == {Verb.DELIVERY_OPENED, Verb.DELIVERY_CLOSED}


def verbs_of(market: Market, answer: TestResponse) -> set[str]:
    """The verbs of the entries that an answer names."""
    names = answer.headers[transparency.DEEDS].split(", ")
    entries = [market.auditor.get(f"/v1/audit/receipts/{name}").json["entry"] for name in names]
    return {json.loads(entry)["verb"] for entry in entries}


def test_an_answer_that_is_given_again_names_no_deed(market: Market, goods: Goods) -> None:
    offer, key = market.offer(goods.dataset_id), fresh_key()
    first, again = (market.order(offer, key=key) for _ in range(2))
    assert ok(first, 201) == ok(again, 201)
    assert [transparency.DEEDS in answer.headers for answer in (first, again)] == [True, False]


def test_receipts_of_others_are_not_found(market: Market, goods: Goods) -> None:
    placed = market.order(market.offer(goods.dataset_id))
    order_id, stranger = ok(placed, 201)["id"], market.stranger
    for name in placed.headers["Musubi-Audit-Id"].split(", "):
        refused(stranger.get(f"/v1/audit/receipts/{name}"), 404, "not-found")
    assert ok(stranger.get(f"/v1/audit/receipts?subject={order_id}"))["items"] == []
    refused(market.nobody.get(f"/v1/audit/receipts?subject={order_id}"), 401, "not-authenticated")


def test_the_deeds_done_to_a_thing_are_listed(market: Market, goods: Goods) -> None:
    order_id = ok(market.order(market.offer(goods.dataset_id)), 201)["id"]
    for reader in (market.buyer, market.provider, market.auditor):
        verbs = [deed["verb"] for deed in ok(reader.get(f"/v1/audit/receipts?subject={order_id}"))["items"]]
        assert "billing.order.placed" in verbs
        page = ok(reader.get(f"/v1/audit/receipts?subject={order_id}&size=1"))
        assert len(page["items"]) == 1
        rest = ok(reader.get(f"/v1/audit/receipts?subject={order_id}&cursor={page['next_cursor']}"))["items"]
        assert len(rest) == len(verbs) - 1


def test_a_refused_deed_names_none(market: Market, goods: Goods) -> None:
    offer = market.offer(goods.dataset_id)
    answer = market.order(offer | {"id": "ofr_01a22b4bed42775a90cd5ebf1e4beee5"})
    assert answer.status_code == 404
    assert "Musubi-Audit-Id" not in answer.headers
