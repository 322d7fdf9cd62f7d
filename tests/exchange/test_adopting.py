"""Taking over the record of another operator: what was proved before is proved here; what is not sound leaves nothing."""

import base64
import importlib.util
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from marketplace.api import streams
from marketplace.app import create_app, install
from marketplace.audit import checkpoints, log_keys, proofs, queries, sequencer, verification
from marketplace.audit.adopted import queries as adopted
from marketplace.audit.adopted import receipts
from marketplace.audit.adopted import verification as adopted_verification
from marketplace.audit.adopted.errors import RecordDamaged, RecordRefused
from marketplace.audit.adopted.models import AdoptedEntry, AdoptedNode, AdoptedRecord
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.exchange import adopting, archiving
from marketplace.exchange.adopting import VERIFIER
from marketplace.kit import merkle, notes, settings
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.notes import VerifierKey
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction
from tests.audit.test_record import tamper
from tests.factories import archives, market, money
from tests.factories.archives import FormerLog

FORMER = "former.example.jp/audit"


class Counting(io.FileIO):
    """A file that knows how much of it was read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size) or b""
        self.count += len(data)
        return data


@pytest.fixture(scope="module")
def verifier() -> ModuleType:
    """The program of strangers, as a module."""
    spec = importlib.util.spec_from_file_location("verify_audit", VERIFIER)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


@pytest.fixture
def former(
    clone: Callable[[], str], let_go: Callable[[str], None], make_settings: Callable[..., Settings]
) -> Iterator[Flask]:
    """The exchange of the former operator, on a database of its own."""
    url = clone()
    app = create_app(make_settings(url, log_name=FORMER))
    yield app
    with app.app_context():
        app.extensions[streams.EXTENSION].stop()
        db.session.remove()
        db.engine.dispose()
    let_go(url)


def signed() -> None:
    sequencer.sequence_all()
    with transaction():
        checkpoints.publish()


def kept() -> list[Path]:
    """Every file that adopting has left."""
    folder = settings.current().adopted_dir
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def file_of(record_id: str) -> Path:
    sha256 = adopted.get_record(record_id).sha256
    return next(path for path in kept() if path.name == sha256)


def rows() -> list[int]:
    return [
        db.session.scalar(select(func.count()).select_from(model))
        for model in (AdoptedRecord, AdoptedEntry, AdoptedNode)
    ]


def told() -> list[dict[str, object]]:
    return [one.entry.facts for one in queries.all_entries(Search(verb=Verb.RECORD_ADOPTED.value))]


def adopt(path: Path, *keys: VerifierKey) -> tuple[str, bool]:
    with transaction():
        record, is_new = adopting.adopt(path, keys)
        return record.id, is_new


def refused(path: Path, *keys: VerifierKey) -> RecordRefused:
    before = (rows(), told(), kept())
    with pytest.raises(RecordRefused) as caught:
        adopt(path, *keys)
    assert (rows(), told(), kept()) == before
    return caught.value


def proved(proof: str, entry: str, key: VerifierKey) -> int:
    """The position that a proof proves, out of its text alone."""
    head, index, rest = proof.split("\n", 2)
    steps, _, note = rest.partition("\n") if rest.startswith("\n") else rest.partition("\n\n")
    tree, position = notes.opened(note, [key]), int(index.removeprefix("index "))
    path = [base64.b64decode(step) for step in steps.split()]
    assert head == proofs.HEAD
    assert merkle.root_of_inclusion(merkle.leaf_hash(entry.encode()), position, tree.size, path) == tree.root
    return position


def traded_and_archived(former: Flask, path: Path) -> tuple[VerifierKey, dict[str, tuple[str, str]]]:
    """Trade at the former exchange, until it ends; returns its key and the receipts that people hold of it."""
    install(former)
    with former.app_context():
        money.sold(former, 5000, market.buyer())
        signed()
        [key] = log_keys.verifiers()
        placed = [one for one in queries.all_entries(Search()) if one.position is not None]
        held = {one.entry.id: (one.entry.canonical, str(proofs.proof_of(one.entry, one.position))) for one in placed}  # type: ignore[arg-type]
        db.session.remove()
        with path.open("wb") as file, transaction():
            archiving.archive(file)
        db.session.remove()
    return key, held


def test_what_was_done_at_the_former_exchange_is_proved_by_the_next_one(
    former: Flask, own_database: Flask, tmp_path: Path, verifier: ModuleType
) -> None:
    path = tmp_path / "record.tar"
    key, held = traded_and_archived(former, path)
    install(own_database)
    own = archives.former(3, "third.example.jp/audit")
    archives.adopted(own, tmp_path)
    record_id, is_new = adopt(path, key)
    assert is_new
    record = adopted.get_record(record_id)
    assert (record.origin, record.size, record.keys) == (FORMER, len(held), [key.text])
    for entry_id, (entry, proof) in held.items():
        receipt = adopting.get_receipt(record_id, entry_id)
        # What people hold is proved without anybody, and it is what the next exchange says.
        assert proved(proof, entry, key) == receipt.position
        assert (receipt.entry, receipt.proof) == (entry, proof)
        with pytest.raises(AssertionError):
            proved(receipt.proof, entry.replace('"v":1', '"v":2'), key)
    note = verifier.Checkpoint(record.note)
    assert [one.name for one, _at in note.signed([verifier.Key(key.text)])] == [FORMER]
    tree = verifier.Tree()
    for leaf in archives.unpacked(path)["leaves.txt"]:
        tree.add(bytes.fromhex(leaf))
    assert tree.root() == note.root == record.root
    assert adopted.list_records().items[0].id == record_id


def test_the_old_record_hangs_in_the_new_tree_which_begins_by_itself(own_database: Flask, tmp_path: Path) -> None:
    log = archives.former(5)
    path = archives.packed(log.files(), tmp_path / "a.tar")
    record_id, _is_new = adopt(path, log.key)
    signed()
    record = adopted.get_record(record_id)
    [file] = kept()
    assert file.read_bytes() == path.read_bytes()
    signed_was = {"origin": log.origin, "size": 5, "root": archives.root_of(log.entries).hex(), "keys": [log.key.text]}
    assert (told(), record.sha256) == ([signed_was | {"sha256": file.name}], file.name)
    [placed] = queries.all_entries(Search(subject=record_id))
    assert placed.position == 0
    assert proved(str(proofs.proof_of(placed.entry, 0)), placed.entry.canonical, log_keys.verifiers()[0]) == 0
    assert (verification.verify().size, verification.verify().sound) == (1, True)


def test_adopting_the_same_archive_again_changes_nothing(own_database: Flask, tmp_path: Path) -> None:
    log = archives.former(5)
    path = archives.packed(log.files(), tmp_path / "a.tar")
    first = adopt(path, log.key)
    before = (rows(), told(), kept())
    assert adopt(path, log.key) == (first[0], False)
    assert (rows(), told(), kept()) == before
    stranger = VerifierKey(log.origin, notes.SIGNATURE, bytes(32))
    assert "no known key has signed it" in refused(path, stranger).members["verifier"][0]


def test_of_four_who_adopt_at_once_one_does(own_database: Flask, tmp_path: Path) -> None:
    log = archives.former(300)
    path = archives.packed(log.files(), tmp_path / "a.tar")

    def run(_number: int) -> tuple[str, bool]:
        with own_database.app_context():
            return adopt(path, log.key)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run, range(4)))
    assert len({record_id for record_id, _is_new in found}) == 1
    assert sorted(is_new for _record_id, is_new in found) == [False, False, False, True]
    assert (rows(), len(told()), len(kept())) == ([1, 300, 1], 1, 1)
    assert proved(adopting.get_receipt(found[0][0], log.ids[7]).proof, log.entries[7], log.key) == 7


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 700])
def test_every_entry_of_a_tree_of_any_size_is_proved(app: Flask, tmp_path: Path, count: int) -> None:
    log = archives.former(count)
    record_id = archives.adopted(log, tmp_path)
    for position in {0, 1, 127, 254, 255, 256, 511, 512, count - 2, count - 1} & set(range(count)):
        receipt = adopting.get_receipt(record_id, log.ids[position])
        assert receipt.entry == log.entries[position]
        assert proved(receipt.proof, receipt.entry, log.key) == position


def test_a_receipt_is_made_of_a_little_of_the_archive(app: Flask, tmp_path: Path) -> None:
    log = archives.former(2500)
    record_id = archives.adopted(log, tmp_path)
    record, file = adopted.get_record(record_id), file_of(record_id)
    with Counting(file) as counted:
        receipt = receipts.read(record, counted, log.ids[1234])  # type: ignore[arg-type]
    assert proved(receipt.proof, log.entries[1234], log.key) == 1234
    assert 0 < counted.count < file.stat().st_size / 5


def test_what_is_not_there_is_not_found(app: Flask, tmp_path: Path) -> None:
    log, other = archives.former(3), archives.former(2, "other.example.jp/audit")
    record_id, other_id = archives.adopted(log, tmp_path), archives.adopted(other, tmp_path)
    for record, entry in ((record_id, other.ids[0]), (other_id, log.ids[0]), ("adr_0", log.ids[0]), (record_id, "x")):
        with pytest.raises(NotFound):
            adopting.get_receipt(record, entry)


def test_a_yen_that_was_changed_in_an_archive_of_trades_is_named_with_its_line(
    former: Flask, own_database: Flask, tmp_path: Path
) -> None:
    path = tmp_path / "record.tar"
    key, _held = traded_and_archived(former, path)
    install(own_database)
    for name, sought, put in (("entries.ndjson", ":5500", ":5501"), ("ledger.ndjson", '"JPY",5500]', '"JPY",5501]')):
        files = archives.unpacked(path)
        at = next(at for at, line in enumerate(files[name]) if sought in line)
        files[name][at] = files[name][at].replace(sought, put, 1)
        refusal = refused(archives.packed(files, tmp_path / "changed.tar"), key)
        assert any(line.startswith(f"WRONG {name} line {at + 1}") for line in refusal.members["verifier"])
        assert refusal.detail.endswith("the record is NOT sound")
    assert adopt(path, key)[1]


def test_only_the_given_keys_count_and_not_those_in_the_archive(app: Flask, tmp_path: Path) -> None:
    log, stranger = archives.former(3), archives.former(1)
    path = archives.packed(log.files(), tmp_path / "a.tar")
    refusal = refused(path, stranger.key)
    assert refusal.members["verifier"] == ["WRONG checkpoints.ndjson line 1: no known key has signed it (3 entries)"]
    assert adopt(path, stranger.key, log.key)[1]


def linked(member: tarfile.TarInfo) -> None:
    if member.name == "usage.ndjson":
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "usage.ndjson", 0


def hard(member: tarfile.TarInfo) -> None:
    if member.name == "usage.ndjson":
        member.type, member.linkname, member.size = tarfile.LNKTYPE, "ledger.ndjson", 0


def device(member: tarfile.TarInfo) -> None:
    if member.name == "usage.ndjson":
        member.type, member.size = tarfile.CHRTYPE, 0


def absolute(member: tarfile.TarInfo) -> None:
    member.name = f"/etc/{member.name}"


def climbing(member: tarfile.TarInfo) -> None:
    member.name = f"../{member.name}"


def doubled(member: tarfile.TarInfo) -> None:
    member.name = "grants.ndjson" if member.name == "usage.ndjson" else member.name


def sparse(member: tarfile.TarInfo) -> None:
    if member.name == "usage.ndjson":
        member.pax_headers = {
            "GNU.sparse.map": "0,0", "GNU.sparse.size": str(2**50), "GNU.sparse.numblocks": "1",
            "GNU.sparse.major": "0", "GNU.sparse.minor": "1",
        }  # fmt: skip


@pytest.mark.parametrize("change", [linked, hard, device, absolute, climbing, doubled, sparse])
def test_an_archive_of_anything_but_plain_files_is_refused(
    app: Flask, tmp_path: Path, change: Callable[[tarfile.TarInfo], None]
) -> None:
    log = archives.former(3)
    refusal = refused(archives.packed(log.files(), tmp_path / "a.tar", change), log.key)
    assert refusal.detail.startswith("this is no archive of a record: it holds '")


def claiming_more(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[124:136] = b"77777777777\0"  # 8 GiB of entries, says the head of the first file
    head = bytes(content[:148]) + b" " * 8 + bytes(content[156:512])
    content[148:156] = f"{sum(head):06o}\0 ".encode()
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1500])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def squeezed(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        tar.add(__file__, "entries.ndjson")


@pytest.mark.parametrize("change", [claiming_more, cut, emptied, squeezed])
def test_what_is_no_whole_archive_is_refused(app: Flask, tmp_path: Path, change: Callable[[Path], None]) -> None:
    log = archives.former(30)
    path = archives.packed(log.files(), tmp_path / "a.tar")
    change(path)
    assert refused(path, log.key).detail.startswith("this is no archive of a record: ")


@pytest.mark.parametrize(
    ("line", "named"),
    [("[" * 100_000, "line 3: it is no entry"), ("x" * 2**22, "a line is longer than any that is written")],
    ids=["nested", "long"],
)
def test_a_line_that_no_reader_bears_is_refused_in_words(app: Flask, tmp_path: Path, line: str, named: str) -> None:
    log = archives.former(3)
    files = log.files()
    files["entries.ndjson"] = [*log.entries[:2], line]
    refusal = refused(archives.packed(files, tmp_path / "a.tar"), log.key)
    assert named in "\n".join([refusal.detail, *refusal.members["verifier"]])


def test_a_sound_archive_of_entries_that_share_an_id_or_have_none_is_refused(app: Flask, tmp_path: Path) -> None:
    twin = archives.entry(0)
    for entries, named in (
        ([twin, twin], "is there twice"),
        ([twin, twin.replace('"id":"aud_', '"id":"')], "line 2: "),
    ):
        log = FormerLog(entries)
        assert named in refused(archives.packed(log.files(), tmp_path / "a.tar"), log.key).detail


def test_what_a_stranger_wrote_does_not_steer_a_terminal(app: Flask, tmp_path: Path) -> None:
    log = archives.former(2)
    booked = {"kind": "x", "ref": "x", "idem": "\x1b[2J", "effective_on": "2026-01-05", "reverses": None, "entries": []}
    files = archives.headed(log.files() | {"ledger.ndjson": [archives.written(booked)]})
    [told] = refused(archives.packed(files, tmp_path / "a.tar"), log.key).members["verifier"]
    assert told.startswith("WRONG ledger.ndjson line 1 (\ufffd[2J): it stands nowhere on the record")


def test_a_sound_archive_with_an_entry_that_nobody_signed_is_refused(app: Flask, tmp_path: Path) -> None:
    log = archives.former(3)
    files = archives.headed(log.files() | {"pending.ndjson": [archives.entry(4)]})
    refusal = refused(archives.packed(files, tmp_path / "a.tar"), log.key)
    assert refusal.detail == "Entries in it wait for a signature, so that nobody vouches for them."
    assert adopt(archives.packed(log.files(), tmp_path / "a.tar"), log.key)[1]


def test_a_checkpoint_of_more_signatures_than_we_read_is_refused_in_words(app: Flask, tmp_path: Path) -> None:
    log = archives.former(2)
    note = notes.read(log.note())
    many = notes.Note(note.text, note.signatures * 101).written
    files = archives.headed(log.files() | {"checkpoints.ndjson": [archives.written({"note": many})]})
    refusal = refused(archives.packed(files, tmp_path / "a.tar"), log.key)
    assert refusal.detail == "Its last checkpoint is none: a note has at most 100 signatures."


def test_two_logs_do_not_share_a_name(app: Flask, tmp_path: Path) -> None:
    log = archives.former(3, log_keys.origin())
    assert "MARKETPLACE_LOG_NAME" in refused(archives.packed(log.files(), tmp_path / "a.tar"), log.key).detail


def test_an_archive_that_changed_on_disk_proves_nothing(app: Flask, tmp_path: Path) -> None:
    log = archives.former(3)
    record_id = archives.adopted(log, tmp_path)
    file = file_of(record_id)
    good = file.read_bytes()
    for bad in (good.replace(b'"v":1', b'"v":2', 1), good[:700], b"", good.replace(b"entries", b"entrees", 1)):
        file.write_bytes(bad)
        with pytest.raises(RecordDamaged):
            adopting.get_receipt(record_id, log.ids[0])
    file.unlink()
    with pytest.raises(RecordDamaged):
        adopting.get_receipt(record_id, log.ids[0])
    file.write_bytes(good)
    assert adopting.get_receipt(record_id, log.ids[0]).position == 0


def resigned(log: FormerLog) -> dict[str, object]:
    """What a stranger makes of the checkpoint, under a key of his own."""
    other = FormerLog(log.entries)
    return {"keys": json.dumps([other.key.text]), "note": other.note()}


ALTERED: dict[str, tuple[Callable[[FormerLog], dict[str, object]], list[str]]] = {
    "note": (lambda log: {"note": log.note(2)}, ["the checkpoint of the adopted record {} was altered"]),
    "note and keys": (resigned, ["the adopted record {} was altered"]),
    "keys": (
        lambda _log: {"keys": "5"},
        ["the adopted record {} was altered", "the checkpoint of the adopted record {} was altered"],
    ),
    "archive": (lambda _log: {"sha256": "0" * 64}, ["the adopted record {} was altered"]),
    "root and note": (
        lambda log: {"root": archives.root_of(log.entries[:2]), "size": 2, "note": log.note(2)},
        ["the adopted record {} was altered"],
    ),
}


@pytest.mark.parametrize("kind", ALTERED)
def test_an_adopted_record_that_was_altered_is_named(own_database: Flask, tmp_path: Path, kind: str) -> None:
    log = archives.former(3)
    record_id = archives.adopted(log, tmp_path)
    assert adopted_verification.verify() == []
    change, troubles = ALTERED[kind]
    columns = change(log)
    tamper(f"UPDATE adopted_record SET {', '.join(f'{one} = :{one}' for one in columns)}", **columns)
    found = adopted_verification.verify()
    assert [one.trouble for one in found] == [trouble.format(record_id) for trouble in troubles]
    assert {one.entry_id for one in found} == {one.entry.id for one in queries.all_entries(Search(subject=record_id))}
    assert verification.verify().sound


def test_an_adopted_record_that_was_removed_or_slipped_in_is_named(own_database: Flask, tmp_path: Path) -> None:
    record_id = archives.adopted(archives.former(3), tmp_path)
    tamper("UPDATE adopted_record SET id = 'adr_other'")
    assert [one.trouble for one in adopted_verification.verify()] == [
        f"the adopted record {record_id} was removed", "the record adr_other was never adopted",
    ]  # fmt: skip


def test_a_checkpoint_of_the_former_log_that_was_swapped_proves_nothing(own_database: Flask, tmp_path: Path) -> None:
    log = archives.former(3)
    record_id = archives.adopted(log, tmp_path)
    tamper("UPDATE adopted_record SET note = :note", note=log.note(2))
    with pytest.raises(RecordDamaged):
        adopting.get_receipt(record_id, log.ids[0])
    with pytest.raises(RecordDamaged):
        receipts.note_of(adopted.get_record(record_id))


@pytest.mark.parametrize("table", ["adopted_record", "adopted_entry"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_what_was_adopted_stays(own_database: Flask, tmp_path: Path, table: str, statement: str) -> None:
    archives.adopted(archives.former(2), tmp_path)
    with pytest.raises(DBAPIError, match="append-only"), transaction():
        db.session.execute(text(statement.format(table)))
    assert rows() == [1, 2, 0]
