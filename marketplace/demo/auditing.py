"""The auditor's part: recomputing the record from its export, without trusting the exchange."""

import json
from typing import Any

from marketplace.audit import rules
from marketplace.demo.party import DemoFailed, Party, wait_for
from marketplace.kit import clock, merkle


def verify_record(auditor: Party) -> tuple[int, str]:
    """Export the record, recompute its Merkle root, and compare; returns size and root."""
    tree = wait_for("the sequencer", lambda: _settled(auditor))
    lines = auditor.call("GET", "/v1/audit/export", params={"format": "ndjson"}).iter_lines()
    placed = [entry for entry in map(json.loads, lines) if entry["position"] is not None]
    leaves = sorted(
        (entry for entry in placed if entry["position"] < tree["size"]), key=lambda entry: entry["position"]
    )
    nodes: dict[tuple[int, int], bytes] = {}
    for entry in leaves:
        data = rules.canonical_entry(entry | {"occurred_at": clock.parse(entry["occurred_at"])}).encode()
        grown = merkle.grow(entry["position"], merkle.leaf_hash(data), lambda level, at: nodes[level, at])
        nodes.update({(level, at): value for level, at, value in grown})
    root = merkle.root(tree["size"], lambda level, at: nodes[level, at]).hex()
    if root != tree["root"]:
        raise DemoFailed(f"the exported record has root {root}, the exchange claims {tree['root']}")
    return tree["size"], root


def _settled(auditor: Party) -> Any:
    tree = auditor.get("/v1/audit/tree")
    return tree if tree["unplaced"] == 0 else None
