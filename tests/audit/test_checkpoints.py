"""Checkpoints: signed when the tree has grown, continuing all that was signed before, and nothing else."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from marketplace.audit import checkpoints, log_keys, proofs, sequencer
from marketplace.audit.errors import LogForked, LogKeyUnusable
from marketplace.audit.models import Checkpoint
from marketplace.kit import clock, merkle, notes, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.audit.test_record import tamper, write


def grown(count: int = 5) -> Checkpoint | None:
    """The checkpoint after so many more entries."""
    write(count)
    sequencer.sequence_all()
    return published()


def published() -> Checkpoint | None:
    with transaction():
        return checkpoints.publish()


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Checkpoint)) or 0


def test_a_checkpoint_is_a_note_of_the_tree_that_its_keys_verify(own_database: Flask) -> None:
    found = grown(7)
    assert found is not None
    told = notes.opened(found.note, log_keys.verifiers())
    assert (told.origin, told.size, told.root) == ("127.0.0.1:8000/audit", 7, sequencer.root()[1])
    assert [key.vkey for key in checkpoints.list_keys()] == [key.text for key in log_keys.verifiers()]
    assert settings.current().log_signed_path.read_text() == found.note
    assert settings.current().log_key_path.stat().st_mode & 0o777 == 0o600


def test_a_tree_that_has_not_grown_is_not_signed_again(own_database: Flask) -> None:
    assert published() is None
    first = grown()
    assert published() is None
    assert checkpoints.latest() is first
    assert count() == 1


def test_of_many_who_sign_at_once_one_does(own_database: Flask) -> None:
    write(9)
    sequencer.sequence_all()

    def publish(_number: int) -> bool:
        with own_database.app_context():
            try:
                return published() is not None
            finally:
                db.session.remove()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(publish, range(8))) == 1
    assert count() == 1


def test_each_checkpoint_is_consistent_with_all_before_it(own_database: Flask) -> None:
    signed = [found for found in (grown(step) for step in (1, 2, 5, 8, 13)) if found]
    told = [notes.opened(found.note, log_keys.verifiers()) for found in signed]
    for older in told:
        for newer in told[told.index(older) :]:
            path = sequencer.over_tree(partial(merkle.consistency, older.size, newer.size))
            merkle.require_consistent(older.size, older.root, newer.size, newer.root, path)


def shrink() -> None:
    """What restoring a backup of before does."""
    tamper("DELETE FROM audit_checkpoint")
    for table in ("audit_leaf", "audit_node"):
        tamper(f"DELETE FROM {table} WHERE position >= 5")


def fork() -> None:
    """A record in which one amount is another, and the tree over it was made anew."""
    tamper("DELETE FROM audit_checkpoint")
    tamper("UPDATE audit_node SET hash = decode(repeat('ab', 32), 'hex') WHERE level = 3 AND position = 0")


@pytest.mark.parametrize("damage", [shrink, fork])
def test_a_record_that_does_not_continue_what_was_signed_is_not_signed(
    own_database: Flask, damage: Callable[[], None]
) -> None:
    first = grown(9)
    assert first is not None
    note = first.note
    damage()
    before = count()
    write(3)
    if damage is fork:
        sequencer.sequence_all()
    with pytest.raises(LogForked, match="was signed"):
        published()
    assert count() == before
    assert settings.current().log_signed_path.read_text() == note


def test_a_fork_is_found_by_the_database_where_the_file_is_lost(own_database: Flask) -> None:
    grown(9)
    settings.current().log_signed_path.unlink()
    tamper("UPDATE audit_node SET hash = decode(repeat('ab', 32), 'hex') WHERE level = 3 AND position = 0")
    write(1)
    sequencer.sequence_all()
    with pytest.raises(LogForked, match="in the database"):
        published()


@pytest.mark.parametrize("statement", ["UPDATE audit_checkpoint SET size = 1", "DELETE FROM audit_checkpoint"])
def test_the_database_refuses_to_change_what_was_signed(own_database: Flask, statement: str) -> None:
    grown()
    with pytest.raises(DBAPIError, match="append-only"), transaction():
        db.session.execute(text(statement))
    assert count() == 1


def test_a_new_key_signs_beside_the_old_one_until_that_is_dropped(own_database: Flask) -> None:
    first = grown()
    [old] = log_keys.verifiers()
    new = log_keys.rotate()
    second = grown()
    assert log_keys.verifiers() == [new, old]
    assert log_keys.prune() == [old]
    assert log_keys.prune() == []
    third = grown()
    verifies = {
        key: [bool(notes.verified(notes.read(found.note), [key])) for found in (first, second, third) if found]
        for key in (old, new)
    }
    assert verifies == {old: [True, True, False], new: [False, True, True]}
    assert [key.vkey for key in checkpoints.list_keys()] == [old.text, new.text]


def test_a_machine_that_finds_the_tree_signed_notes_what_another_has_signed(own_database: Flask) -> None:
    path = settings.current().log_signed_path
    first = grown(5)
    assert first is not None
    mine = first.note
    second = grown(4)
    assert second is not None
    for left in (mine, None):  # as on a machine that has signed earlier, and on one that never has
        path.unlink()
        if left:
            path.write_text(left)
        assert published() is None
        assert path.read_text() == second.note
    shrink()
    with pytest.raises(LogForked, match=r"by .*checkpoint a tree of 9 was signed"):
        published()


def test_a_key_is_made_for_a_new_log_alone_and_a_lost_one_is_replaced_when_told(own_database: Flask) -> None:
    path = settings.current().log_key_path
    assert log_keys.is_new()
    assert checkpoints.trouble() is None
    assert not path.exists()
    with pytest.raises(LogKeyUnusable, match="no key of this log is lost"):
        log_keys.rotate(is_lost=True)
    grown()
    kept = path.read_bytes()
    path.unlink()
    for refused in (grown, log_keys.verifiers, log_keys.rotate, log_keys.prune):
        with pytest.raises(LogKeyUnusable, match=r"restore it from a backup, or run .* rotate --lost"):
            refused()
    assert "is gone" in (checkpoints.trouble() or "")
    assert (path.exists(), count()) == (False, 1)
    key = log_keys.rotate(is_lost=True)
    assert log_keys.verifiers() == [key]
    again = grown()
    assert again is not None
    notes.opened(again.note, [key])
    assert path.read_bytes() != kept
    with pytest.raises(LogKeyUnusable, match="no key of this log is lost"):
        log_keys.rotate(is_lost=True)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwxDjy6b3JcZ0cN5h\n-----END PRIVATE KEY-----",
    ],
    ids=["empty", "no key", "cut"],
)  # fmt: skip
def test_a_key_file_that_holds_something_else_signs_nothing(own_database: Flask, content: bytes) -> None:
    grown()
    settings.current().log_key_path.write_bytes(content)
    with pytest.raises(LogKeyUnusable, match="backup"):
        grown()
    assert count() == 1


def test_receipts_prove_each_entry_and_still_do_after_the_tree_has_grown_and_its_key_was_replaced(
    own_database: Flask,
) -> None:
    entries = write(20)
    sequencer.sequence_all()
    published()
    keys = log_keys.verifiers()
    receipts = [proofs.get_receipt(_Overseer(), entry_id) for entry_id in entries]
    for _ in range(10):
        grown(3)
    log_keys.rotate()
    log_keys.prune()
    grown()
    for receipt in receipts:
        assert verified(receipt.proof, receipt.entry.canonical, keys) == receipt.position
        altered = receipt.entry.canonical.replace('"amount_minor":', '"amount_minor":9')
        with pytest.raises(AssertionError):
            verified(receipt.proof, altered, keys)
    again = proofs.get_receipt(_Overseer(), entries[0])
    assert verified(again.proof, again.entry.canonical, log_keys.verifiers()) == 0


def test_a_deed_that_is_not_signed_for_yet_has_no_proof(own_database: Flask) -> None:
    grown()
    [entry_id] = write(1)
    assert proofs.get_receipt(_Overseer(), entry_id).position is None
    sequencer.sequence_all()
    receipt = proofs.get_receipt(_Overseer(), entry_id)
    assert (receipt.position, receipt.proof) == (5, None)
    published()
    assert proofs.get_receipt(_Overseer(), entry_id).proof is not None


def test_what_a_witness_signed_is_kept_once_and_told_with_the_checkpoint(own_database: Flask) -> None:
    found = grown()
    assert found is not None
    private = log_keys._private()[0]
    at = int(clock.now().timestamp())
    text_of = notes.read(found.note).text
    signature = notes.cosign("witness.example", private, text_of, at)
    key = notes.key_of("witness.example", private, notes.COSIGNATURE)
    for _ in range(2):
        with transaction():
            checkpoints.keep_cosignature(found, key, signature, clock.now())
    note = notes.read(checkpoints.written(found))
    assert len(note.signatures) == 2
    assert notes.verified(note, [key]) == {key: at}


def verified(proof: str | None, canonical: str, keys: list[notes.VerifierKey]) -> int:
    """The position that a receipt proves, computed from its text alone."""
    assert proof is not None
    first, second, rest = proof.split("\n", 2)
    assert first == "c2sp.org/tlog-proof@v1"
    steps, _, note = rest.partition("\n") if rest.startswith("\n") else rest.partition("\n\n")
    tree = notes.opened(note, keys)
    position = int(second.removeprefix("index "))
    path = [base64.b64decode(step) for step in steps.split()]
    root = merkle.root_of_inclusion(merkle.leaf_hash(canonical.encode()), position, tree.size, path)
    assert root == tree.root
    return position


class _Overseer:
    organization_id, oversees = "org_auditor", True
