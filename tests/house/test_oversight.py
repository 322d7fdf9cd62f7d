"""Auditors see every trade, change nothing, and no overseer sees a byte of what is sold."""

import pytest
from sqlalchemy import inspect, text

from marketplace.identity.actors import Actor
from marketplace.identity.errors import CapacityMissing, InsufficientScope
from marketplace.identity.judging import require
from marketplace.identity.permissions import PERMISSIONS, Permission, scopes_for
from marketplace.identity.states import Capacity
from marketplace.kit.db import db
from tests.factories.market import CONTENT

SAFE = {"GET", "HEAD", "OPTIONS"}
ALL_SCOPES = frozenset(rule.scope for rule in PERMISSIONS.values() if rule.scope)
# What is nobody's trade: the inside of an organization stays with it.
OWN_HOUSE = {
    Permission.BUDGETS_READ,
    Permission.DEMAND_READ_OWN,
    Permission.WATCHES_READ,
    Permission.MEMBERS_READ,
    Permission.CLIENTS_READ,
    Permission.DELEGATIONS_READ,
    Permission.GROUPS_READ,
    Permission.WEBHOOKS_READ,
    Permission.BANK_ACCOUNT_READ,
    Permission.PAYOUT_ACCOUNT_READ,
}


def routes(app, *, changing):
    for rule in sorted(app.url_map.iter_rules(), key=str):
        permission = getattr(app.view_functions[rule.endpoint], "_permission", None)
        if permission is not None and rule.rule.startswith("/v1"):
            for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
                if (method not in SAFE) == changing:
                    yield permission, method, rule.rule


def everything():
    """A hash of every row of every table."""
    db.session.rollback()
    tables = [name for name in inspect(db.engine).get_table_names() if not name.startswith("procrastinate_")]
    rows = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM "
    hashes = {name: tuple(db.session.execute(text(f'{rows} "{name}" t')).one()) for name in tables}
    db.session.rollback()
    return hashes


@pytest.mark.parametrize("permission", [name for name, rule in PERMISSIONS.items() if rule.changes and rule.scope])
def test_the_table_lets_no_auditor_change_anything(permission):
    auditor = Actor("org_x", "cli_x", None, ALL_SCOPES, frozenset({Capacity.AUDITOR}))
    with pytest.raises(CapacityMissing):
        require(auditor, permission)
    own_scopes = scopes_for(frozenset({Capacity.AUDITOR}))
    if PERMISSIONS[permission].scope not in own_scopes:
        with pytest.raises(InsufficientScope):
            require(Actor("org_x", "cli_x", None, own_scopes, frozenset({Capacity.AUDITOR})), permission)


@pytest.mark.parametrize("capacity", [Capacity.OPERATOR, Capacity.AUDITOR, Capacity.PROVIDER])
def test_the_table_lets_only_buyers_fetch_files(capacity):
    with pytest.raises(CapacityMissing):
        require(Actor("org_x", "cli_x", None, ALL_SCOPES, frozenset({capacity})), Permission.FILES_FETCH)


def test_an_auditor_is_refused_at_every_address_that_changes_something(exchange, trade, caller):
    auditor, wire = caller(Capacity.AUDITOR), exchange.test_client()
    before = everything()
    asked = 0
    for permission, method, rule in routes(exchange, changing=True):
        if PERMISSIONS[permission].scope is None:
            # Applying to take part is open to the world; an auditor's token adds nothing to it.
            assert permission == Permission.ORGANIZATION_APPLY
            continue
        answer = wire.open(trade.path(rule), method=method, json={}, headers=auditor | {"Idempotency-Key": "look"})
        assert answer.status_code == 403, (method, rule, answer.text)
        assert answer.json["type"].endswith(("/insufficient-scope", "/capacity-missing"))
        asked += 1
    assert asked > 15
    assert everything() == before


def test_an_auditor_reads_everything_about_a_trade_of_others(exchange, trade, caller):
    auditor, wire = caller(Capacity.AUDITOR), exchange.test_client()
    seen = set()
    for permission, _method, rule in routes(exchange, changing=False):
        if permission in OWN_HOUSE or permission == Permission.FILES_FETCH or "<entry_id>" in rule:
            continue
        queries = {
            "/v1/offers": {"dataset_id": trade.ids["dataset_id"]},
            "/v1/audit/receipts": {"subject": trade.ids["order_id"]},
            "/v1/price-guidance": {"theme": "population"},
        }
        answer = wire.open(trade.path(rule), query_string=queries.get(rule), headers=auditor, buffered=True)
        assert answer.status_code == 200, (rule, answer.text)
        seen.add(permission)
        if answer.is_json and "items" in answer.json:
            assert answer.json["items"], rule
    assert {Permission.ORDERS_READ, Permission.INVOICES_READ, Permission.GRANTS_READ, Permission.USAGE_READ} <= seen
    assert {Permission.LEDGER_READ, Permission.AUDIT_READ, Permission.DATASETS_READ, Permission.LICENSING_READ} <= seen
    entry = wire.get("/v1/audit/entries", headers=auditor).json["items"][0]
    assert wire.get(f"/v1/audit/entries/{entry['id']}", headers=auditor).json["verb"] == entry["verb"]


def test_the_inside_of_an_organization_stays_with_it(exchange, trade, caller):
    wire = exchange.test_client()
    for capacity in (Capacity.AUDITOR, Capacity.OPERATOR, Capacity.PROVIDER):
        who = caller(capacity)
        assert wire.get(trade.path("/v1/organizations/<organization_id>/members"), headers=who).status_code == 404
        assert wire.get(trade.path("/v1/clients/<client_id>"), headers=who).status_code == 404
        assert wire.get(trade.path("/v1/delegations/<delegation_id>"), headers=who).status_code == 404
        assert wire.get("/v1/clients", headers=who).json["items"] != []
        assert trade.ids["client_id"] not in wire.get("/v1/clients", headers=who).text


@pytest.mark.parametrize("capacities", [[Capacity.AUDITOR], [Capacity.OPERATOR], [Capacity.OPERATOR, Capacity.BUYER]])
def test_no_overseer_gets_a_byte_of_a_file(exchange, trade, caller, capacities):
    overseer, wire = caller(*capacities), exchange.test_client()
    path = trade.path("/v1/grants/<grant_id>/files/<name>")
    before = everything()
    for headers in ({}, {"Range": "bytes=0-3"}, {"If-None-Match": '"x"'}):
        for method in ("GET", "HEAD"):
            answer = wire.open(path, method=method, headers=overseer | headers)
            assert answer.status_code in {403, 404}, answer.text
            assert CONTENT not in answer.data
            assert "Digest" not in " ".join(answer.headers.keys())
    assert everything() == before


def test_what_overseers_read_of_a_file_holds_none_of_its_rows(exchange, trade, caller):
    wire = exchange.test_client()
    for capacity in (Capacity.AUDITOR, Capacity.OPERATOR):
        who = caller(capacity)
        for rule in (
            "/v1/grants/<grant_id>/files",
            "/v1/releases/<release_id>",
            "/v1/releases/<release_id>/files/<name>",
        ):
            answer = wire.get(trade.path(rule), headers=who)
            assert answer.status_code == 200
            assert "大通" not in answer.get_data(as_text=True)
