"""Callers x routes: who gets in, who is turned away how, and that being turned away changes nothing."""

import pytest
from flask import Flask

from marketplace.identity.permissions import scopes_for
from marketplace.identity.states import Capacity
from tests.api.routes import Everything, Route, everything_of, routes
from tests.api.trade import Market, Party, party, refused, row_counts

ROLES = {
    Capacity.PROVIDER: "provider",
    Capacity.BUYER: "buyer",
    Capacity.OPERATOR: "operator",
    Capacity.AUDITOR: "auditor",
}
EVERY_SCOPE = sorted(scopes_for(frozenset(Capacity)))


@pytest.fixture
def everything(market: Market) -> Everything:
    return everything_of(market)


@pytest.fixture
def guarded(app: Flask) -> list[Route]:
    return [route for route in routes(app) if route.demands.scope]


def test_no_route_lets_anybody_in_without_a_token(market: Market, everything: Everything, guarded: list[Route]) -> None:
    before = row_counts()
    for route in guarded:
        answer = everything.send(market.nobody, route)
        refused(answer, 401, "not-authenticated")
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="musubi"'), route
        assert "error=" not in challenge, f"{route}: RFC 6750 section 3.1 gives no error code without a token"
    assert row_counts() == before
    assert len(guarded) >= 40


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer eyJhbGciOiJub25lIn0.e30.", "é"]
)
def test_no_route_takes_a_malformed_token(
    market: Market, everything: Everything, guarded: list[Route], header: str
) -> None:
    forger = Party(market.app, "forger")
    for route in guarded[:: len(guarded) // 8]:
        sent = everything.send(_with_header(forger, header), route)
        refused(sent, 401, "invalid-token")
        assert 'error="invalid_token"' in sent.headers["WWW-Authenticate"]


def test_no_route_takes_a_token_without_its_scope(market: Market, everything: Everything, guarded: list[Route]) -> None:
    everywhere = _almighty(market)
    tokens = {scope: everywhere.with_scopes(*(set(EVERY_SCOPE) - {scope})) for scope in EVERY_SCOPE}
    before = row_counts()
    for route in guarded:
        answer = everything.send(tokens[route.demands.scope or ""], route)
        document = refused(answer, 403, "insufficient-scope")
        assert document["scope"] == route.demands.scope
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert f'scope="{route.demands.scope}"' in challenge, route
    assert row_counts() == before


def test_no_route_takes_a_caller_of_another_capacity(
    market: Market, everything: Everything, guarded: list[Route]
) -> None:
    callers = {role: getattr(market, ROLES[role]).with_scopes(*EVERY_SCOPE) for role in Capacity}
    before, tried = row_counts(), 0
    for route in guarded:
        for role in set(Capacity) - (route.demands.capacities or set(Capacity)):
            refused(everything.send(callers[role], route), 403, "capacity-missing")
            tried += 1
    assert tried > 60
    assert row_counts() == before


def test_an_applicant_reads_its_own_organization_and_nothing_else(
    market: Market, everything: Everything, guarded: list[Route]
) -> None:
    applicant = party(market.app, "applicant", "provider", "buyer", applicant=True)
    everywhere = applicant.with_scopes(*EVERY_SCOPE)
    own = {"organization_id": applicant.organization_id, "client_id": applicant.client_id}
    before = row_counts()
    for route in guarded:
        answer = everything.send(everywhere, route, **own)
        if route.demands.capacities:
            refused(answer, 403, "capacity-missing")
        else:
            # Delegations and receipts of deeds are seen by their two sides alone.
            strangers = any(thing in route.rule for thing in ("<delegation_id>", "<entry_id>"))
            assert (route.method, answer.status_code) == ("GET", 404 if strangers else 200), route
    assert row_counts() == before
    assert applicant.get("/v1/organizations/me").json["state"] == "applied"


def test_an_auditor_can_change_nothing(market: Market, everything: Everything, app: Flask) -> None:
    auditor = market.auditor.with_scopes(*EVERY_SCOPE)
    before = row_counts()
    for route in routes(app):
        if route.demands.changes and route.demands.scope:
            refused(everything.send(auditor, route), 403, "capacity-missing")
    assert row_counts() == before


def test_no_route_answers_other_methods(market: Market, everything: Everything, app: Flask) -> None:
    before = row_counts()
    for rule in {route.rule for route in routes(app)}:
        for method in ("TRACE", "PROPFIND", "FOO"):
            answer = everything.send(market.operator, Route(method, rule, routes(app)[0].permission))
            refused(answer, 405, "method-not-allowed")
            assert answer.headers["Allow"]
    assert row_counts() == before


def test_a_suspended_organization_is_out_at_once(market: Market, everything: Everything, guarded: list[Route]) -> None:
    market.operator.post(f"/v1/organizations/{market.buyer.organization_id}/suspend", {"reason": "未払い"})
    before = row_counts()
    for route in guarded:
        refused(everything.send(market.buyer, route), 401, "invalid-token")
    assert row_counts() == before


def test_answers_for_one_caller_stay_out_of_caches(
    market: Market, everything: Everything, guarded: list[Route]
) -> None:
    for route in guarded:
        for caller in (market.provider, market.buyer, market.operator):
            answer = everything.send(caller, route)
            assert "no-store" in answer.headers["Cache-Control"], (route, caller.role)
            assert answer.headers["X-Content-Type-Options"] == "nosniff", (route, caller.role)
            assert answer.status_code < 500, (route, answer.text)


def _almighty(market: Market) -> Party:
    return party(market.app, "almighty", "provider", "buyer", "operator")


def _with_header(forger: Party, header: str) -> Party:
    class Sender(Party):
        def call(self, method, path, **kwargs):
            kwargs["headers"] = {"Authorization": header} | dict(kwargs.pop("headers", {}))
            return super().call(method, path, **kwargs)

    return Sender(forger.app, forger.role)
