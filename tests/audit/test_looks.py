"""Looking at the record is itself on the record."""

import json

import pytest
from flask import Flask

from marketplace.audit import queries
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from tests.api.trade import Party, party


@pytest.fixture
def auditor(app: Flask) -> Party:
    """A city auditor with a token."""
    return party(app, "auditor", "auditor")


def looks(verb: Verb) -> list[tuple[str, dict]]:
    """Who looked, and for what."""
    found = queries.search_entries(Search(verb=verb.value)).items
    return [(placed.entry.organization_id, placed.entry.facts) for placed in found]


def test_a_search_is_recorded_with_what_was_asked(auditor: Party) -> None:
    wanted = {
        "occurred_from": "2026-11-22T09:00:00+09:00",
        "amount_from": "100",
        "counterparty_id": "org_" + "1" * 32,
        "size": "5",
    }
    assert auditor.get("/v1/audit/entries", query_string=wanted).status_code == 200
    asked = {"occurred_from": "2026-11-22T00:00:00.000000Z", "amount_from": 100, "counterparty_id": "org_" + "1" * 32}
    assert looks(Verb.RECORD_SEARCHED) == [(auditor.organization_id, {"asked": asked})]


@pytest.mark.parametrize("amount", [2**53, -(2**53)])
def test_an_amount_that_no_entry_about_the_search_could_hold_is_refused(auditor: Party, amount: int) -> None:
    for address in ("/v1/audit/entries", "/v1/audit/export"):
        answer = auditor.get(address, query_string={"amount_from": amount})
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/amount_from")
    assert looks(Verb.RECORD_SEARCHED) == looks(Verb.RECORD_EXPORTED) == []


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_an_export_is_recorded_and_holds_its_own_look(auditor: Party, form: str) -> None:
    answer = auditor.get("/v1/audit/export", query_string={"format": form})
    assert answer.status_code == 200
    assert Verb.RECORD_EXPORTED.value in answer.text
    assert looks(Verb.RECORD_EXPORTED) == [(auditor.organization_id, {"asked": {}})]
    if form == "ndjson":
        assert all(json.loads(line)["id"] for line in answer.text.splitlines())


@pytest.mark.parametrize(
    "wanted",
    [
        {"amount_from": str(10**18)}, {"amount_to": "-" + "9" * 40}, {"amount_from": "1.5"}, {"occurred_from": "today"},
        {"occurred_to": "0001-01-01T00:00:00+09:00"}, {"verb": "all"}, {"subject": "\0"}, {"cursor": "x"}, {"size": "0"},
    ],
)  # fmt: skip
def test_a_search_that_makes_no_sense_is_refused_not_failed(auditor: Party, wanted: dict[str, str]) -> None:
    assert auditor.get("/v1/audit/entries", query_string=wanted).status_code in {400, 422}
    assert len(looks(Verb.RECORD_SEARCHED)) == ("cursor" in wanted)


def test_nobody_else_may_look(app: Flask) -> None:
    for capacity in ("buyer", "provider"):
        for path in ("/v1/audit/entries", "/v1/audit/export", "/v1/audit/tree"):
            assert party(app, capacity, capacity).get(path).status_code == 403
    assert looks(Verb.RECORD_SEARCHED) == looks(Verb.RECORD_EXPORTED) == []
