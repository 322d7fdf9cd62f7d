"""The OpenAPI description: valid, complete, and kept by what the interface really answers."""

from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate

from marketplace.identity.permissions import PERMISSIONS
from tests.api.routes import PLACEHOLDER, routes
from tests.api.trade import Market, call, ok

METHODS = {"get", "put", "post", "patch", "delete", "head", "options", "trace"}
KEYED = {
    "POST /v1/catalog/{dataset_id}/trial",
    "POST /v1/data-requests",
    "POST /v1/data-requests/{request_id}/answers",
    "POST /v1/bank/account",
    "POST /v1/bank/applications",
    "POST /v1/bank/lines/{line_id}/assign",
    "POST /v1/bank/lines/{line_id}/return",
    "POST /v1/bank/returns",
    "POST /v1/documents/{document_id}/corrections",
    "POST /v1/invoices/{invoice_id}/pay",
    "POST /v1/invoices/{invoice_id}/refunds",
    "POST /v1/orders",
    "POST /v1/orders/{order_id}/cancel",
    "POST /v1/orders/{order_id}/slip",
    "POST /v1/payout-files",
    "POST /v1/payouts",
    "POST /v1/payouts/claims",
    "POST /v1/payouts/{payout_id}/approve",
    "POST /v1/payouts/{payout_id}/cancel",
    "POST /v1/payouts/{payout_id}/failed",
    "POST /v1/payouts/{payout_id}/paid",
    "POST /v1/payouts/{payout_id}/sent",
    "POST /v1/holds",
    "POST /v1/incidents",
    "POST /v1/quotes",
    "POST /v1/receivables/{organization_id}/limit",
    "POST /v1/refunds/{refund_id}/bank",
    "POST /v1/service-levels",
}
VERSIONED = {
    "PATCH /v1/budgets/{budget_id}",
    "PATCH /v1/datasets/{dataset_id}",
    "PUT /v1/datasets/{dataset_id}/dictionary",
    "PUT /v1/datasets/{dataset_id}/lineage",
    "PUT /v1/teasers/{teaser_id}",
    "PATCH /v1/webhooks/{webhook_id}",
}
# Its secret opens it, and it stands outside the interface that tokens open.
TICKETS = "GET /tickets/{secret}"


@pytest.fixture
def description(app: Flask) -> dict[str, Any]:
    return ok(call(app, "GET", "/openapi.json"))


@pytest.fixture
def operations(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_it_is_valid_openapi_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1.")
    validate(description)


def test_every_route_is_in_it_with_its_permission_and_scope(app: Flask, operations: dict[str, dict[str, Any]]) -> None:
    described = {
        name: (operation["x-permission"], [scheme["oauth2"][0] for scheme in operation["security"]])
        for name, operation in operations.items()
    }
    real = {
        f"{route.method} {_templated(route.rule)}": (
            route.permission.value,
            [route.demands.scope] if route.demands.scope else [],
        )
        for route in routes(app)
    }
    assert described.pop(TICKETS) == ("tickets.use", [])
    assert described == real


def test_every_operation_says_what_it_does_and_has_a_name(operations: dict[str, dict[str, Any]]) -> None:
    for name, operation in operations.items():
        assert operation["summary"].endswith((".", "?")), name
        assert operation["tags"], name


def test_every_refusal_is_described_as_a_problem(operations: dict[str, dict[str, Any]]) -> None:
    for name, operation in operations.items():
        scope = PERMISSIONS[operation["x-permission"]].scope
        expected = {"default"} | ({"401", "403"} if scope else set()) | ({"404"} if "{" in name else set())
        expected |= (
            {"400", "413", "415", "422"}
            if "application/json" in operation.get("requestBody", {}).get("content", {})
            else set()
        )
        assert expected <= set(operation["responses"]), name
        for status, answer in operation["responses"].items():
            if status == "default" or (status >= "400" and "content" in answer):
                reference = answer["content"]["application/problem+json"]["schema"]["$ref"]
                assert reference == "#/components/schemas/Problem", (name, status)


def test_headers_that_are_needed_are_described(operations: dict[str, dict[str, Any]]) -> None:
    def needing(header: str) -> set[str]:
        return {
            name
            for name, operation in operations.items()
            for parameter in operation.get("parameters", [])
            if (parameter["in"], parameter["name"], parameter.get("required")) == ("header", header, True)
        }

    assert needing("Idempotency-Key") == KEYED
    assert needing("If-Match") == VERSIONED


def test_every_scope_that_is_asked_for_is_explained(
    description: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    flows = description["components"]["securitySchemes"]["oauth2"]["flows"]
    asked = {
        scope for operation in operations.values() for scheme in operation["security"] for scope in scheme["oauth2"]
    }
    assert asked == set(flows["clientCredentials"]["scopes"])


def test_integers_and_ids_are_described_as_such(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    assert schemas["PriceDraft"]["properties"]["amount_yen"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 999_999_999_999,
    }
    assert schemas["OrderDraft"]["additionalProperties"] is False
    assert schemas["OrderDraft"]["properties"]["offer_id"]["pattern"]


def test_it_names_the_server_it_is_of(market: Market, description: dict[str, Any]) -> None:
    assert description["servers"] == [{"url": market.app.config["MUSUBI_SETTINGS"].base_url}]


def _templated(rule: str) -> str:
    return PLACEHOLDER.sub(r"{\1}", rule)
