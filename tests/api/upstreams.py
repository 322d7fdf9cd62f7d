"""A dataset whose provider lets buyers ask its own API through the exchange."""

from typing import Any

from werkzeug.test import TestResponse

from tests.api.trade import Goods, Market, Party, ok

SECRET = "k-3f9c2d71-never-shown"
BODY = b'{"station": "\xe5\xa4\xa7\xe9\x80\x9a", "passers_by": 123}'
OPENAPI = {"openapi": "3.1.0", "info": {"title": "人流API", "version": "1"}, "paths": {}, "x-note": "<script>"}
UPSTREAM: dict[str, Any] = {
    "base_url": "https://data.example.jp/v1",
    "paths": ["/stations", "/stations/{id}", "/open/*"],
    "parameters": ["day", "limit"],
    "headers": [{"name": "X-Api-Key", "value": SECRET}],
    "requests_per_minute": 100,
    "openapi": OPENAPI,
}


def put(market: Market, dataset_id: str, who: Party | None = None, **changes: Any) -> TestResponse:
    return (who or market.provider).call("PUT", f"/v1/datasets/{dataset_id}/upstream", json=UPSTREAM | changes)


def sold(market: Market, kind: str = "free", limits: dict[str, Any] | None = None, **changes: Any) -> tuple[str, Goods]:
    """A grant of a dataset with an upstream."""
    goods = market.goods()
    ok(put(market, goods.dataset_id, **changes))
    return market.bought(goods, kind, **limits or {})["grant_id"], goods


def ask(who: Party, grant_id: str, path: str = "stations/1", method: str = "GET", **more: Any) -> TestResponse:
    return who.call(method, f"/v1/grants/{grant_id}/api/{path}", **more)
