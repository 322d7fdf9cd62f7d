"""The record on the wire: searched in any combination, exported whole, safe to open, and changed by nobody."""

import csv
import io
import itertools
import json
from typing import Any

import pytest
from sqlalchemy import insert

from marketplace.audit import rules, service
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from tests.api.trade import Market, audit_count, ok, pages_of, refused, row_counts

DAY = "2031-05-0{}T00:00:00+09:00"
PARTIES = ("org_" + "a" * 32, "org_" + "b" * 32)
DATASETS = ("ds_" + "a" * 32, "ds_" + "b" * 32)
VERBS = (Verb.ORDER_PLACED, Verb.OFFER_MADE)
AMOUNTS = (100, 5_000, None)


@pytest.fixture
def entries(market: Market) -> list[dict[str, Any]]:
    """A deed for each combination of day, amount, counterparty, verb and dataset, in years to come."""
    made = [
        {
            "id": new_id("aud"), "occurred_at": clock.parse(DAY.format(day)), "organization_id": "org_" + "c" * 32, "client_id": None,
            "member_id": None, "verb": verb.value, "subject": f"ord_{number % 3}", "counterparty_id": who, "dataset_id": dataset,
            "amount_minor": amount, "facts": {"n": number},
        }
        for number, (day, amount, who, verb, dataset) in enumerate(itertools.product((1, 2, 3), AMOUNTS, PARTIES, VERBS, DATASETS))
    ]  # fmt: skip
    db.session.execute(insert(Entry), [entry | {"canonical": rules.canonical_entry(entry)} for entry in made])
    db.session.commit()
    return made


def _matches(entry: dict[str, Any], query: dict[str, Any]) -> bool:
    amount = entry["amount_minor"]
    conditions = {
        "occurred_from": lambda value: entry["occurred_at"] >= clock.parse(value),
        "occurred_to": lambda value: entry["occurred_at"] <= clock.parse(value),
        "amount_from": lambda value: amount is not None and amount >= value,
        "amount_to": lambda value: amount is not None and amount <= value,
        "counterparty_id": lambda value: value in (entry["counterparty_id"], entry["organization_id"]),
        "verb": lambda value: entry["verb"] == value,
        "subject": lambda value: entry["subject"] == value,
        "dataset_id": lambda value: entry["dataset_id"] == value,
    }
    return all(conditions[name](value) for name, value in query.items())


PARTS: list[dict[str, Any]] = [
    {"occurred_to": "2031-05-02T00:00:00+09:00"},
    {"amount_from": 100, "amount_to": 4_999},
    {"counterparty_id": PARTIES[0]},
    {"verb": Verb.OFFER_MADE.value},
    {"subject": "ord_1"},
    {"dataset_id": DATASETS[1]},
]


@pytest.mark.parametrize("count", range(len(PARTS) + 1))
def test_any_combination_of_conditions_finds_exactly_what_meets_all(
    market: Market, entries: list[dict[str, Any]], count: int
) -> None:
    for parts in itertools.combinations(PARTS, count):
        query: dict[str, Any] = {"occurred_from": DAY.format(1)}
        for part in parts:
            query |= part
        found = pages_of(market.auditor, "/v1/audit/entries", 100, **query)
        assert {entry["id"] for entry in found} == {entry["id"] for entry in entries if _matches(entry, query)}, query


def test_the_newest_come_first_and_pages_lose_nothing_within_one_instant(
    market: Market, entries: list[dict[str, Any]]
) -> None:
    query = {"occurred_from": DAY.format(1)}
    found = pages_of(market.auditor, "/v1/audit/entries", 7, **query)
    assert len(found) == len(entries) == len({entry["id"] for entry in found})
    keys = [(entry["occurred_at"], entry["id"]) for entry in found]
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("occurred_from", "yesterday"), ("occurred_to", "2026-11-22T00:00:00"), ("occurred_from", "0001-01-01T00:00:00+09:00"),
     ("amount_from", "2.5"), ("amount_to", "lots"), ("amount_from", "9" * 30), ("amount_to", "-" + "9" * 5000), ("verb", "catalog.dataset.eaten"),
     ("subject", "1" * 101), ("amount_form", "5"),
     # What is asked stays on the record: nobody's name may.
     ("subject", "山田太郎"), ("subject", "Yamada Taro 1970"), ("subject", "yamada"), ("organization_id", "山田太郎"),
     ("counterparty_id", "yamada"), ("dataset_id", "org_" + "a" * 32)],
)  # fmt: skip
def test_a_condition_that_means_nothing_is_refused(market: Market, field: str, value: str) -> None:
    before = audit_count()
    for path in ("/v1/audit/entries", "/v1/audit/export"):
        refused(market.auditor.get(path, query_string={field: value}), 422, "invalid-input", f"/{field}")
    assert audit_count() == before


@pytest.mark.parametrize(
    "subject", ["2026-11", "2026", "system", "f" * 63 + "0", "inv_" + "a" * 31 + "1", "payment:pay_1"]
)
def test_months_hashes_and_references_are_found_as_well(market: Market, subject: str) -> None:
    with transaction():
        service.record(SYSTEM, Verb.REGISTER_PUBLISHED, subject=subject)
    for query in ({"subject": subject}, {"organization_id": "system", "subject": subject}):
        [found] = ok(market.auditor.get("/v1/audit/entries", query_string=query))["items"]
        assert found["subject"] == subject


def test_every_look_is_itself_recorded(market: Market) -> None:
    before = audit_count()
    ok(market.auditor.get("/v1/audit/entries", query_string={"subject": "ord_1", "amount_from": 5}))
    market.auditor.get("/v1/audit/export")
    looks = ok(
        market.operator.get("/v1/audit/entries", query_string={"organization_id": market.auditor.organization_id})
    )["items"]
    assert [look["verb"] for look in looks] == [Verb.RECORD_EXPORTED.value, Verb.RECORD_SEARCHED.value]
    assert looks[1]["facts"] == {"asked": {"subject": "ord_1", "amount_from": 5}}
    assert audit_count() == before + 3


def test_one_entry_is_read_by_its_id(market: Market, entries: list[dict[str, Any]]) -> None:
    read = ok(market.auditor.get(f"/v1/audit/entries/{entries[0]['id']}"))
    assert (read["facts"], read["position"], read["amount_minor"]) == ({"n": 0}, None, 100)
    refused(market.auditor.get("/v1/audit/entries/aud_" + "0" * 32), 404, "not-found")


def test_the_export_holds_what_the_search_finds_oldest_first(market: Market, entries: list[dict[str, Any]]) -> None:
    query = {"occurred_from": DAY.format(2), "verb": VERBS[0].value}
    expected = sorted(entry["id"] for entry in entries if _matches(entry, query))
    answer = market.auditor.get("/v1/audit/export", query_string=query)
    assert answer.content_type == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="record.ndjson"'
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert sorted(line["id"] for line in lines) == expected
    assert lines == sorted(lines, key=lambda line: (line["occurred_at"], line["id"]))
    for line in lines:
        assert rules.canonical_entry(line | {"occurred_at": clock.parse(line["occurred_at"])}), (
            "an auditor can hash it again"
        )
    table = market.auditor.get("/v1/audit/export", query_string=query | {"format": "csv"})
    assert table.content_type == "text/csv; charset=utf-8"
    assert table.data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(table.data.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [line["id"] for line in lines]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t=", "\r="])
def test_no_cell_of_the_export_is_taken_for_a_formula(market: Market, start: str) -> None:
    subject = f'{start}HYPERLINK("https://evil.example","見て")'
    service.record(Actor(market.buyer.organization_id), Verb.ORDER_PLACED, subject=subject)
    db.session.commit()
    table = market.auditor.get(
        "/v1/audit/export", query_string={"format": "csv", "organization_id": market.buyer.organization_id}
    )
    rows = list(csv.DictReader(io.StringIO(table.data.decode("utf-8-sig"), newline="")))
    assert [row["subject"] for row in rows] == ["'" + subject]
    assert not any(cell and cell[0] in "=+-@＝＋－＠\t\r" for row in rows for cell in row.values())


def test_what_looks_like_a_new_line_stays_in_its_line(market: Market) -> None:
    service.record(Actor(market.buyer.organization_id), Verb.ORDER_PLACED, subject='a\r\n{"id": "forged"}\u2028\u202e')
    db.session.commit()
    lines = market.auditor.get(
        "/v1/audit/export", query_string={"organization_id": market.buyer.organization_id}
    ).data.split(b"\n")
    assert len(lines) == 2
    assert json.loads(lines[0])["subject"].startswith("a\r\n")


def test_a_format_that_is_none_is_refused(market: Market) -> None:
    refused(market.auditor.get("/v1/audit/export", query_string={"format": "xlsx"}), 422, "invalid-input", "/format")


def test_the_tree_is_told_to_overseers(market: Market) -> None:
    tree = ok(market.auditor.get("/v1/audit/tree"))
    assert set(tree) == {"size", "root", "unplaced"}
    assert len(tree["root"]) == 64
    refused(market.buyer.get("/v1/audit/tree"), 403, "insufficient-scope")


def test_the_record_has_no_route_that_changes_it(market: Market, entries: list[dict[str, Any]]) -> None:
    before = row_counts()
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (
            "/v1/audit/entries",
            f"/v1/audit/entries/{entries[0]['id']}",
            "/v1/audit/export",
            "/v1/audit/tree",
        ):
            refused(market.operator.call(method, path, json={}), 405, "method-not-allowed")
    assert row_counts() == before
