"""A client gets no more scopes than the token that registers it or renews its secret."""

from tests.api.trade import Market, ok, refused

NARROW = ("organization:manage", "organization:read")


def test_a_narrow_token_registers_no_wide_client(market: Market) -> None:
    narrow = market.buyer.with_scopes(*NARROW)
    before = ok(market.buyer.get("/v1/clients"))["items"]

    said = refused(
        narrow.post("/v1/clients", {"name": "batch", "scopes": ["orders:write"]}), 422, "scope-not-available"
    )
    assert said["available"] == sorted(NARROW)
    assert ok(market.buyer.get("/v1/clients"))["items"] == before

    assert ok(narrow.post("/v1/clients", {"name": "batch"}), 201)["scopes"] == sorted(NARROW)


def test_a_narrow_token_renews_no_secret_of_a_wide_client(market: Market) -> None:
    narrow = market.buyer.with_scopes(*NARROW)

    refused(narrow.post(f"/v1/clients/{market.buyer.client_id}/rotate-secret"), 403, "insufficient-scope")

    made = ok(narrow.post("/v1/clients", {"name": "batch"}), 201)
    assert ok(narrow.post(f"/v1/clients/{made['id']}/rotate-secret"))["secret"] != made["secret"]
    assert ok(market.buyer.post(f"/v1/clients/{market.buyer.client_id}/rotate-secret"))["id"] == market.buyer.client_id
