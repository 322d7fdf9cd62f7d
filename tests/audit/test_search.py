"""Searching and exporting the record."""

import csv
import io
import itertools
import json
from dataclasses import asdict
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select

from marketplace.audit import exports, indexing, queries, sequencer, service
from marketplace.audit.models import Block, Floor, Leaf, Trait, Waiting
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
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


def in_order(entries: list[dict]) -> list[dict]:
    return sorted(entries, key=lambda entry: (entry["occurred_at"], entry["id"]), reverse=True)


def place(entries: list[dict], first: int, apart: int) -> None:
    """Give entries places with gaps between them, so that few of them reach over several blocks."""
    ids = [entry["id"] for entry in reversed(in_order(entries))]
    with transaction():
        db.session.execute(delete(Waiting).where(Waiting.entry_id.in_(ids)))
        db.session.execute(
            insert(Leaf), [{"position": first + n * apart, "entry_id": one} for n, one in enumerate(ids)]
        )


@pytest.fixture(params=["waiting", "in blocks, behind them, and waiting"])
def laid(request: pytest.FixtureRequest, entries: list[dict], monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The entries as they lie while some are known to the index, some have a place alone, and some have none."""
    if request.param != "waiting":
        monkeypatch.setattr(queries, "FEW", 0)
        oldest = in_order(entries)[::-1]
        place(oldest[:20], 5, 9_000)
        indexing.index_all()
        place(oldest[20:30], 20 * 9_000, 1)
    return entries


def test_every_combination_of_parts_finds_what_matches_all_of_them(laid: list[dict]) -> None:
    found_some = 0
    for size in range(len(PARTS) + 1):
        for names in itertools.combinations(PARTS, size):
            wanted = {name: PARTS[name] for name in names}
            found = [placed.entry.id for placed in queries.search_entries(Search(**wanted), size=100).items]
            expected = in_order([entry for entry in laid if matches(entry, **wanted)])
            assert found == [entry["id"] for entry in expected], names
            found_some += bool(found)
    assert found_some > 200


@pytest.mark.parametrize("wanted", [{}, {"counterparty_id": "org_2"}], ids=["all", "a party on either side"])
def test_pages_follow_each_other_without_gap_or_double(laid: list[dict], wanted: dict[str, str]) -> None:
    seen, cursor = [], None
    while True:
        page = queries.search_entries(Search(**wanted), cursor, 7)
        seen += [placed.entry.id for placed in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [entry["id"] for entry in in_order([entry for entry in laid if matches(entry, **wanted)])]


def test_pages_go_on_where_they_were_when_entries_get_their_places_meanwhile(entries: list[dict]) -> None:
    first = queries.search_entries(Search(), None, 15)
    sequencer.sequence_all()
    second = queries.search_entries(Search(), first.next_cursor, 15)
    indexing.index_all()
    third = queries.search_entries(Search(), second.next_cursor, 15)
    seen = [placed.entry.id for page in (first, second, third) for placed in page.items]
    assert seen == [entry["id"] for entry in in_order(entries)]
    assert third.next_cursor is None


@pytest.mark.usefixtures("app")
def test_amounts_are_found_to_the_yen_whatever_is_charged_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "FEW", 0)
    amounts = [550 if n % 3 else n * n - 500 for n in range(600)]
    buyer = Actor("org_1", None)
    with transaction():
        service.record_all(
            [
                service.entry_of(buyer, Verb.ORDER_PAID, subject=f"ord_{n}", amount_minor=amount, occurred_at=START)
                for n, amount in enumerate(amounts)
            ]
            + [service.entry_of(buyer, Verb.ORDER_PLACED, subject="ord_x", occurred_at=START)]
        )
    sequencer.sequence_all()
    indexing.index_all()
    ranges = [(550, 550), (551, None), (None, 549), (None, -1), (0, 0), (-500, 549), (12_345, 67_890), (10**9, None)]
    for low, high in ranges:
        found, cursor = [], None
        while cursor is not None or not found:
            page = queries.search_entries(Search(amount_from=low, amount_to=high), cursor, 100)
            found += [placed.entry.amount_minor for placed in page.items] or [None]
            cursor = page.next_cursor
        expected = [one for one in amounts if (low is None or one >= low) and (high is None or one <= high)]
        assert sorted(one for one in found if one is not None) == sorted(expected), (low, high)


def test_what_is_noted_bit_by_bit_is_what_is_noted_at_once(entries: list[dict]) -> None:
    def noted() -> list[object]:
        tables = (Block, Trait, Floor)
        return [
            db.session.execute(select(*table.__table__.c).order_by(*table.__table__.primary_key)).all()
            for table in tables
        ]

    half = in_order(entries)[::-1][:17]
    place(half, 0, 1)
    indexing.index_all()
    place([entry for entry in entries if entry not in half], 17, 1)
    indexing.index_all()
    step_by_step = noted()
    with transaction():
        for table in (Block, Trait, Floor):
            db.session.execute(delete(table))
    indexing.index_all()
    assert noted() == step_by_step
    assert not indexing.index_batch()
    assert noted() == step_by_step


def test_a_deed_of_a_party_with_itself_is_found_once(app: Flask) -> None:
    del app
    with transaction():
        service.record(Actor("org_1", None), Verb.ORDER_PLACED, subject="ord_1", counterparty="org_1")
    assert len(queries.search_entries(Search(counterparty_id="org_1")).items) == 1


@pytest.mark.parametrize("key", [["now"], [5], ["aud_1"], ["aud_" + "0" * 32], ["aud_1", "aud_2"], [""]], ids=str)
def test_a_cursor_that_names_no_entry_is_refused(app: Flask, key: list[object]) -> None:
    with pytest.raises(Invalid):
        queries.search_entries(Search(), encode_cursor(key))


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
