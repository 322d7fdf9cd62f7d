"""Verification: each kind of damage is named once, at bounded memory, while the record grows."""

import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from marketplace.audit import rules, sequencer, service, verification
from marketplace.audit.clerk import Clerk
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, merkle
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.live import wait_until


def write(count: int, **facts: object) -> list[str]:
    with transaction():
        return [
            service.record(SYSTEM, Verb.TERMS_WRITTEN, subject=f"trm_{n}", amount_minor=n, facts={"名": "札幌"} | facts)
            for n in range(count)
        ]


def tamper(statement: str, **values: object) -> None:
    with transaction():
        db.session.execute(text("SET LOCAL session_replication_role = replica"))
        db.session.execute(text(statement), values)


def troubles() -> list[str]:
    return [finding.trouble for finding in verification.verify().findings]


@pytest.mark.parametrize("batch", [1, 3, 8, 4096])
def test_the_size_of_a_batch_changes_no_verdict(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(verification, "BATCH", batch)
    write(21)
    sequencer.sequence_all()
    roots = {size: sequencer.root(size)[1].hex() for size in range(22)}
    for size, root in roots.items():
        verdict = verification.verify((size, root.upper()))
        assert verdict.sound, (size, verdict.findings)
    assert not verification.verify((13, roots[12])).sound
    assert not verification.verify((-1, roots[12])).sound


@pytest.mark.parametrize("node", [(0, 5), (1, 2), (2, 1), (3, 0)])
def test_an_altered_node_is_named_and_no_other(own_database: Flask, node: tuple[int, int]) -> None:
    write(11)
    sequencer.sequence_all()
    tamper("UPDATE audit_node SET hash = '\\x00' WHERE (level, position) = (:level, :at)", level=node[0], at=node[1])
    found = troubles()
    if node[0]:
        assert found == [f"node {node[0]}/{node[1]} was altered or removed"]
    else:
        assert found[0] == "the entry is not what the tree committed to"


def test_removed_and_surplus_nodes_are_named(own_database: Flask) -> None:
    write(8)
    sequencer.sequence_all()
    tamper("DELETE FROM audit_node WHERE level < 2 AND position = 3")
    tamper("ALTER TABLE audit_node DROP CONSTRAINT ck_audit_node_counted_from_zero")
    tamper("INSERT INTO audit_node VALUES (0, 8, ''), (1, 4, ''), (4, 0, ''), (-1, 0, ''), (99, 0, ''), (2, -1, '')")
    assert troubles() == [
        "node 0/3 was altered or removed",
        "node 1/3 was altered or removed",
        *(f"node {node} belongs to no leaf" for node in ("-1/0", "0/8", "1/4", "2/-1", "4/0", "99/0")),
    ]


def test_a_missing_leaf_is_named_and_the_rest_is_verified_all_the_same(own_database: Flask) -> None:
    entries = write(9)
    sequencer.sequence_all()
    tamper("DELETE FROM audit_leaf WHERE position = 3")
    tamper("UPDATE audit_entry SET amount_minor = 999 WHERE id = :id", id=entries[7])
    findings = verification.verify().findings
    assert (3, None, "leaf 3 is missing") in [(one.position, one.entry_id, one.trouble) for one in findings]
    assert "the columns differ from the canonical text" in troubles()


def test_an_entry_that_nobody_is_to_place_is_found(own_database: Flask) -> None:
    first, _second = write(2)
    tamper("DELETE FROM audit_waiting WHERE entry_id = :id", id=first)
    sequencer.sequence_all()
    (finding,) = verification.verify().findings
    assert (finding.entry_id, finding.trouble) == (first, "the entry has no place in the tree and waits for none")


def test_an_entry_cannot_be_hidden_at_a_place_where_nobody_looks(own_database: Flask) -> None:
    hidden, _other = write(2)
    hide = "INSERT INTO audit_leaf SELECT -1, entry_id FROM audit_waiting WHERE entry_id = :id"
    with pytest.raises(DBAPIError, match="counted_from_zero"), transaction():
        db.session.execute(text(hide), {"id": hidden})
    with pytest.raises(DBAPIError, match="counted_from_zero"), transaction():
        db.session.execute(text("INSERT INTO audit_node VALUES (0, -1, '')"))
    tamper("ALTER TABLE audit_leaf DROP CONSTRAINT ck_audit_leaf_counted_from_zero")
    tamper(hide, id=hidden)
    tamper("DELETE FROM audit_waiting WHERE entry_id = :id", id=hidden)
    sequencer.sequence_all()
    (finding,) = verification.verify().findings
    assert (finding.entry_id, finding.trouble) == (hidden, "the entry has no place in the tree and waits for none")


@pytest.mark.parametrize("facts", ['{"n": 1e30}', '{"n": 123456789012345678901234567890}', "[]", "{}"])
def test_facts_that_nobody_could_have_recorded_are_named(own_database: Flask, facts: str) -> None:
    (entry,) = write(1)
    sequencer.sequence_all()
    tamper("UPDATE audit_entry SET facts = CAST(:facts AS jsonb) WHERE id = :id", facts=facts, id=entry)
    assert troubles() == ["the columns differ from the canonical text"]


def test_a_wholly_broken_record_ends_early(own_database: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "BATCH", 4)
    monkeypatch.setattr(verification, "FINDINGS_MAX", 6)
    write(40)
    sequencer.sequence_all()
    tamper("UPDATE audit_entry SET canonical = 'x'")
    verdict = verification.verify()
    assert len(verdict.findings) < 20
    assert verdict.findings[-1].trouble == "too much is wrong: verification ends here"
    assert verdict.size < 40


def test_memory_does_not_grow_with_the_record(own_database: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "BATCH", 64)
    peaks = []
    for _ in range(2):
        write(1500)
        sequencer.sequence_all()
        verification.verify()
        tracemalloc.start()
        assert verification.verify().sound
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.25


def test_a_record_verified_while_it_grows_is_sound(own_database: Flask) -> None:
    stop = threading.Event()

    def grow() -> None:
        with own_database.app_context():
            while not stop.is_set():
                write(3)
                sequencer.sequence_all()

    with ThreadPoolExecutor(2) as pool:
        growing = [pool.submit(grow) for _ in range(2)]
        try:
            sizes = []
            for _ in range(25):
                verdict = verification.verify()
                assert verdict.sound, verdict.findings
                sizes.append(verdict.size)
                db.session.rollback()
        finally:
            stop.set()
        for one in growing:
            one.result()
    assert sizes == sorted(sizes)


def test_entries_committed_out_of_order_are_placed_once_each(own_database: Flask) -> None:
    written, placed = threading.Event(), threading.Event()

    def late() -> str:
        with own_database.app_context(), transaction():
            entry = service.record(SYSTEM, Verb.TERMS_WRITTEN, subject="trm_late")
            written.set()
            placed.wait(180)
            return entry

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(late)
        assert written.wait(180)
        early = write(2)
        assert sequencer.sequence_all() == 2
        placed.set()
        entry = slow.result()
    assert sequencer.sequence_all() == 1
    assert sequencer.sequence_all() == 0
    order = db.session.execute(text("SELECT entry_id FROM audit_leaf ORDER BY position")).scalars().all()
    assert order == [*early, entry] or order == [*reversed(early), entry]
    assert verification.verify().sound


def test_batches_and_waiting_entries_are_counted(own_database: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "BATCH", 4)
    write(10)
    assert (sequencer.unplaced(), verification.verify().unplaced) == (4, 10)
    assert sequencer.sequence_all() == 10
    assert (sequencer.unplaced(), sequencer.tree_size()) == (0, 10)


def test_the_sequencer_of_a_server_places_what_comes_and_survives_a_failure(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, failures = sequencer.sequence_all, iter([True])

    def fragile() -> int:
        if next(failures, False):
            raise ConnectionError("the database is away")
        return real()

    monkeypatch.setattr(sequencer, "sequence_all", fragile)
    thread = Clerk(own_database.app_context)
    write(3)
    thread.start()
    try:
        wait_until("the entries to be placed", lambda: sequencer.unplaced() == 0 or db.session.rollback())
    finally:
        thread.stop()
    assert not thread.is_alive()
    assert "trying again" in caplog.text
    assert verification.verify().sound


def test_the_text_that_leaves_commit_to_is_written_for_ever_alike() -> None:
    columns = dict.fromkeys(rules.FIELDS) | {
        "id": "aud_01a2047a14ca7694b32822af3e9cfd50",
        "occurred_at": clock.parse("2026-11-22T18:00:00.5+09:00"),
        "organization_id": "org_1",
        "verb": "billing.order.paid",
        "subject": "ord_1",
        "amount_minor": 5500,
        "facts": {"名": "札幌", "bytes": 10, "ok": True, "none": None},
    }
    canonical = rules.canonical_entry(columns)
    assert canonical == (
        '{"amount_minor":5500,"facts":{"bytes":10,"none":null,"ok":true,"名":"札幌"},'
        '"id":"aud_01a2047a14ca7694b32822af3e9cfd50","occurred_at":"2026-11-22T09:00:00.500000Z",'
        '"organization_id":"org_1","subject":"ord_1","v":1,"verb":"billing.order.paid"}'
    )
    assert (
        merkle.leaf_hash(canonical.encode()).hex() == "b82a58c354bf9c5f2d496d951c9c1908950b63687c46c92479a0d6f70b70f6f0"
    )
