"""Cases, saved searches and overrides on the wire."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from flask import Flask

from marketplace.audit import queries as record
from marketplace.audit import sequencer
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.identity import members
from marketplace.identity import service as identity
from marketplace.identity.actors import Actor
from marketplace.identity.models import Member, Organization
from marketplace.identity.overrides import queries
from marketplace.identity.overrides import service as overrides
from marketplace.identity.permissions import STEP_UP_SECONDS
from marketplace.identity.states import MemberRole
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.callers import _member
from tests.api.trade import Market, Party, ok, party, refused
from tests.factories.identity import ApiClientFactory, MemberFactory
from tests.factories.oversight import case_of, in_person

REASON = "購入者の申し出による"


def opened_case(market: Market) -> str:
    """A case of a provider and a buyer that buy from each other."""
    return case_of(market.provider.organization_id, market.buyer.organization_id)


def test_the_operator_works_a_case_and_the_auditor_reads_it(market: Market) -> None:
    case_id = opened_case(market)
    member = MemberFactory(organization_id=market.operator.organization_id, organization=None).id
    path = f"/v1/cases/{case_id}"
    assert ok(market.operator.post(f"{path}/assign", {"member_id": member}))["state"] == "under_review"
    ok(market.operator.post(f"{path}/notes", {"words": "照会中"}), 201)
    assert ok(market.operator.post(f"{path}/close", {"reason": "問題なし"}))["state"] == "closed"
    read = ok(market.auditor.get(path))
    assert (read["assignee_id"], read["closed_reason"]) == (member, "問題なし")
    assert [note["words"] for note in ok(market.auditor.get(f"{path}/notes"))["items"]] == ["照会中"]
    entries = [ok(market.auditor.get(f"/v1/audit/entries/{entry}"))["verb"] for entry in read["evidence"]]
    assert entries == ["billing.order.placed"] * 2
    rules = ok(market.auditor.get("/v1/cases/rules"))["items"]
    assert read["rule"] in {rule["name"] for rule in rules}
    assert all(rule["explanation_ja"] and rule["verbs"] for rule in rules)


def test_a_case_is_given_to_nobody_of_another_organization(market: Market) -> None:
    case_id = opened_case(market)
    stranger = MemberFactory(organization_id=market.buyer.organization_id, organization=None).id
    refused(market.operator.post(f"/v1/cases/{case_id}/assign", {"member_id": stranger}), 404, "not-found")
    refused(market.auditor.post(f"/v1/cases/{case_id}/notes", {"words": "x"}), 403, "insufficient-scope")
    refused(market.operator.post(f"/v1/cases/{case_id}/close", {"reason": "x"}), 409, "case-moved")
    assert ok(market.operator.get(f"/v1/cases/{case_id}"))["state"] == "open"
    assert ok(market.operator.get(f"/v1/cases/{case_id}/notes"))["items"] == []


def test_a_saved_search_is_run_by_its_name_within_the_organization_and_by_auditors(market: Market, app: Flask) -> None:
    asked = {"verb": "catalog.dataset.registered", "occurred_from": "2020-01-01T00:00:00+09:00"}
    saved = ok(market.operator.post("/v1/audit/searches", {"name": "登録", "query": asked}), 201)
    assert saved["query"] == asked | {"occurred_from": "2019-12-31T15:00:00.000000Z"}
    for reader in (market.operator, market.auditor):
        assert [one["id"] for one in ok(reader.get("/v1/audit/searches"))["items"]] == [saved["id"]]
        found = ok(reader.get("/v1/audit/entries", query_string={"search_id": saved["id"]}))["items"]
        assert {entry["verb"] for entry in found} == {"catalog.dataset.registered"}
    named = {"name": "山田", "query": {"subject": "山田太郎"}}
    refused(market.operator.post("/v1/audit/searches", named), 422, "invalid-input", "/query/subject")
    assert [one["id"] for one in ok(market.operator.get("/v1/audit/searches"))["items"]] == [saved["id"]]
    narrower = {"search_id": saved["id"], "organization_id": market.buyer.organization_id}
    assert ok(market.auditor.get("/v1/audit/entries", query_string=narrower))["items"] == []
    other = party(app, "another operator", "operator")
    assert ok(other.get("/v1/audit/searches"))["items"] == []
    refused(other.get("/v1/audit/entries", query_string={"search_id": saved["id"]}), 404, "not-found")
    refused(other.call("DELETE", f"/v1/audit/searches/{saved['id']}"), 404, "not-found")
    taken = market.operator.post("/v1/audit/searches", {"name": "登録", "query": {}})
    refused(taken, 409, "search-name-taken")
    assert market.operator.call("DELETE", f"/v1/audit/searches/{saved['id']}").status_code == 204
    assert ok(market.operator.get("/v1/audit/searches"))["items"] == []


def test_the_record_is_exported_as_typed_parquet(market: Market) -> None:
    sequencer.sequence_all()
    answer = market.auditor.get("/v1/audit/export", query_string={"format": "parquet"})
    assert answer.content_type == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(answer.data))
    expected = {placed.entry.id for placed in record.all_entries(Search())}
    rows = table.to_pylist()
    assert {row["id"] for row in rows} == expected
    assert str(table.schema.field("occurred_at").type) == "timestamp[us, tz=UTC]"
    assert str(table.schema.field("amount_minor").type) == "int64"
    own = next(row for row in rows if row["verb"] == "audit.record.exported")
    assert (own["facts"], own["position"]) == ('{"asked":{}}', None)


@pytest.fixture
def two_needed(app: Flask) -> Any:
    """An exchange where overrides take two people."""
    before = settings.current()
    settings.install(replace(app.config["MUSUBI_SETTINGS"], two_person_overrides=True))
    yield
    settings.install(before)


@pytest.fixture
def first(market: Market) -> Party:
    """A person of the operator's who is signed in."""
    return _member(market.operator, MemberRole.OWNER, clock.now())


@pytest.fixture
def second(market: Market) -> Party:
    """Another one, with the same program."""
    return _member(market.operator, MemberRole.OWNER, clock.now())


def refunds_of(market: Market) -> list[int]:
    return [refund["amount_yen"] for refund in ok(market.buyer.get("/v1/refunds"))["items"]]


def test_an_operator_refunds_alone_where_the_setting_is_off(market: Market) -> None:
    invoice = market.bought(kind="one_off")["invoice_id"]
    ok(market.operator.post(f"/v1/invoices/{invoice}/refunds", {"amount_yen": 1}), 201)
    assert refunds_of(market) == [1]


@pytest.mark.usefixtures("two_needed")
def test_a_refund_of_anothers_sale_takes_two_people_and_happens_once(
    market: Market, first: Party, second: Party
) -> None:
    invoice = market.bought(kind="one_off")["invoice_id"]
    alone = market.operator.post(f"/v1/invoices/{invoice}/refunds", {"amount_yen": 100})
    refused(alone, 403, "override-needs-two")
    body = {"deed": "refund", "about": invoice, "arguments": {"amount_yen": 100}, "reason": REASON}
    made = ok(first.post("/v1/overrides", body), 201)
    path = f"/v1/overrides/{made['id']}"
    refused(first.post(f"{path}/approve"), 403, "same-person")
    assert refunds_of(market) == []
    assert ok(second.post(f"{path}/approve"))["state"] == "carried_out"
    refused(second.post(f"{path}/approve"), 409, "override-over")
    assert refunds_of(market) == [100]
    read = ok(market.auditor.get(path))
    assert read["member_id"] != read["approver_member_id"]
    assert (read["client_id"], read["approver_client_id"]) == (first.client_id, second.client_id)
    verbs = [Verb.OVERRIDE_PROPOSED, Verb.OVERRIDE_APPROVED]
    assert [len(record.search_entries(Search(verb=verb.value)).items) for verb in verbs] == [1, 1]


@pytest.mark.usefixtures("two_needed")
def test_two_secrets_in_one_hand_are_not_two_people(market: Market, first: Party) -> None:
    invoice = market.bought(kind="one_off")["invoice_id"]
    body = {"deed": "refund", "about": invoice, "arguments": {"amount_yen": 100}, "reason": REASON}
    refused(market.operator.post("/v1/overrides", body), 403, "person-needed")
    assert ok(market.operator.get("/v1/overrides"))["items"] == []
    path = f"/v1/overrides/{ok(first.post('/v1/overrides', body), 201)['id']}"
    elsewhere = party(market.app, "another operator", "operator")
    for program in (market.operator, elsewhere):
        refused(program.post(f"{path}/approve"), 403, "person-needed")
    # The same person, who is a member of another operator as well.
    person = queries.get_override(path.rsplit("/", 1)[-1]).person_id
    twice = _member(elsewhere, MemberRole.OWNER, clock.now(), person_id=person)
    refused(twice.post(f"{path}/approve"), 403, "same-person")
    assert ok(market.operator.get(path))["state"] == "proposed"
    assert refunds_of(market) == []


@pytest.mark.usefixtures("two_needed")
def test_a_second_person_proves_a_second_factor_and_has_the_role(market: Market, first: Party) -> None:
    invoice = market.bought(kind="one_off")["invoice_id"]
    body = {"deed": "refund", "about": invoice, "arguments": {"amount_yen": 100}, "reason": REASON}
    path = f"/v1/overrides/{ok(first.post('/v1/overrides', body), 201)['id']}"
    before = clock.now() - timedelta(seconds=STEP_UP_SECONDS + 60)
    stale = _member(market.operator, MemberRole.OWNER, before)
    refused(stale.post(f"{path}/approve"), 401, "step-up-required")
    developer = _member(market.operator, MemberRole.DEVELOPER, clock.now())
    refused(developer.post(f"{path}/approve"), 403, "role-missing")
    assert ok(market.operator.get(path))["state"] == "proposed"
    assert refunds_of(market) == []


def leave(who: Member) -> None:
    members.remove_member(Actor(who.organization_id), who.id)


def take_another_role(who: Member) -> None:
    members.change_role(Actor(who.organization_id), who.id, MemberRole.REVIEWER)


def lose_the_program(who: Member) -> None:
    identity.suspend_client(Actor(who.organization_id), queries.list_overrides().items[0].client_id)


@pytest.mark.parametrize("change", [leave, take_another_role, lose_the_program])
def test_a_proposal_of_somebody_who_may_no_longer_make_it_is_one_persons(
    market: Market, second: Party, change: Callable[[Member], None]
) -> None:
    invoice = market.bought(kind="one_off")["invoice_id"]
    program = ApiClientFactory(organization=db.session.get_one(Organization, market.operator.organization_id))
    first = _member(replace(market.operator, client_id=program.id), MemberRole.FINANCE, clock.now())
    body = {"deed": "refund", "about": invoice, "arguments": {"amount_yen": 100}, "reason": REASON}
    made = ok(first.post("/v1/overrides", body), 201)
    with transaction():
        change(db.session.get_one(Member, made["member_id"]))
    refused(second.post(f"/v1/overrides/{made['id']}/approve"), 409, "proposer-barred")
    assert ok(market.operator.get(f"/v1/overrides/{made['id']}"))["state"] == "proposed"
    assert refunds_of(market) == []


@pytest.mark.usefixtures("two_needed")
def test_a_seller_gives_back_what_it_sold_without_a_second_person(market: Market) -> None:
    invoice = market.bought(kind="one_off")["invoice_id"]
    ok(market.provider.post(f"/v1/invoices/{invoice}/refunds", {"amount_yen": 1}), 201)
    assert refunds_of(market) == [1]


@pytest.mark.usefixtures("two_needed")
def test_a_suspension_is_made_by_one_and_lifted_by_two(market: Market, first: Party, second: Party) -> None:
    who = market.buyer.organization_id
    ok(market.operator.post(f"/v1/organizations/{who}/suspend", {"reason": "漏えいの疑い"}))
    refused(market.operator.post(f"/v1/organizations/{who}/verify", {}), 403, "override-needs-two")
    assert ok(market.operator.get(f"/v1/organizations/{who}"))["state"] == "suspended"
    body = {"deed": "reinstatement", "about": who, "reason": "疑いは晴れた"}
    made = ok(first.post("/v1/overrides", body), 201)
    ok(second.post(f"/v1/overrides/{made['id']}/approve"))
    assert ok(market.operator.get(f"/v1/organizations/{who}"))["state"] == "verified"


@pytest.mark.usefixtures("two_needed")
def test_a_correction_of_anothers_delivery_takes_two_people(market: Market, first: Party, second: Party) -> None:
    bought = market.bought()
    market.fetch(bought["grant_id"])
    delivery = ok(market.buyer.get("/v1/deliveries"))["items"][0]["id"]
    path = f"/v1/deliveries/{delivery}/corrections"
    change = {"reference": "c1", "reason": "ログの誤り", "bytes": -1}
    refused(market.operator.post(path, change), 403, "override-needs-two")
    assert ok(market.buyer.get(path)) == []
    body = {"deed": "correction", "about": delivery, "arguments": change, "reason": REASON}
    made = ok(first.post("/v1/overrides", body), 201)
    ok(second.post(f"/v1/overrides/{made['id']}/approve"))
    assert [one["bytes"] for one in ok(market.buyer.get(path))] == [-1]


def test_a_proposal_whose_deed_is_refused_stays_open_and_can_be_withdrawn(
    market: Market, first: Party, second: Party
) -> None:
    invoice = market.bought(kind="one_off")["invoice_id"]
    body = {"deed": "refund", "about": invoice, "arguments": {"amount_yen": 999_999}, "reason": REASON}
    path = f"/v1/overrides/{ok(first.post('/v1/overrides', body), 201)['id']}"
    refused(second.post(f"{path}/approve"), 422, "refund-too-large")
    assert ok(market.operator.get(path))["state"] == "proposed"
    assert ok(second.post(f"{path}/withdraw"))["state"] == "withdrawn"
    refused(second.post(f"{path}/approve"), 409, "override-over")
    assert refunds_of(market) == []


def test_a_proposal_runs_out_after_three_days(market: Market, first: Party, second: Party) -> None:
    invoice = market.bought(kind="one_off")["invoice_id"]
    body = {"deed": "refund", "about": invoice, "arguments": {"amount_yen": 1}, "reason": REASON}
    made = ok(first.post("/v1/overrides", body), 201)
    somebody = in_person(Actor(second.organization_id, second.client_id))
    with clock.stopped(clock.parse(made["expires_at"])):
        with pytest.raises(overrides.OverrideOver), transaction():
            overrides.approve(somebody, made["id"])
        overrides.expire()
    assert ok(market.operator.get(f"/v1/overrides/{made['id']}"))["state"] == "expired"
    assert refunds_of(market) == []
    assert len(record.search_entries(Search(verb=Verb.OVERRIDE_EXPIRED.value)).items) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"arguments": {"amount_yen": 0}},
        {"arguments": {"to": "me"}},
        {"deed": "reinstatement", "arguments": {"x": 1}},
        {"deed": "suspend"},
        {"reason": ""},
    ],
)
def test_a_proposal_that_the_deed_would_not_take_is_refused(
    market: Market, first: Party, wrong: dict[str, Any]
) -> None:
    body = {"deed": "refund", "about": "inv_1", "arguments": {}, "reason": REASON} | wrong
    assert first.post("/v1/overrides", body).status_code == 422
    assert ok(market.operator.get("/v1/overrides"))["items"] == []
