"""The trail of a trade on the wire: from any end, for its parties and for overseers."""

import pytest

from marketplace.audit.verbs import Verb
from tests.api.trade import Market, audit_count, ok, refused


@pytest.fixture
def bought(market: Market) -> dict[str, str]:
    """A paid order that was fetched."""
    made = market.bought(market.goods(), "one_off")
    market.fetch(made["grant_id"])
    return made


def test_an_auditor_traces_a_trade_with_the_entries_of_the_record(market: Market, bought: dict[str, str]) -> None:
    answer = ok(market.auditor.get(f"/v1/traces/{bought['grant_id']}"))
    told = answer["trail"]
    assert (answer["asked"], told["order_id"]) == (bought["grant_id"], bought["id"])
    assert (told["closes"], told["missing"]) == (True, [])
    assert told["deliveries"] == {"count": 1, "next_cursor": None}
    [line] = answer["trades"]["items"]
    assert (line["order_id"], line["organization_id"]) == (bought["id"], market.buyer.organization_id)
    [order] = [node for node in told["nodes"] if node["kind"] == "order"]
    assert order["state"] == "fulfilled"
    assert "billing.order.placed" in {entry["verb"] for entry in order["entries"]}
    looks = ok(market.operator.get("/v1/audit/entries", query_string={"verb": Verb.TRADE_TRACED.value}))["items"]
    assert [look["facts"] for look in looks] == [{"asked": bought["grant_id"]}]


def test_each_party_traces_its_own_trade_and_nobody_elses(market: Market, bought: dict[str, str]) -> None:
    path = f"/v1/traces/{bought['invoice_id']}"
    mine = {node["kind"] for node in ok(market.buyer.get(path))["trail"]["nodes"]}
    theirs = {node["kind"] for node in ok(market.provider.get(path))["trail"]["nodes"]}
    assert mine - theirs == {"payment"}
    assert theirs - mine == {"earning"}
    before = audit_count()
    for stranger in (market.rival, market.stranger):
        refused(stranger.get(path), 404, "not-found")
    assert audit_count() == before


def test_pages_that_were_not_handed_out_are_refused(market: Market, bought: dict[str, str]) -> None:
    path = f"/v1/traces/{bought['id']}"
    ok(market.operator.get(path))
    before = audit_count()
    refused(market.operator.get(path, query_string={"cursor": "x"}), 422, "invalid-input", "/cursor")
    refused(market.operator.get(path, query_string={"size": "0"}), 422, "invalid-input", "/size")
    assert audit_count() == before
