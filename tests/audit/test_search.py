"""Searching and exporting the record."""

import csv
import io
import itertools
import json
from dataclasses import asdict
from datetime import timedelta

import pytest
from flask import Flask

from marketplace.audit import exports, queries, sequencer, service
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.pages import encode_cursor
from marketplace.kit.transaction import transaction

START = clock.parse("2026-11-01T00:00:00+09:00")
VERBS = (Verb.ORDER_PLACED, Verb.ORDER_PAID)


@pytest.fixture
def entries(app: Flask) -> list[dict]:
    """Forty deeds of three organizations, some with an amount, a counterparty, a dataset."""
    del app
    made = []
    with transaction():
        for n in range(40):
            facts = {
                "occurred_at": START + timedelta(hours=n // 2),
                "organization_id": f"org_{n % 3}",
                "verb": VERBS[n % 2].value,
                "subject": f"ord_{n % 5}",
                "counterparty_id": f"org_{(n + 1) % 3}" if n % 4 else None,
                "dataset_id": f"ds_{n % 2}" if n % 3 else None,
                "amount_minor": 100 * (n % 7) if n % 5 else None,
            }
            with clock.stopped(facts["occurred_at"]):
                facts["id"] = service.record(
                    Actor(facts["organization_id"], "cli_1"), VERBS[n % 2], subject=facts["subject"],
                    counterparty=facts["counterparty_id"], dataset=facts["dataset_id"],
                    amount_minor=facts["amount_minor"],
                )  # fmt: skip
            made.append(facts)
    return made


PARTS = {
    "occurred_from": START + timedelta(hours=3),
    "occurred_to": START + timedelta(hours=15),
    "amount_from": 100,
    "amount_to": 500,
    "organization_id": "org_1",
    "counterparty_id": "org_2",
    "verb": Verb.ORDER_PAID.value,
    "subject": "ord_3",
    "dataset_id": "ds_1",
}


def matches(entry: dict, **wanted: object) -> bool:
    """What the search means, said once more in Python."""
    amount = entry["amount_minor"]
    tests = {
        "occurred_from": lambda value: entry["occurred_at"] >= value,
        "occurred_to": lambda value: entry["occurred_at"] <= value,
        "amount_from": lambda value: amount is not None and amount >= value,
        "amount_to": lambda value: amount is not None and amount <= value,
        "counterparty_id": lambda value: value in {entry["counterparty_id"], entry["organization_id"]},
    }
    return all(tests.get(name, lambda value, name=name: entry[name] == value)(value) for name, value in wanted.items())


def test_every_combination_of_parts_finds_what_matches_all_of_them(entries: list[dict]) -> None:
    found_some = 0
    for size in range(len(PARTS) + 1):
        for names in itertools.combinations(PARTS, size):
            wanted = {name: PARTS[name] for name in names}
            found = [placed.entry.id for placed in queries.search_entries(Search(**wanted), size=100).items]
            expected = [entry for entry in entries if matches(entry, **wanted)]
            expected.sort(key=lambda entry: (entry["occurred_at"], entry["id"]), reverse=True)
            assert found == [entry["id"] for entry in expected], names
            found_some += bool(found)
    assert found_some > 200


@pytest.mark.parametrize("wanted", [{}, {"counterparty_id": "org_2"}], ids=["all", "a party on either side"])
def test_pages_follow_each_other_without_gap_or_double(entries: list[dict], wanted: dict[str, str]) -> None:
    seen, cursor = [], None
    while True:
        page = queries.search_entries(Search(**wanted), cursor, 7)
        seen += [placed.entry.id for placed in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    expected = [entry for entry in entries if matches(entry, **wanted)]
    expected.sort(key=lambda entry: (entry["occurred_at"], entry["id"]), reverse=True)
    assert seen == [entry["id"] for entry in expected]


def test_a_deed_of_a_party_with_itself_is_found_once(app: Flask) -> None:
    del app
    with transaction():
        service.record(Actor("org_1", None), Verb.ORDER_PLACED, subject="ord_1", counterparty="org_1")
    assert len(queries.search_entries(Search(counterparty_id="org_1")).items) == 1


@pytest.mark.parametrize(
    "key", [["now", "aud_1"], [5, "aud_1"], ["0001-01-01T00:00:00+09:00", "a"], ["2026-11-22", ""]]
)
def test_a_cursor_without_an_instant_is_refused(app: Flask, key: list[object]) -> None:
    with pytest.raises(Invalid):
        queries.search_entries(Search(), encode_cursor(key))


def test_a_cursor_with_a_number_for_an_id_is_harmless(entries: list[dict]) -> None:
    assert queries.search_entries(Search(), encode_cursor([clock.text(START), 5])).items == []


def test_one_entry_is_read_with_its_place(entries: list[dict]) -> None:
    wanted = entries[0]["id"]
    assert queries.get_entry(wanted).position is None
    sequencer.sequence_all()
    assert queries.get_entry(wanted).position in {0, 1}
    with pytest.raises(NotFound):
        queries.get_entry(new_id("aud"))


def test_exports_are_complete_and_in_order(entries: list[dict]) -> None:
    sequencer.sequence_all()
    lines = [json.loads(line) for line in exports.as_ndjson(queries.all_entries(Search()))]
    text = b"".join(exports.as_csv(queries.all_entries(Search()))).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    assert [line["position"] for line in lines] == list(range(40))
    assert tuple(lines[0]) == tuple(rows[0]) == exports.COLUMNS
    for line, row in zip(lines, rows, strict=True):
        assert row["amount_minor"] == ("" if line["amount_minor"] is None else str(line["amount_minor"]))
        assert json.loads(row["facts"]) == line["facts"]
    some = list(exports.as_ndjson(queries.all_entries(Search(verb=Verb.ORDER_PAID.value))))
    assert len(some) == 20


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_cell_is_a_formula(app: Flask, start: str) -> None:
    with transaction():
        service.record(Actor("org_1", None), Verb.ORDER_PLACED, subject=f"{start}cmd|' /C calc'!A0", amount_minor=-5)
    text = b"".join(exports.as_csv(queries.all_entries(Search()))).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["subject"] == f"'{start}cmd|' /C calc'!A0"
    assert row["amount_minor"] == "-5"


def test_a_search_without_parts_has_none() -> None:
    assert not any(asdict(Search()).values())
