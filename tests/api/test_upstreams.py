"""What a provider offers of its own API: checked when it is given, shown to everybody but for its secrets, taken back."""

import json
from typing import Any

import pytest

from marketplace.catalog.upstreams import rules
from tests.api.trade import Market, audit_count, ok, refused, row_counts
from tests.api.upstreams import OPENAPI, UPSTREAM, put, sold


def test_what_is_offered_is_read_by_its_provider_without_secrets_and_taken_back(market: Market) -> None:
    dataset_id = market.goods().dataset_id
    path = f"/v1/datasets/{dataset_id}/upstream"
    refused(market.provider.get(path), 404, "not-found")
    deeds = audit_count()
    named = ok(put(market, dataset_id))
    assert audit_count() == deeds + 1
    assert {name: named[name] for name in ("base_url", "paths", "parameters")} == {
        name: UPSTREAM[name] for name in ("base_url", "paths", "parameters")
    }
    assert (named["header_names"], named["has_openapi"]) == (["x-api-key"], True)
    assert ok(market.provider.get(path)) == named
    assert ok(market.auditor.get(path))["base_url"] == "https://data.example.jp/"
    refused(market.rival.get(path), 404, "not-found")
    refused(put(market, dataset_id, market.rival), 404, "not-found")

    changed = ok(put(market, dataset_id, headers=[], openapi=None, requests_per_minute=5))
    assert (changed["header_names"], changed["has_openapi"], changed["requests_per_minute"]) == ([], False, 5)
    refused(market.rival.call("DELETE", path), 404, "not-found")
    assert ok(market.provider.get(path)) == changed
    assert market.provider.call("DELETE", path).status_code == 204
    refused(market.provider.call("DELETE", path), 404, "not-found")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "http": ({"base_url": "http://data.example.jp/"}, "/base_url"),
    "port": ({"base_url": "https://data.example.jp:8443/"}, "/base_url"),
    "query": ({"base_url": "https://data.example.jp/?key=1"}, "/base_url"),
    "dots in the base": ({"base_url": "https://data.example.jp/a/../b"}, "/base_url"),
    "template in the base": ({"base_url": "https://data.example.jp/{id}"}, "/base_url"),
    "no paths": ({"paths": []}, "/paths"),
    "dots": ({"paths": ["/a/../b"]}, "/paths/0"),
    "encoded dots": ({"paths": ["/a", "/%2e%2e"]}, "/paths/1"),
    "star in the middle": ({"paths": ["/*/b"]}, "/paths/0"),
    "relative": ({"paths": ["a"]}, "/paths/0"),
    "double slash": ({"paths": ["//evil.example/a"]}, "/paths/0"),
    "token": ({"parameters": ["access_token"]}, "/parameters/0"),
    "odd parameter": ({"parameters": ["a&b"]}, "/parameters/0"),
    "line break": ({"headers": [{"name": "X-Key", "value": "a\r\nHost: b"}]}, "/headers/0/value"),
    "beyond ASCII": ({"headers": [{"name": "X-Key", "value": "鍵"}]}, "/headers/0/value"),
    "blank end": ({"headers": [{"name": "X-Key", "value": "a "}]}, "/headers/0/value"),
    "odd name": ({"headers": [{"name": "X Key", "value": "a"}]}, "/headers/0/name"),
    "host": ({"headers": [{"name": "Host", "value": "a"}]}, "/headers/0/name"),
    "framing": ({"headers": [{"name": "transfer-encoding", "value": "chunked"}]}, "/headers/0/name"),
    "twice": ({"headers": [{"name": "X-K", "value": "a"}, {"name": "x-k", "value": "b"}]}, "/headers"),
    "no requests": ({"requests_per_minute": 0}, "/requests_per_minute"),
    "large description": ({"openapi": {"x": "y" * rules.OPENAPI_BYTES_MAX}}, "/openapi"),
}


@pytest.mark.parametrize(("changes", "pointer"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_offered_safely_is_refused_and_changes_nothing(
    market: Market, changes: dict[str, Any], pointer: str
) -> None:
    dataset_id = market.dataset()["id"]
    before = row_counts()
    refused(put(market, dataset_id, **changes), 422, "invalid-input", pointer)
    assert row_counts() == before


def test_the_description_is_shown_to_everybody_as_data(market: Market) -> None:
    _grant_id, goods = sold(market)
    path = f"/v1/datasets/{goods.dataset_id}/upstream/openapi"
    shown = market.nobody.get(path)
    assert (shown.status_code, shown.content_type) == (200, "application/json")
    assert list(json.loads(shown.data)) == list(OPENAPI)
    assert ok(shown) == OPENAPI
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    ok(put(market, goods.dataset_id, openapi=None))
    refused(market.nobody.get(path), 404, "not-found")
    draft = market.dataset()["id"]
    ok(put(market, draft))
    refused(market.nobody.get(f"/v1/datasets/{draft}/upstream/openapi"), 404, "not-found")
