"""What auditors look at of others is on the record, at every address that the permission table opens to them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.audit import looks, queries, service
from marketplace.audit.models import Look
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.identity import looking
from marketplace.identity.actors import Actor
from marketplace.identity.permissions import PERMISSIONS, Permission
from marketplace.identity.states import Capacity, MemberRole
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from tests.api.callers import _member
from tests.api.routes import PLACEHOLDER, PREFIXES, Route, routes, unknown
from tests.api.trade import Market, party

NOON = clock.parse("2026-11-30T12:00:00+09:00")
# They record each time what was asked of them, which is more than the guard knows.
TELLING = {"/v1/audit/entries": Verb.RECORD_SEARCHED, "/v1/audit/export": Verb.RECORD_EXPORTED}


def told() -> list[tuple[str, str, str]]:
    """Who looked at what, where."""
    entries = [one.entry for one in queries.all_entries(Search(verb=Verb.TRADES_LOOKED_AT.value))]
    return [(entry.organization_id, entry.subject, entry.facts["address"]) for entry in entries]


def open_to_auditors(app: Flask) -> Iterator[Route]:
    for route in routes(app):
        rule = PERMISSIONS[route.permission]
        opened = Capacity.AUDITOR in rule.capacities or route.permission is Permission.DEEDS_READ
        if route.method == "GET" and rule.scope and opened:
            assert not rule.changes
            yield route


def test_every_address_that_the_table_opens_to_auditors_records_their_look(market: Market, app: Flask) -> None:
    looked = []
    with clock.stopped(NOON):
        token = market.auditor.with_scopes(*market_scopes())
        for route in open_to_auditors(app):
            ids = {name: unknown(name) if name in PREFIXES else "1" for name in PLACEHOLDER.findall(route.rule)}
            answer = token.get(PLACEHOLDER.sub(lambda found, ids=ids: ids[found[1]], route.rule))
            assert answer.status_code < 500, route
            if route.rule in TELLING:
                assert queries.search_entries(Search(verb=TELLING[route.rule].value)).items != []
                continue
            thing = next((one for one in ids.values() if "_" in one), market.auditor.organization_id)
            looked.append((market.auditor.organization_id, thing, route.rule))
    assert len(looked) > 40
    assert sorted(told()) == sorted(looked)


def market_scopes() -> set[str]:
    return {rule.scope for rule in PERMISSIONS.values() if rule.scope and Capacity.AUDITOR in rule.capacities}


def test_the_same_look_is_recorded_once_an_hour_for_each_client(market: Market, app: Flask) -> None:
    other = party(app, "another auditor", "auditor")
    with clock.stopped(NOON):
        for _ in range(3):
            market.auditor.get("/v1/orders")
        market.auditor.get("/v1/orders", query_string={"size": "1"})
        other.get("/v1/orders")
    with clock.stopped(NOON + timedelta(hours=1)):
        market.auditor.get("/v1/orders")
    mine = (market.auditor.organization_id, market.auditor.organization_id, "/v1/orders")
    theirs = (other.organization_id, other.organization_id, "/v1/orders")
    assert sorted(told()) == sorted([mine, mine, theirs])


def test_beyond_so_many_things_an_hour_the_record_says_that_there_were_more(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "THINGS_MAX", 2)
    orders = [new_id("ord") for _ in range(5)]
    with clock.stopped(NOON):
        for order in [*orders, orders[0]]:
            market.auditor.get(f"/v1/orders/{order}")
    assert [subject for _who, subject, _where in told()] == [*orders[:2], "more"]


def test_another_organization_is_looked_at_and_ones_own_is_not(market: Market) -> None:
    market.auditor.get("/v1/organizations/me")
    market.auditor.get(f"/v1/organizations/{market.auditor.organization_id}")
    market.auditor.get("/v1/clients")
    assert told() == []
    market.auditor.get(f"/v1/organizations/{market.buyer.organization_id}")
    where = "/v1/organizations/<organization_id>"
    assert told() == [(market.auditor.organization_id, market.buyer.organization_id, where)]


def test_a_member_in_the_role_of_auditor_looks_as_an_auditor_does_and_others_of_the_operator_do_not(
    market: Market,
) -> None:
    person = _member(market.operator, MemberRole.AUDITOR, clock.now())
    market.operator.get("/v1/orders")
    market.buyer.get("/v1/orders")
    assert told() == []
    assert person.get("/v1/orders").status_code == 200
    assert told() == [(person.organization_id, person.organization_id, "/v1/orders")]


def test_who_is_refused_has_looked_at_nothing(market: Market) -> None:
    blind = market.auditor.with_scopes("organization:read")
    assert blind.get("/v1/orders").status_code == 403
    assert told() == []


def test_a_look_that_cannot_be_recorded_does_not_happen(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any, **_named: Any) -> str:
        raise OSError("the disk is full")

    monkeypatch.setattr(service, "record", fail)
    market.app.config["PROPAGATE_EXCEPTIONS"] = False
    try:
        answer = market.auditor.get("/v1/orders")
    finally:
        market.app.config["PROPAGATE_EXCEPTIONS"] = None
    assert answer.status_code == 500
    assert "items" not in answer.text
    assert db.session.scalar(select(func.count()).select_from(Look)) == 0


def test_what_only_keeps_looks_apart_is_dropped_after_its_day(app: Flask) -> None:
    del app
    auditor = Actor("org_1", "cli_1", capacities=frozenset({Capacity.AUDITOR}))
    with clock.stopped(NOON):
        looking.note_look(auditor, Permission.ORDERS_READ, "/v1/orders", {})
        looks.forget()
        assert db.session.scalar(select(func.count()).select_from(Look)) == 1
    with clock.stopped(NOON + timedelta(days=1)):
        looks.forget()
    assert db.session.scalar(select(func.count()).select_from(Look)) == 0
    assert told() == [("org_1", "org_1", "/v1/orders")]


def test_names_of_files_are_not_repeated(market: Market) -> None:
    release = new_id("rel")
    market.auditor.get(f"/v1/releases/{release}/files/山田太郎の所得.csv")
    assert told() == [(market.auditor.organization_id, release, "/v1/releases/<release_id>/files/<name>")]
