"""Every address that takes a body, and every one that takes a key, found in the description: none is forgotten."""

import json
from typing import Any

import pytest
from flask import Flask

from marketplace.identity.states import Capacity
from tests.api.routes import PLACEHOLDER, Everything, Route, everything_of, routes
from tests.api.trade import Market, Party, call, fresh_key, ok, refused, row_counts

HOSTILE = ("2.5", "true", "-1", str(2**63), "1e30", '"一万"', '"１０"', '"10"', "[1]", "{}")


@pytest.fixture
def everything(market: Market) -> Everything:
    return everything_of(market)


@pytest.fixture
def description(app: Flask) -> dict[str, Any]:
    return ok(call(app, "GET", "/openapi.json"))


def operation(description: dict[str, Any], route: Route) -> dict[str, Any]:
    return description["paths"][PLACEHOLDER.sub(r"{\1}", route.rule)][route.method.lower()]


def body_schema(description: dict[str, Any], route: Route) -> dict[str, Any] | None:
    content = operation(description, route).get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    reference = content["application/json"]["schema"]["$ref"]
    return description["components"]["schemas"][reference.rsplit("/", 1)[1]]


def caller(market: Market, route: Route) -> Party:
    """Somebody who may: otherwise the capacity would be what is refused."""
    may = route.demands.capacities
    if route.demands.scope is None:
        return market.nobody
    roles = {Capacity.PROVIDER: market.provider, Capacity.BUYER: market.buyer, Capacity.OPERATOR: market.operator}
    return next(party for capacity, party in roles.items() if not may or capacity in may)


def send(market: Market, everything: Everything, route: Route, raw: str, key: str | None = None) -> Any:
    path = PLACEHOLDER.sub(lambda found: everything.ids[found[1]], route.rule)
    headers = {"Idempotency_Key": key or fresh_key(), "If_Match": '"1"'}
    return caller(market, route).send(route.method, path, raw, **headers)


def with_bodies(app: Flask, description: dict[str, Any]) -> list[tuple[Route, dict[str, Any]]]:
    return [(route, schema) for route in routes(app) if (schema := body_schema(description, route)) is not None]


def test_no_address_takes_a_field_that_it_does_not_know(
    app: Flask, market: Market, everything: Everything, description: dict[str, Any]
) -> None:
    before, tried = row_counts(), 0
    for route, _schema in with_bodies(app, description):
        body = everything.bodies.get(str(route), {}) | {"金額": 1, "amount_minor": 1}
        document = refused(send(market, everything, route, json.dumps(body)), 422, "invalid-input")
        told = {error["pointer"] for error in document["errors"] if error["detail"] == "Unknown field."}
        assert told == {"/金額", "/amount_minor"}, str(route)
        tried += 1
    assert tried >= 30
    assert row_counts() == before


def is_integer(schema: dict[str, Any]) -> bool:
    return "integer" in ([schema.get("type")] if isinstance(schema.get("type"), str) else schema.get("type") or [])


def test_no_address_takes_a_number_that_is_no_whole_one_or_out_of_bounds(
    app: Flask, market: Market, everything: Everything, description: dict[str, Any]
) -> None:
    before, tried = row_counts(), set()
    for route, schema in with_bodies(app, description):
        for field in (name for name, one in schema.get("properties", {}).items() if is_integer(one)):
            below_zero = schema["properties"][field].get("minimum", 0) < 0  # what a correction takes back
            for number in (one for one in HOSTILE if not (below_zero and one == "-1")):
                body = json.dumps(everything.bodies.get(str(route), {}) | {field: "@"}).replace('"@"', number)
                document = refused(send(market, everything, route, body), 422, "invalid-input")
                assert f"/{field}" in {error["pointer"] for error in document["errors"]}, (str(route), field, number)
            body = json.dumps(everything.bodies.get(str(route), {}) | {field: "@"}).replace('"@"', "1e400")
            refused(send(market, everything, route, body), 400, "bad-request")
            tried.add(f"{route} {field}")
    assert len(tried) >= 14, tried
    assert row_counts() == before


def keyed(app: Flask, description: dict[str, Any]) -> list[Route]:
    return [
        route
        for route in routes(app)
        for one in operation(description, route).get("parameters", [])
        if one["name"] == "Idempotency-Key"
    ]


def test_what_costs_or_creates_needs_a_key_and_a_key_does_one_thing(
    app: Flask, market: Market, everything: Everything, description: dict[str, Any]
) -> None:
    done = set()
    for route in keyed(app, description):
        body = json.dumps(everything.bodies.get(str(route), {}))
        before = row_counts()
        path = route.rule
        for name, value in everything.ids.items():
            path = path.replace(f"<{name}>", value)
        bare = caller(market, route).send(route.method, path, body)
        refused(bare, 400, "idempotency-key-missing")
        refused(send(market, everything, route, body, key="k" * 256), 400, "idempotency-key-missing")
        assert row_counts() == before, str(route)
        key = fresh_key()
        first = send(market, everything, route, body, key=key)
        if first.status_code >= 400:  # another deed of the fixture stands before it; it took no key with it
            assert row_counts() == before, (str(route), first.text)
            continue
        after = row_counts()
        again = send(market, everything, route, body, key=key)
        assert (again.status_code, again.json) == (first.status_code, first.json), str(route)
        assert again.headers["Idempotent-Replayed"] == "true", str(route)
        assert "Idempotent-Replayed" not in first.headers, str(route)
        other = next(
            one
            for one in keyed(app, description)
            if str(one) != str(route) and caller(market, one) == caller(market, route)
        )
        other_body = json.dumps(everything.bodies.get(str(other), {}))
        refused(send(market, everything, other, other_body, key=key), 422, "idempotency-key-reused")
        assert row_counts() == after, str(route)
        done.add(str(route))
    assert len(done) >= 12, sorted(done)
