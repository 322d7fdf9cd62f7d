"""What belongs to another tenant is answered, on every route with an id, just as what was never there."""

import pytest
from flask import Flask

from tests.api.routes import OF_EVERYBODY, Everything, Route, everything_of, hide, routes, unknown
from tests.api.trade import Market, Party, party, refused, row_counts

HOSTILE = [
    "\0",
    "a\0b",
    "' OR '1'='1",
    "1; DROP TABLE dataset; --",
    "../../etc/passwd",
    "%2e%2e",
    "日本語の識別子",
    "ＤＳ＿０１",
    "\u202egrt",
    "💴",
    "x" * 10_000,
    "null",
    "-1",
    "{}",
    "%s%n",
]


@pytest.fixture
def everything(market: Market) -> Everything:
    return everything_of(market)


@pytest.fixture
def addressed(app: Flask) -> list[Route]:
    """The routes with an id that are not open to the public, nor about what is everybody's."""
    return [route for route in routes(app) if route.things and route.demands.scope and str(route) not in OF_EVERYBODY]


def _strangers(market: Market) -> list[Party]:
    return [market.rival, market.stranger, party(market.app, "both", "provider", "buyer")]


def _may_call(route: Route, who: Party) -> bool:
    capacities = {"rival": {"provider"}, "stranger": {"buyer"}}.get(who.role, {"provider", "buyer"})
    return not route.demands.capacities or bool(route.demands.capacities & capacities)


def test_foreign_ids_answer_as_unknown_ids(market: Market, everything: Everything, addressed: list[Route]) -> None:
    # A public dataset may be tried, cited and objected to by everybody.
    hide(market, everything)
    strangers = _strangers(market)
    before, compared = row_counts(), 0
    for route in addressed:
        for who in filter(lambda who: _may_call(route, who), strangers):
            foreign = refused(everything.send(who, route), 404, _slug(route))
            absent = refused(
                everything.send(who, route, **{name: unknown(name) for name in route.things}), 404, _slug(route)
            )
            assert foreign.pop("instance") != absent.pop("instance")
            assert foreign == absent, (str(route), who.role)
            compared += 1
    assert compared > 50
    assert row_counts() == before


def test_hostile_ids_are_unknown_ids(market: Market, everything: Everything, app: Flask) -> None:
    owner = party(market.app, "owner of nothing", "provider", "buyer", "operator")
    before = row_counts()
    for route in (route for route in routes(app) if route.things):
        for hostile in [*HOSTILE, *(everything.ids[name].upper() for name in route.things[:1])]:
            answer = everything.send(owner, route, **dict.fromkeys(route.things, hostile))
            assert answer.status_code == (400 if "\0" in hostile else 404), (
                str(route),
                hostile[:40],
                answer.text[:300],
            )
            assert answer.content_type == "application/problem+json"
    assert row_counts() == before


def test_auditors_and_operators_find_hostile_ids_nowhere(market: Market, everything: Everything, app: Flask) -> None:
    for route in (route for route in routes(app) if route.things and route.method == "GET"):
        for hostile in HOSTILE:
            answer = everything.send(market.auditor, route, **dict.fromkeys(route.things, hostile))
            assert answer.status_code in ({400} if "\0" in hostile else {403, 404}), (
                str(route),
                hostile[:40],
                answer.text[:300],
            )


def _slug(route: Route) -> str:
    own = {"order", "invoice", "document", "refund", "dispute", "payout"}
    thing = route.things[0].removesuffix("_id")
    return f"{thing}-not-found" if thing in own else "not-found"
