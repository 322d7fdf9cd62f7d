"""The record: written with the deed, placed in the tree, verified."""

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from marketplace.audit import queries, sequencer, service, verification
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit import merkle
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction


def write(count: int) -> list[str]:
    with transaction():
        return [
            service.record(SYSTEM, Verb.TERMS_WRITTEN, subject=f"trm_{n}", amount_minor=n, facts={"名": "札幌"})
            for n in range(count)
        ]


def tamper(statement: str, **values: object) -> None:
    with transaction():
        db.session.execute(text("SET LOCAL session_replication_role = replica"))
        db.session.execute(text(statement), values)


def test_of_more_deeds_than_an_answer_names_the_first_are_told(own_database: Flask) -> None:
    db.session.remove()
    assert service.written() == []
    assert write(service.WRITTEN_MAX + 3)[: service.WRITTEN_MAX] == service.written()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 13])
def test_an_untouched_record_of_any_size_is_sound(own_database: Flask, count: int) -> None:
    write(count)
    assert sequencer.sequence_all() == count
    verdict = verification.verify()
    assert verdict.sound, verdict.findings
    assert verdict.size == count
    assert verdict.root == sequencer.root()[1].hex()


def test_the_root_of_three_leaves_is_the_one_of_rfc_6962() -> None:
    a, b, c = (merkle.leaf_hash(word) for word in (b"a", b"b", b"c"))
    nodes = {(0, 0): a, (0, 1): b, (0, 2): c, (1, 0): merkle.node_hash(a, b)}
    assert merkle.root(3, lambda level, at: nodes[level, at]) == merkle.node_hash(merkle.node_hash(a, b), c)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET amount_minor = 1 WHERE id = :id",
        "DELETE FROM audit_entry WHERE id = :id",
        "TRUNCATE audit_node",
        "UPDATE audit_leaf SET position = 99 WHERE entry_id = :id",
    ],
)
def test_the_database_refuses_to_change_the_record(own_database: Flask, statement: str) -> None:
    entry = write(2)[0]
    sequencer.sequence_all()
    with pytest.raises(DBAPIError, match="append-only"), transaction():
        db.session.execute(text(statement), {"id": entry} if ":id" in statement else {})
    assert verification.verify().sound


@pytest.mark.parametrize(
    ("statement", "trouble"),
    [
        ("UPDATE audit_entry SET amount_minor = 999 WHERE id = :id", "columns differ"),
        (
            "UPDATE audit_entry SET canonical = replace(canonical, '札幌', '小樽') WHERE id = :id",
            "not what the tree",
        ),
        ("UPDATE audit_entry SET occurred_at = '2020-01-01Z' WHERE id = :id", "dated before"),
    ],
)
def test_an_altered_entry_is_named(own_database: Flask, statement: str, trouble: str) -> None:
    entries = write(9)
    sequencer.sequence_all()
    tamper(statement, id=entries[4])
    findings = verification.verify().findings
    assert any(finding.entry_id == entries[4] and trouble in finding.trouble for finding in findings), findings


def test_a_removed_entry_is_named(own_database: Flask) -> None:
    entries = write(5)
    sequencer.sequence_all()
    tamper("DELETE FROM audit_entry WHERE id = :id", id=entries[2])
    assert [f.entry_id for f in verification.verify().findings if f.trouble == "the entry was removed"] == [entries[2]]


def test_two_swapped_leaves_are_found(own_database: Flask) -> None:
    entries = write(4)
    sequencer.sequence_all()
    for position, entry in ((100, entries[0]), (0, entries[1]), (1, entries[0])):
        tamper("UPDATE audit_leaf SET position = :position WHERE entry_id = :id", position=position, id=entry)
    named = {finding.entry_id for finding in verification.verify().findings}
    assert {entries[0], entries[1]} <= named


def test_a_tree_rewritten_from_the_bottom_differs_from_a_noted_root(own_database: Flask) -> None:
    entries = write(6)
    sequencer.sequence_all()
    noted = (4, sequencer.root(4)[1].hex())
    assert verification.verify(noted).sound
    tamper("INSERT INTO audit_waiting SELECT occurred_at, id FROM audit_entry WHERE id <> :id", id=entries[1])
    tamper("DELETE FROM audit_node")
    tamper("DELETE FROM audit_leaf")
    tamper("DELETE FROM audit_entry WHERE id = :id", id=entries[1])
    sequencer.sequence_all()
    assert verification.verify().sound
    assert "not those whose root was noted" in verification.verify(noted).findings[0].trouble
    assert "had 6" in verification.verify((6, noted[1])).findings[0].trouble


def test_two_sequencers_at_once_place_each_entry_once(own_database: Flask) -> None:
    from concurrent.futures import ThreadPoolExecutor

    write(50)

    def place() -> int:
        with own_database.app_context():
            return sequencer.sequence_all()

    with ThreadPoolExecutor(4) as pool:
        placed = list(pool.map(lambda _n: place(), range(4)))
    assert sum(placed) == 50
    assert verification.verify().sound


def test_a_deed_whose_entry_is_too_long_for_a_tile_does_not_happen(own_database: Flask) -> None:
    def do(words: int) -> None:
        with transaction():
            db.session.execute(text("CREATE TABLE IF NOT EXISTS deed (n int)"))
            db.session.execute(text("INSERT INTO deed VALUES (1)"))
            service.record(SYSTEM, Verb.TERMS_WRITTEN, subject="trm_1", facts={"words": "あ" * words})

    do(words=21_000)
    with pytest.raises(DBAPIError, match="fits_a_tile"):
        do(words=22_000)
    with transaction():
        assert db.session.scalar(text("SELECT count(*) FROM deed")) == 1
    assert sequencer.sequence_all() == 1


def test_a_deed_that_rolls_back_leaves_no_entry(own_database: Flask) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        service.record(SYSTEM, Verb.TERMS_WRITTEN, subject="trm_x")
        raise ZeroDivisionError
    assert not queries.search_entries(queries.Search()).items
