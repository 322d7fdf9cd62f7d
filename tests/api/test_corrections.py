"""Corrections of usage on the wire, and from the command line."""

import pytest

from tests.api.trade import CONTENT, Market, audit_count, ok, refused, row_counts

LESS = {"reference": "INC-42", "reason": "ログを二重に取り込んだため", "bytes": -4}


@pytest.fixture
def path(market: Market) -> str:
    """Where the corrections of a delivery of the whole file lie."""
    market.fetch(market.bought()["grant_id"])
    (delivery,) = ok(market.buyer.get("/v1/deliveries"))["items"]
    return f"/v1/deliveries/{delivery['id']}/corrections"


def used(market: Market) -> int:
    return int(ok(market.buyer.get("/v1/usage"))["total_bytes"])


def test_a_provider_takes_off_once_and_both_parties_read_why(market: Market, path: str) -> None:
    first = ok(market.provider.post(path, LESS))
    assert (first["bytes"], first["rows"], first["requests"], first["reason"]) == (-4, 0, 0, LESS["reason"])
    before = row_counts()
    assert ok(market.provider.post(path, LESS)) == first
    refused(market.provider.post(path, LESS | {"bytes": -5}), 409, "correction-contradicted")
    assert row_counts() == before
    for party in (market.buyer, market.provider, market.operator, market.auditor):
        assert ok(party.get(path)) == [first]
    assert used(market) == len(CONTENT) - 4


def test_the_operator_adds_what_the_provider_may_not(market: Market, path: str) -> None:
    more = LESS | {"bytes": 7}
    refused(market.provider.post(path, more), 403, "correction-not-yours")
    assert used(market) == len(CONTENT)
    ok(market.operator.post(path, more))
    assert used(market) == len(CONTENT) + 7


def test_whom_it_does_not_concern_finds_nothing_and_nonsense_is_refused(market: Market, path: str) -> None:
    before, entries = row_counts(), audit_count()
    refused(market.rival.post(path, LESS), 404, "not-found")
    refused(market.rival.get(path), 404, "not-found")
    refused(market.buyer.post(path, LESS), 403, "insufficient-scope")
    refused(market.provider.post(path, LESS | {"bytes": -(10**9)}), 409, "correction-too-large")
    refused(market.provider.post(path, LESS | {"bytes": -1.5}), 422, "invalid-input", "/bytes")
    refused(market.provider.post(path, LESS | {"reference": "a b"}), 422, "invalid-input", "/reference")
    refused(market.provider.post(path, LESS | {"reason": " "}), 422, "invalid-input", "/reason")
    refused(market.provider.post(path, LESS | {"bytes": 0}), 422, "invalid-input", "")
    assert (row_counts(), audit_count()) == (before, entries)
