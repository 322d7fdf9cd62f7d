"""Sequencers that are killed at any statement, and two that work at once: no gap, nothing twice, the same tree."""

import os
import signal
import time
import warnings
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from marketplace.audit import sequencer, verification
from marketplace.kit import merkle
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.audit.test_checkpoints import published
from tests.audit.test_record import write
from tests.faults.deaths import run_apart

BATCH = 4
WRITTEN = 6
PATIENCE_SECONDS = 180
STEPS = ("before_cursor_execute", "after_cursor_execute", "commit")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "BATCH", BATCH)


def places() -> list[tuple[int, str]]:
    """The leaves that are committed, in their order."""
    with transaction():
        rows = db.session.execute(text("SELECT position, entry_id FROM audit_leaf ORDER BY position"))
        return [(row.position, row.entry_id) for row in rows]


def assert_whole(count: int) -> None:
    """Each entry has one place, no place is empty, and the tree is the one over the entries in this order."""
    placed = places()
    assert [position for position, _entry_id in placed] == list(range(count))
    assert len({entry_id for _position, entry_id in placed}) == count
    with transaction():
        ordered = "SELECT e.canonical FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry_id ORDER BY l.position"
        nodes: dict[tuple[int, int], bytes] = {}
        for position, canonical in enumerate(db.session.scalars(text(ordered))):
            leaf = merkle.leaf_hash(canonical.encode())
            for level, at, value in merkle.grow(position, leaf, lambda level, at: nodes[level, at]):
                nodes[level, at] = value
        assert sequencer.root() == (count, merkle.root(count, lambda level, at: nodes[level, at]))
        assert db.session.scalar(text("SELECT count(*) FROM audit_node")) == len(nodes)
        verdict = verification.verify()
        assert (verdict.findings, verdict.unplaced) == ([], 0)


def dying_at(step: int) -> Callable[[], object]:
    """Sequence, and die at a step: before a statement, after it, or before a commit."""

    def deed() -> None:
        passed = iter(range(step))

        def pass_by(*_: object) -> None:
            if next(passed, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        for name in STEPS:
            event.listen(Engine, name, pass_by)
        sequencer.sequence_all()

    return deed


def test_a_sequencer_that_is_killed_at_any_step_leaves_no_gap_and_nothing_twice(own_database: Flask) -> None:
    written = step = deaths_in_later_batches = 0
    while True:
        write(WRITTEN)
        written += WRITTEN
        before = places()
        killed, _steps = run_apart(dying_at(step))
        after = places()
        # Whole batches, or nothing of them.
        assert after[: len(before)] == before
        assert (len(after) - len(before)) % BATCH == 0 or len(after) == written
        deaths_in_later_batches += killed and len(after) > len(before)
        sequencer.sequence_all()
        published()
        if not killed:
            break
        step += 1
    assert step > 2 * 7  # two batches, each of some statements
    assert deaths_in_later_batches
    assert_whole(written)


def test_two_processes_that_sequence_at_once_place_each_entry_once(own_database: Flask) -> None:
    rounds, total = 60, 60 * WRITTEN

    def work() -> None:
        db.engine.dispose(close=False)
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            sequencer.sequence_all()
            with transaction():
                if sequencer.tree_size() == total:
                    os._exit(0)

    db.session.remove()
    children = [forked(work) for _ in range(2)]
    for _ in range(rounds):
        write(WRITTEN)
    assert {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children} == {0}
    assert_whole(total)


def forked(work: Callable[[], None]) -> int:
    """Let a process of its own work until it ends itself; returns its id."""
    with warnings.catch_warnings():
        # The child uses none of this process's threads or connections.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    return child
