"""Adopted records over HTTP: overseers read them and their proofs, everybody the last checkpoint."""

import base64
from pathlib import Path

import pytest

from marketplace.kit import merkle, notes
from tests.api.trade import Market, ok, refused
from tests.factories import archives
from tests.factories.archives import FormerLog


@pytest.fixture
def log() -> FormerLog:
    return archives.former(9)


def test_overseers_read_what_was_adopted_and_prove_it_under_the_old_key(
    market: Market, log: FormerLog, tmp_path: Path
) -> None:
    other = archives.former(2, "earlier.example.jp/audit")
    archives.adopted(other, tmp_path)
    record_id = archives.adopted(log, tmp_path)
    for overseer in (market.auditor, market.operator):
        listed = ok(overseer.get("/v1/audit/adopted?size=1"))
        [record] = listed["items"]
        assert (record["id"], record["origin"], record["size"], record["keys"]) == (
            record_id, log.origin, 9, [log.key.text],
        )  # fmt: skip
        assert record["root"] == archives.root_of(log.entries).hex()
        [before] = ok(overseer.get(f"/v1/audit/adopted?cursor={listed['next_cursor']}"))["items"]
        assert before["origin"] == other.origin
        receipt = ok(overseer.get(f"/v1/audit/adopted/{record_id}/receipts/{log.ids[4]}"))
        assert (receipt["id"], receipt["entry"], receipt["position"]) == (log.ids[4], log.entries[4], 4)
        steps, _, note = receipt["proof"].split("\n", 2)[2].partition("\n\n")
        tree = notes.opened(note, [log.key])
        path = [base64.b64decode(step) for step in steps.split()]
        assert merkle.root_of_inclusion(merkle.leaf_hash(log.entries[4].encode()), 4, tree.size, path) == tree.root
        refused(overseer.get(f"/v1/audit/adopted/{record_id}/receipts/{other.ids[0]}"), 404, "not-found")


def test_nobody_else_reads_them(market: Market, log: FormerLog, tmp_path: Path) -> None:
    record_id = archives.adopted(log, tmp_path)
    for path in ("/v1/audit/adopted", f"/v1/audit/adopted/{record_id}/receipts/{log.ids[0]}"):
        refused(market.nobody.get(path), 401, "not-authenticated")
        for party in (market.buyer, market.provider):
            assert party.get(path).status_code == 403


def test_everybody_fetches_the_last_checkpoint_of_the_former_log(
    market: Market, log: FormerLog, tmp_path: Path
) -> None:
    record_id = archives.adopted(log, tmp_path)
    answer = market.nobody.get(f"/audit/adopted/{record_id}/checkpoint")
    assert (answer.status_code, answer.content_type) == (200, "text/plain; charset=utf-8")
    assert notes.opened(answer.text, [log.key]).size == 9
    refused(market.nobody.get("/audit/adopted/adr_0/checkpoint"), 404, "not-found")
