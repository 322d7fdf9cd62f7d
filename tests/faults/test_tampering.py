"""The record under the hands of a superuser: what he does to its tables is found, and what he signed once stays said."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import select, text

from marketplace.access import service as access
from marketplace.audit import checkpoints, log_keys, proofs, rules, sequencer, verification
from marketplace.audit.errors import LogForked
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.cli import audit as commands
from marketplace.exchange import archiving
from marketplace.kit import clock, notes, settings
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.audit import test_checkpoints as receipts
from tests.audit.test_checkpoints import grown, published
from tests.audit.test_record import tamper, write
from tests.exchange.test_archiving import verified
from tests.factories import market

SIGNED = (5, 9, 12)
AT = 7
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
Deed = Callable[[list[str]], None]


@pytest.fixture
def entries(own_database: Flask) -> list[str]:
    """The entries of a record that was signed at three sizes, in their order."""
    before = 0
    for size in SIGNED:
        grown(size - before)
        before = size
    return list(db.session.scalars(text("SELECT entry_id FROM audit_leaf ORDER BY position")))


def forge(entry_id: str, **columns: object) -> None:
    """Change an entry so that its columns and its text agree."""
    entry = db.session.get_one(Entry, entry_id, populate_existing=True)
    said = {name: getattr(entry, name) for name in rules.FIELDS} | columns
    tamper("DELETE FROM audit_entry WHERE id = :id", id=entry_id)
    put(said)


def put(columns: dict[str, object]) -> None:
    """Put an entry into its table, and nowhere else."""
    db.session.expunge_all()
    with transaction():
        db.session.execute(text("SET LOCAL session_replication_role = replica"))
        db.session.add(Entry(**columns, canonical=rules.canonical_entry(columns)))
    db.session.expunge_all()


def change(entries: list[str]) -> None:
    """One yen more."""
    forge(entries[AT], amount_minor=1_000_001)


def change_text(entries: list[str]) -> None:
    tamper("UPDATE audit_entry SET canonical = replace(canonical, 'trm', 'trn') WHERE id = :id", id=entries[AT])


def change_column(entries: list[str]) -> None:
    tamper("UPDATE audit_entry SET counterparty_id = 'org_other' WHERE id = :id", id=entries[AT])


def delete(entries: list[str]) -> None:
    tamper("DELETE FROM audit_entry WHERE id = :id", id=entries[AT])


def insert(entries: list[str]) -> None:
    """A deed that was not done, dated between two that were."""
    copied = db.session.get_one(Entry, entries[AT])
    said = {name: getattr(copied, name) for name in rules.FIELDS}
    put(said | {"id": new_id("aud"), "occurred_at": copied.occurred_at + timedelta(microseconds=1)})


def swap(entries: list[str]) -> None:
    """Two entries, each in the place of the other."""
    one, other = (db.session.get_one(Entry, entries[at]).occurred_at for at in (AT, AT - 1))
    forge(entries[AT], occurred_at=other)
    forge(entries[AT - 1], occurred_at=one)


def swap_leaves(entries: list[str]) -> None:
    for entry_id, position in ((entries[AT], 99), (entries[AT - 1], AT), (entries[AT], AT - 1)):
        tamper("UPDATE audit_leaf SET position = :at WHERE entry_id = :id", at=position, id=entry_id)


def truncate(_entries: list[str]) -> None:
    """The end is cut off, cleanly: no node is left that belongs to no leaf."""
    tamper("DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM audit_leaf WHERE position >= :at)", at=AT)
    tamper("DELETE FROM audit_leaf WHERE position >= :at", at=AT)
    tamper("DELETE FROM audit_node WHERE (position + 1) << level > :at", at=AT)


def rebuild() -> None:
    """Make leaves and nodes anew over the entries as they are, as the exchange itself would."""
    for table in ("audit_node", "audit_leaf", "audit_waiting"):
        tamper(f"DELETE FROM {table}")
    tamper("INSERT INTO audit_waiting (occurred_at, entry_id) SELECT occurred_at, id FROM audit_entry")
    sequencer.sequence_all()


def findings() -> list[tuple[int | None, str | None, str]]:
    return [(one.position, one.entry_id, one.trouble) for one in verification.verify().findings]


@pytest.mark.parametrize(
    ("deed", "trouble"),
    [
        (change, "the entry is not what the tree committed to"),
        (change_text, "the entry is not what the tree committed to"),
        (change_column, "the columns differ from the canonical text"),
        (delete, "the entry was removed"),
        (swap, "the entry is not what the tree committed to"),
        (swap_leaves, "the entry is not what the tree committed to"),
    ],
)
def test_what_is_done_to_an_entry_is_found_and_the_entry_is_named(entries: list[str], deed: Deed, trouble: str) -> None:
    deed(entries)
    found = findings()
    named = {entry_id for _position, entry_id, _trouble in found}
    assert (entries[AT], trouble) in [(entry_id, said) for _position, entry_id, said in found]
    assert named <= ({entries[AT], entries[AT - 1]} if "swap" in deed.__name__ else {entries[AT], None})


def test_an_entry_that_was_slipped_in_is_named(entries: list[str]) -> None:
    insert(entries)
    slipped = db.session.scalars(select(Entry.id).where(Entry.id.not_in(entries))).one()
    assert findings() == [(None, slipped, "the entry has no place in the tree and waits for none")]


def test_an_entry_that_is_back_dated_is_named_where_it_is_placed(entries: list[str]) -> None:
    copied = db.session.get_one(Entry, entries[AT])
    said = {name: getattr(copied, name) for name in rules.FIELDS}
    dated = {"id": new_id("aud"), "occurred_at": copied.occurred_at - timedelta(hours=1)}
    with transaction():
        db.session.add(Entry(**(said | dated), canonical=rules.canonical_entry(said | dated)))
    sequencer.sequence_all()
    assert findings() == [(len(entries), dated["id"], "the entry is dated before entries placed earlier")]


def test_a_record_that_was_cut_off_is_shorter_than_what_was_signed(entries: list[str]) -> None:
    truncate(entries)
    assert findings() == [(None, None, f"a checkpoint of {SIGNED[-1]} entries was signed, and the record has {AT}")]
    with pytest.raises(LogForked, match="was signed"):
        published()


@pytest.mark.parametrize("deed", [change, delete, insert, swap, truncate])
def test_a_tree_that_was_rewritten_throughout_is_not_the_one_that_was_signed(
    entries: list[str], tmp_path: Path, deed: Deed
) -> None:
    deed(entries)
    rebuild()
    size = sequencer.tree_size()
    found = [trouble for _position, _entry_id, trouble in findings()]
    beyond = [f"the first {one} entries are not those that were signed" for one in SIGNED if AT < one <= size]
    lost = [f"a checkpoint of {SIGNED[-1]} entries was signed, and the record has {size}"]
    assert found == beyond + (lost if size < SIGNED[-1] else [])
    with pytest.raises(LogForked, match="was signed"):
        published()
    code, wrong, _last = verified(archived(tmp_path))
    assert code == 1
    lines = f"leaves.txt: one of the lines {SIGNED[0] + 1} to {SIGNED[1]} is not what was signed"
    assert wrong[0] == (lines if deed is not truncate else f"entries.ndjson: it has {AT} entries, and a checkpoint was signed of 9")  # fmt: skip


def test_the_file_beside_the_database_knows_what_was_signed_where_the_checkpoints_were_removed(
    entries: list[str],
) -> None:
    change(entries)
    rebuild()
    tamper("DELETE FROM audit_checkpoint")
    assert findings() == [(None, None, "the first 12 entries are not those that were signed")]
    write(1)
    sequencer.sequence_all()
    with pytest.raises(LogForked, match="another root was signed for the first 12"):
        published()
    settings.current().log_signed_path.write_text("nothing")
    assert "does not say any more what was signed" in findings()[0][2]
    with pytest.raises(LogForked, match="does not say any more"):
        published()


def test_whoever_rewrites_all_and_signs_it_again_is_contradicted_by_what_others_keep(
    entries: list[str], tmp_path: Path
) -> None:
    """The operator has the key and the machine. He has not the checkpoint, the key and the receipt of another."""
    [key] = log_keys.verifiers()
    kept, first = tmp_path / "kept", checkpoints.latest()
    assert first is not None
    kept.write_text(first.note)
    receipt = proofs.get_receipt(receipts._Overseer(), entries[AT])
    canonical = receipt.entry.canonical
    change(entries)
    rebuild()
    tamper("DELETE FROM audit_checkpoint")
    settings.current().log_signed_path.unlink()
    write(2)
    sequencer.sequence_all()
    assert published() is not None
    assert findings() == []
    code, wrong, _last = verified(archived(tmp_path), "--key", key.text, "--note", str(kept))
    assert (code, wrong) == (1, ["leaves.txt: one of the lines 1 to 12 is not what was signed"])
    assert receipts.verified(receipt.proof, canonical, [key]) == AT
    now = proofs.get_receipt(receipts._Overseer(), entries[AT])
    with pytest.raises(AssertionError):
        receipts.verified(now.proof, canonical, [key])


def test_a_receipt_proves_its_entry_at_its_place_and_no_other(entries: list[str]) -> None:
    proved = [proofs.get_receipt(receipts._Overseer(), entry_id) for entry_id in entries]
    keys = log_keys.verifiers()
    for one in proved:
        for other in proved:
            moved = (one.proof or "").replace(f"index {one.position}\n", f"index {other.position}\n")
            if one is other:
                assert receipts.verified(moved, other.entry.canonical, keys) == other.position
                continue
            for proof in (one.proof, moved):
                with pytest.raises((AssertionError, ValueError)):
                    receipts.verified(proof, other.entry.canonical, keys)


def resigned(private: Ed25519PrivateKey, name: str | None = None) -> str:
    """The last checkpoint, signed by another key, under the log's name or another."""
    checkpoint = checkpoints.latest()
    assert checkpoint is not None
    told = notes.read(checkpoint.note).text
    return notes.Note(told, (notes.sign(name or log_keys.origin(), private, told),)).written


def other_size() -> str:
    """A checkpoint of the right key, of another size."""
    told = notes.Checkpoint(log_keys.origin(), 11, b"\5" * 32)
    return notes.Note(told.text, log_keys.sign(told.text)).written


NOTES: dict[str, tuple[Callable[[], str], str, str]] = {
    "another key": (lambda: resigned(STRANGER), "none of the known keys has signed it", "no known key has signed it"),
    "another name": (
        lambda: resigned(STRANGER, "other.example/log"), "none of the known keys", "no known key has signed it",
    ),
    "another text": (
        lambda: checkpoints.latest().note.replace("\n12\n", "\n13\n"),  # type: ignore[union-attr]
        "is not of this text", "is not of it",
    ),
    "no note": (lambda: "12", "a note ends with", "it is no checkpoint|cannot be read"),
    "another size": (other_size, "its note says something else", "line 3: it does not stand|one of the lines"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOTES)
def test_a_checkpoint_that_was_altered_is_named(entries: list[str], tmp_path: Path, kind: str) -> None:
    note, said, _said_of_archive = NOTES[kind]
    tamper("UPDATE audit_checkpoint SET note = :note WHERE size = 12", note=note())
    (found,) = findings()
    assert found[2].startswith("the checkpoint of 12 entries was altered: ")
    assert said in found[2]


@pytest.mark.parametrize("kind", [kind for kind in NOTES if kind != "another size"])
def test_a_checkpoint_that_was_altered_is_named_in_an_archive(entries: list[str], tmp_path: Path, kind: str) -> None:
    note, _said, said = NOTES[kind]
    tamper("UPDATE audit_checkpoint SET note = :note WHERE size = 12", note=note())
    code, wrong, _last = verified(archived(tmp_path))
    assert code == 1
    assert wrong[0].startswith("checkpoints.ndjson line 3: ")
    assert any(part in wrong[0] for part in said.split("|"))


def sign_anew(private: Ed25519PrivateKey) -> str:
    """Sign every checkpoint with another key alone, and say that it is the log's; returns the key."""
    key = notes.key_of(log_keys.origin(), private).text
    for size in SIGNED:
        told = notes.read(checkpoints.find(size).note).text  # type: ignore[union-attr]
        note = notes.Note(told, (notes.sign(log_keys.origin(), private, told),)).written
        tamper("UPDATE audit_checkpoint SET note = :note WHERE size = :size", note=note, size=size)
    tamper("INSERT INTO audit_log_key SELECT :key, min(first_used_at) - interval '1 day' FROM audit_log_key", key=key)
    return key


def test_a_strangers_key_that_was_slipped_in_is_named(entries: list[str]) -> None:
    [own] = log_keys.verifiers()
    stranger = sign_anew(STRANGER)
    known = f"only one key of the log may be its first, and these were never added: {stranger}, {own.text}"
    beside = f"the checkpoint in {settings.current().log_signed_path} is not of this log: none of the known keys has signed it"
    assert findings() == [(None, None, known)]
    # Without the log's own key, the file beside the database remembers.
    tamper("DELETE FROM audit_log_key WHERE vkey = :key", key=own.text)
    assert findings() == [(None, None, beside)]


def test_keys_that_were_added_on_the_record_or_took_another_name_are_no_strangers(
    entries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_keys.rotate(partial(commands._note_keys, Verb.LOG_KEY_ADDED))
    grown(1)
    renamed = replace(settings.current(), log_name="renamed.example/log")
    monkeypatch.setattr(settings, "current", lambda: renamed)
    log_keys.prune()
    grown(1)
    assert len(checkpoints.list_keys()) == 3
    assert findings() == []


def swap_node(_entries: list[str]) -> None:
    tamper("UPDATE audit_node SET hash = decode(repeat('ab', 32), 'hex') WHERE level = 0 AND position = :at", at=AT - 1)


def swap_note(_entries: list[str]) -> None:
    tamper("UPDATE audit_checkpoint SET note = (SELECT note FROM audit_checkpoint WHERE size = 9) WHERE size = 12")


@pytest.mark.parametrize("deed", [swap_node, swap_note, change, change_text])
def test_a_receipt_that_would_show_us_to_have_lied_is_not_given(entries: list[str], deed: Deed) -> None:
    assert proofs.get_receipt(receipts._Overseer(), entries[AT]).proof
    deed(entries)
    db.session.expunge_all()
    with pytest.raises(LogForked, match=f"{entries[AT]} is not what was signed at {AT}"):
        proofs.get_receipt(receipts._Overseer(), entries[AT])


def test_what_a_witness_signed_and_is_altered_is_named(entries: list[str]) -> None:
    checkpoint, at = checkpoints.latest(), clock.now().replace(microsecond=0)
    assert checkpoint is not None
    key = notes.key_of("witness.example", STRANGER, notes.COSIGNATURE)
    told = notes.read(checkpoint.note).text
    with transaction():
        made = notes.cosign("witness.example", STRANGER, told, int(at.timestamp()))
        checkpoints.keep_cosignature(checkpoint, key, made, at)
    assert findings() == []
    other = notes.cosign("witness.example", STRANGER, told.replace("12", "13"), int(at.timestamp()))
    altered = [(None, None, "what a witness signed of the checkpoint of 12 entries was altered")]
    tamper("UPDATE audit_cosignature SET line = :line", line=other.line)
    assert findings() == altered
    # In time, it would seem.
    tamper("UPDATE audit_cosignature SET line = :line, witnessed_at = :at", line=made.line, at=at - timedelta(hours=1))
    assert findings() == altered
    tamper("UPDATE audit_cosignature SET witnessed_at = :at", at=at)
    assert findings() == []


def test_a_grant_that_was_reopened_and_use_that_was_lowered_are_named(own_database: Flask, tmp_path: Path) -> None:
    who, on = market.buyer(), market.listed()
    used, revoked = (market.ordered(who, market.offered(on, PriceKind.FREE)).grant_id for _ in range(2))
    market.fetched(who, used)
    with transaction():
        access.revoke(on.provider, revoked, "契約の終了")
    sequencer.sequence_all()
    published()
    assert verified(archived(tmp_path))[:2] == (0, [])
    opened = "state = 'active', revoked_at = NULL, revoked_reason = NULL"
    tamper(f"UPDATE access_grant SET {opened} WHERE id = :id", id=revoked)
    tamper("UPDATE quota SET used_bytes = used_bytes - 1 WHERE grant_id = :id", id=used)
    code, wrong, _last = verified(archived(tmp_path))
    size, at = len(market.CONTENT), sorted([used, revoked])
    assert (code, wrong) == (
        1,
        [f"grants.ndjson line {at.index(revoked) + 1} ({revoked}): it is active, and the record says revoked",
         f"usage.ndjson line {at.index(used) + 1} ({used}): {size - 1} bytes are counted, and the deliveries come to {size}"],
    )  # fmt: skip


def archived(folder: Path) -> Path:
    """The archive of the record as it is."""
    path = folder / "record.tar"
    db.session.rollback()
    with path.open("wb") as file, transaction():
        archiving.archive(file)
    return path
