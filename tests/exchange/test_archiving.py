"""The archive of the record: sound as it was written, and whatever is changed in it is named by a program of its own."""

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask

from marketplace.access import service as access
from marketplace.audit import checkpoints, log_keys, sequencer
from marketplace.exchange import archiving
from marketplace.exchange.archiving import NothingSigned
from marketplace.kit import clock, notes
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.factories import archives, market, money

ROOT = Path(__file__).resolve().parents[2]
Files = dict[str, list[str]]


@pytest.fixture
def written(own_database: Flask, tmp_path: Path) -> Path:
    """The archive of some trades: a sale that was given back in part, downloads, a grant that was revoked."""
    who = market.buyer()
    made = money.sold(own_database, 5000, who)
    money.give_back(made, 1100)
    on = market.listed()
    grants = [market.ordered(who, market.offered(on, PriceKind.FREE)).grant_id for _ in range(2)]
    for acked in (None, 7):
        market.fetched(who, grants[0], acked)
    with transaction():
        access.revoke(on.provider, grants[1], "契約の終了")
    signed()
    with transaction():
        access.revoke(on.provider, grants[0], "契約の終了")
    path = tmp_path / "record.tar"
    with path.open("wb") as file, transaction():
        found = archiving.archive(file)
    assert (found.pending > 0, found.size) == (True, sequencer.tree_size())
    return path


def signed() -> None:
    sequencer.sequence_all()
    with transaction():
        checkpoints.publish()


def verified(path: Path, *more: str) -> tuple[int, list[str], str]:
    """Exit code, what is wrong, and the last line of the program, which is run by itself."""
    command = [sys.executable, "-I", str(ROOT / "verify_audit.py"), str(path), *more]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.stderr == ""
    lines = run.stdout.splitlines()
    wrong = [line.removeprefix("WRONG ") for line in lines if line.startswith("WRONG ")]
    return run.returncode, wrong, lines[-1]


def unpacked(path: Path) -> Files:
    with tarfile.open(path) as tar:
        return {name: tar.extractfile(name).read().decode().splitlines() for name in tar.getnames()}  # type: ignore[union-attr]


def packed(files: Files, path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, lines in files.items():
            data = "".join(f"{line}\n" for line in lines).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_an_archive_is_sound_and_says_what_it_holds(written: Path) -> None:
    code, wrong, last = verified(written)
    assert (code, wrong) == (0, [])
    files = unpacked(written)
    assert last == (
        f"{len(files['entries.ndjson'])} entries are signed for, {len(files['pending.ndjson'])} wait for a signature:"
        " the record is sound"
    )
    assert len(files["ledger.ndjson"]) > 1
    assert {json.loads(line)["state"] for line in files["grants.ndjson"]} == {"active", "revoked"}
    assert max(json.loads(line)["bytes"] for line in files["usage.ndjson"]) == len(market.CONTENT)


def changed(name: str, pattern: str, to: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        at = next(at for at, line in enumerate(files[name]) if re.search(pattern, line))
        files[name][at] = re.sub(pattern, to, files[name][at], count=1)

    return change


def without(name: str, at: int) -> Callable[[Files], None]:
    return lambda files: files[name].pop(at)  # type: ignore[return-value]


def twice(name: str) -> Callable[[Files], None]:
    return lambda files: files[name].append(files[name][-1])


def swapped(name: str) -> Callable[[Files], None]:
    def swap(files: Files) -> None:
        files[name][3], files[name][4] = files[name][4], files[name][3]

    return swap


DAMAGES = {
    "a yen in an entry": (
        changed("entries.ndjson", r'"amount_minor":5500', '"amount_minor":5501'),
        r"entries\.ndjson line \d+: it is not the entry that stands at this place",
    ),
    "a yen in the ledger": (
        changed("ledger.ndjson", r'"JPY",5500\]', '"JPY",5501]'),
        r"ledger\.ndjson line \d+ \(.*\): it (is not what the record says was booked|does not balance)",
    ),
    "a leaf": (changed("leaves.txt", "^..", "00"), r"it is not the entry that stands at this place"),
    "an entry that is gone": (without("entries.ndjson", 2), r"entries\.ndjson line 3: it is not the entry"),
    "entries in another order": (swapped("entries.ndjson"), r"entries\.ndjson line 4: it is not the entry"),
    "an entry more": (twice("entries.ndjson"), r"one of them ends after line"),
    "a booking that is gone": (without("ledger.ndjson", 0), r"ledger\.ndjson: the transaction .* is missing"),
    "a booking twice": (twice("ledger.ndjson"), r"it stands nowhere on the record, or twice in the ledger"),
    "a grant that is gone": (without("grants.ndjson", 0), r"grants\.ndjson: the grant .* is missing"),
    "a grant that is open again": (
        changed("grants.ndjson", '"revoked"', '"active"'), r"it is active, and the record says revoked",
    ),
    "usage": (changed("usage.ndjson", r'"bytes":[1-9]\d*', '"bytes":1'), r"1 bytes are counted, and the deliveries"),
    "a size that was signed": (
        changed("checkpoints.ndjson", r"audit\\n(\d)", r"audit\\n9\1"), r"the signature of .* is not of it",
    ),
    "a revocation that waits": (without("pending.ndjson", 0), r"it is revoked, and the record says active"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_changed_in_an_archive_is_named(written: Path, damage: str) -> None:
    change, named = DAMAGES[damage]
    files = unpacked(written)
    change(files)
    code, wrong, last = verified(packed(files, written))
    assert code == 1
    assert any(re.search(named, one) for one in wrong), wrong
    assert any("it was changed after it was written" in one for one in wrong), wrong
    assert last.endswith("the record is NOT sound")


def test_a_record_that_was_made_anew_is_not_the_one_that_was_signed(written: Path) -> None:
    """Who changes an entry, its leaf, the ledger and the sums of the head still cannot sign the root."""
    files = unpacked(written)
    changed("entries.ndjson", r'"amount_minor":5500', '"amount_minor":5501')(files)
    leaves = [leaf_of(line) for line in files["entries.ndjson"]]
    head = json.loads(files["head.json"][0])
    files["leaves.txt"] = leaves
    for name in ("entries.ndjson", "leaves.txt"):
        head["files"][name]["sha256"] = sha256("".join(f"{line}\n" for line in files[name]))
    files["head.json"] = [archives.written(head)]
    code, wrong, _last = verified(packed(files, written))
    assert (code, wrong) == (1, [f"leaves.txt: one of the lines 1 to {len(leaves)} is not what was signed"])


def test_only_a_key_that_one_knows_counts_and_so_does_a_checkpoint_that_one_kept(written: Path, tmp_path: Path) -> None:
    [key] = log_keys.verifiers()
    assert verified(written, "--key", key.text)[0] == 0
    stranger = notes.VerifierKey(key.name, key.kind, bytes(32))
    code, wrong, _last = verified(written, "--key", stranger.text)
    assert code == 1
    assert "no known key has signed it" in wrong[0]
    kept = tmp_path / "kept"
    first = checkpoints.latest()
    assert first is not None
    kept.write_text(first.note)
    assert verified(written, "--note", str(kept))[0] == 0
    forked = notes.Checkpoint(log_keys.origin(), 5, b"\5" * 32)
    kept.write_text(notes.Note(forked.text, log_keys.sign(forked.text)).written)
    code, wrong, _last = verified(written, "--note", str(kept))
    assert (code, wrong) == (1, ["leaves.txt: one of the lines 1 to 5 is not what was signed"])
    grown = notes.Checkpoint(log_keys.origin(), first.size + 1, b"\5" * 32)
    kept.write_text(notes.Note(grown.text, log_keys.sign(grown.text)).written)
    code, wrong, _last = verified(written, "--note", str(kept))
    assert code == 1
    assert f"a checkpoint was signed of {first.size + 1}" in wrong[0]


def test_witnesses_are_asked_for_by_number(written: Path) -> None:
    [key] = log_keys.verifiers()
    witness = notes.VerifierKey("witness.example", notes.COSIGNATURE, key.public)
    code, wrong, _last = verified(written, "--witness", witness.text, "--witnesses", "1")
    assert (code, wrong) == (1, ["0 of the witnesses you trust have signed the last checkpoint, not 1"])


def test_what_a_witness_signed_is_in_the_archive_and_counts(written: Path) -> None:
    checkpoint, private = checkpoints.latest(), Ed25519PrivateKey.from_private_bytes(b"\3" * 32)
    assert checkpoint is not None
    key, at = notes.key_of("witness.example", private, notes.COSIGNATURE), clock.now()
    assert verified(written, "--witness", key.text)[0] == 1
    signature = notes.cosign(key.name, private, notes.read(checkpoint.note).text, int(at.timestamp()))
    with transaction():
        checkpoints.keep_cosignature(checkpoint, key, signature, at)
    with written.open("wb") as file, transaction():
        archiving.archive(file)
    assert verified(written, "--witness", key.text, "--witnesses", "1", "--within", "86400")[:2] == (0, [])


@pytest.mark.parametrize("content", [b"", b"no tar", b"\0" * 10240])
def test_what_is_no_archive_is_told_apart(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    code, wrong, last = verified(path)
    assert (code, wrong) == (2, [])
    assert last.startswith("this is no archive of a record")


def test_nothing_is_archived_before_anything_is_signed(own_database: Flask) -> None:
    out = io.BytesIO()
    with pytest.raises(NothingSigned), transaction():
        archiving.archive(out)
    assert out.getvalue() == b""


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def leaf_of(line: str) -> str:
    return sha256(f"\0{line}")
