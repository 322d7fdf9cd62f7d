"""Watches a log as somebody else's monitor and feeder would, with aics-tlog: told by JSON, answers in kind."""

import base64
import io
import json
import sys

from aics_tlog import Note, parse_checkpoint, parse_note, parse_vkey, verify_checkpoint, verify_consistency
from aics_tlog.remote import HttpTileReader
from aics_tlog.tiles import consistency_proof_from_tiles
from aics_tlog.tree import verify_leaf_inclusion
from aics_tlog.verified import audit_tiles
from aics_witness.feeder import FeederError, WitnessClient, merge_cosignatures


def opened(note: str | bytes, key: str, *witnesses: str):
    """A checkpoint under the log's key and those of all the witnesses."""
    read = note if isinstance(note, Note) else parse_note(note)
    found = verify_checkpoint(read, parse_vkey(key), [parse_vkey(one) for one in witnesses], len(witnesses))
    if not found.ok:
        raise ValueError(f"the checkpoint does not verify: {found.error or found}")
    return parse_checkpoint(read.text)


def reader(log: str, authorization: str = "") -> HttpTileReader:
    tiles = HttpTileReader(log, proxies={})
    if authorization:
        tiles._opener.addheaders.append(("Authorization", authorization))
    return tiles


def watched(log: str, key: str, note: str, older: str, authorization: str) -> dict[str, int]:
    """Authenticate every tile and every bundle of entries, and the way from a checkpoint that was kept."""
    tree, before = opened(note, key), opened(older, key)
    tiles = reader(log, authorization)
    report = audit_tiles(tiles, tree.size, tree.root)
    proof = consistency_proof_from_tiles(tiles, before.size, tree.size)
    is_grown = verify_consistency(before.size, tree.size, before.root, tree.root, proof)
    return {"size": report.size, "tiles": report.tiles, "bundles": report.bundles, "grown": is_grown}


def received(key: str, entry: str, proof: str) -> bool:
    """Whether a C2SP tlog-proof shows that the entry is in a tree that the log has signed."""
    head, _, note = proof.partition("\n\n")
    _version, index, *steps = head.split("\n")
    tree, path = opened(note, key), [base64.b64decode(step) for step in steps]
    return verify_leaf_inclusion(entry.encode(), int(index.split(" ")[1]), tree.size, path, tree.root)


def witnessed(log: str, key: str, witness: str, witness_key: str, newest: str, notes: list[str]) -> list[int]:
    """Show a witness one checkpoint after the other; returns the size of each that it has signed."""
    tiles, size_now, signed = reader(log), opened(newest, key).size, []

    def proof(before: int, size: int) -> list[bytes]:
        # What is beyond the log's tree is forged, and the best that a forger has is some hash.
        return consistency_proof_from_tiles(tiles, before, size, size_now) if size <= size_now else [bytes(32)]

    with WitnessClient(witness, witness_key, max_attempts=1) as client:
        for note in notes:
            merged = merge_cosignatures(note, client.submit(note, proof))
            signed.append(opened(merged, key, witness_key).size)
    return signed


def main() -> None:
    asked = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, io.StringIO()
    deeds = {"watched": watched, "received": received, "witnessed": witnessed}
    try:
        answer = {"done": deeds[asked.pop("deed")](**asked)}
    except (FeederError, ValueError, LookupError) as error:
        answer = {"raised": f"{type(error).__name__}: {error}"}
    json.dump(answer, out)


main()
