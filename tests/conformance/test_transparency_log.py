"""Other people's programs verify the record of the started server, and find what was forged: Go's own and Python's."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tlog_scales.backend
import tlog_scales.reader
import tlog_scales.signing
import tlog_scales.tiles
import tlog_scales.tlog

from tests import live
from tests.conformance import record
from tests.conformance.record import Record, size_of

HERE = Path(__file__).parent
GO_PATH = Path("/usr/share/gocode")


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    """Go's verifier, compiled against the package of Debian: no network, no module cache."""
    if shutil.which("go") is None or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("Go with its sumdb is not on this machine: apt-get install golang-go golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    alone = {"GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    made = subprocess.run(
        ["go", "build", "-o", folder / "verify", HERE / "go" / "verify.go"],
        env=os.environ | alone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder / "verify"


def verify(go: Path, kept: Record, **other: object) -> subprocess.CompletedProcess[str]:
    """Have Go verify what is there now, or what is said instead."""
    known = {"log": kept.log, "keys": [kept.key], "older": [kept.older], "receipts": kept.receipts}
    return subprocess.run(
        [go], input=json.dumps(known | {"authorization": kept.authorization} | other),
        capture_output=True, text=True, timeout=live.WAIT_SECONDS, check=False,
    )  # fmt: skip


def test_go_verifies_checkpoint_tiles_entries_growth_and_receipts(go, kept):
    told = verify(go, kept)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["Size"] > size_of(kept.older) + record.MANY
    assert (found["Leaves"], found["Entries"], found["Older"]) == (found["Size"], found["Size"], [size_of(kept.older)])
    assert found["Tiles"] > found["Size"] // 256


def test_go_refuses_what_another_key_has_signed(go, kept):
    name = kept.key.split("+", maxsplit=1)[0]
    stranger = tlog_scales.signing.PlainEd25519Signer(name, bytes(32)).vkey.serialize()
    told = verify(go, kept, keys=[stranger])
    assert (told.returncode, told.stderr.strip()) == (1, "note has no verifiable signatures")


def test_go_refuses_a_past_that_is_not_the_beginning_of_the_present(go, kept):
    told = verify(go, kept, older=[kept.forked(size_of(kept.older))])
    assert (told.returncode, told.stderr.strip()) == (1, "invalid transparency proof")


@pytest.mark.parametrize("forged", ["entry", "proof"])
def test_go_refuses_a_receipt_that_was_changed(go, kept, forged):
    receipt = kept.receipts[0]
    words = {"entry": ('"v":1', '"v":2'), "proof": (f"index {receipt['position']}\n", "index 0\n")}
    changed = receipt[forged].replace(*words[forged])
    assert changed != receipt[forged]
    told = verify(go, kept, receipts=[receipt | {forged: changed}])
    assert (told.returncode, told.stderr.strip()) == (1, "invalid transparency proof")


def test_tlog_scales_proves_each_leaf_and_writes_the_receipt_that_we_write(kept):
    tiles = tlog_scales.reader.TilesReader(tlog_scales.backend.make_backend(kept.log))
    tree = tiles.get_checkpoint()
    tree.verify(tlog_scales.signing.Vkey.from_string(kept.key))
    assert tiles.calculate_root_hash() == tree.root_hash
    older = tlog_scales.tlog.Checkpoint.from_text(kept.older)
    tiles.get_consistency_proof(older.size, tree.size).check(older.root_hash, tree.root_hash)
    for receipt in kept.receipts:
        position, entry = receipt["position"], receipt["entry"].encode()
        tiles.get_inclusion_proof(position, tree.size).check(tlog_scales.tiles.leaf_hash(entry), tree.root_hash)
        signed = tlog_scales.tlog.Checkpoint.from_text(receipt["proof"].partition("\n\n")[2])
        signed.verify(tlog_scales.signing.Vkey.from_string(kept.key))
        steps = tiles.get_inclusion_proof(position, signed.size).node_hashes
        written = "".join(f"{tlog_scales.utils.b64enc(step)}\n" for step in steps)
        assert receipt["proof"] == f"c2sp.org/tlog-proof@v1\nindex {position}\n{written}\n{signed.serialize()}"


def test_tlog_scales_refuses_an_entry_that_was_changed(kept):
    tiles = tlog_scales.reader.TilesReader(tlog_scales.backend.make_backend(kept.log))
    tree, receipt = tiles.get_checkpoint(), kept.receipts[0]
    changed = tlog_scales.tiles.leaf_hash(receipt["entry"].replace('"v":1', '"v":2').encode())
    proof = tiles.get_inclusion_proof(receipt["position"], tree.size)
    with pytest.raises(tlog_scales.tlog.InclusionProofInvalid):
        proof.check(changed, tree.root_hash)
