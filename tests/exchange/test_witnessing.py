"""Witnesses: a really listening one signs what only grows, and refuses a record that was taken back or rewritten."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask

from marketplace.audit import checkpoints, log_keys, proofs, sequencer
from marketplace.audit.models import Checkpoint
from marketplace.exchange import witnessing
from marketplace.exchange.witnessing import Outcome
from marketplace.kit import clock, notes, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.witness.judging import Witness
from marketplace.witness.memory import Memory
from marketplace.witness.serving import Server
from tests.audit.test_checkpoints import _Overseer, grown
from tests.audit.test_record import tamper, write

NAME = "city.otaru.example/witness"


@dataclass
class Looking:
    """A witness that listens."""

    server: Server
    memory: Path

    @property
    def setting(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/ {self.server.witness.key.text}"


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def looking(own_database: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looking]:
    """A witness that knows our log, and an exchange that knows it."""
    memory = tmp_path / "seen" / "signed.json"
    logs = {log_keys.origin(): log_keys.verifiers()}
    witness = Witness(NAME, Ed25519PrivateKey.from_private_bytes(b"\3" * 32), logs, Memory(memory).begin())
    server = Server("127.0.0.1", 0, witness)
    found = Looking(server, memory)
    chosen = replace(settings.current(), log_witnesses=(found.setting,), log_witnesses_min=1)
    settings.check(chosen)
    monkeypatch.setattr(settings, "current", lambda: chosen)
    with serving(server):
        yield found


def fed() -> Outcome:
    return witnessing.feed()[NAME]


def test_a_witness_signs_each_checkpoint_that_continues_the_one_before(looking: Looking) -> None:
    assert fed() is Outcome.SEEN  # there is nothing to see yet
    for count in (3, 1, 9):
        found = grown(count)
        assert isinstance(found, Checkpoint)
        assert fed() is Outcome.SIGNED
        assert fed() is Outcome.SEEN
        note = notes.read(checkpoints.written(found))
        assert list(notes.verified(note, [looking.server.witness.key])) == [looking.server.witness.key]
    assert '"size": 13' in looking.memory.read_text()


def test_receipts_show_the_newest_checkpoint_that_enough_have_signed(looking: Looking) -> None:
    [entry_id, *_more] = write(4)
    sequencer.sequence_all()
    with transaction():
        checkpoints.publish()
    assert fed() is Outcome.SIGNED
    grown(3)
    proof = proofs.get_receipt(_Overseer(), entry_id).proof
    assert proof is not None
    assert NAME in proof
    [later] = write(1)
    grown(1)
    proof = proofs.get_receipt(_Overseer(), later).proof
    assert proof is not None
    assert NAME not in proof  # nobody has seen it yet, and it is proved all the same


def test_what_was_signed_too_late_is_not_witnessed_and_told_of(
    looking: Looking, caplog: pytest.LogCaptureFixture
) -> None:
    [entry_id] = write(1)
    found = grown(1)
    assert found is not None
    assert witnessing.lapsed_since() is None  # there is time still
    tamper("UPDATE audit_checkpoint SET signed_at = signed_at - interval '25 hours'")
    db.session.expire_all()
    assert fed() is Outcome.SIGNED
    policy = checkpoints.policy()
    assert policy is not None
    assert checkpoints.latest_witnessed(policy) is None
    assert checkpoints.latest_witnessed(replace(policy, within=timedelta(hours=26))) is not None
    assert checkpoints.latest_witnessed(replace(policy, within=timedelta(hours=26), count=2)) is None
    assert checkpoints.latest_witnessed(replace(policy, within=timedelta(hours=26), witnesses=("another",))) is None
    since = witnessing.lapsed_since()
    assert since is not None
    assert clock.now() - since > timedelta(hours=25)
    witnessing.feed_all()
    assert "too few witnesses have signed" in caplog.text
    grown(1)
    assert fed() is Outcome.SIGNED  # what comes in time again ends it: the tree holds all that was before
    assert witnessing.lapsed_since() is None
    proof = proofs.get_receipt(_Overseer(), entry_id).proof
    assert proof is not None
    assert NAME in proof


def test_a_record_that_was_taken_back_gets_no_signature(looking: Looking) -> None:
    grown(9)
    assert fed() is Outcome.SIGNED
    # An old backup was restored, on a machine that knows nothing of what was signed.
    for table in ("audit_cosignature", "audit_checkpoint"):
        tamper(f"DELETE FROM {table}")
    for table in ("audit_leaf", "audit_node"):
        tamper(f"DELETE FROM {table} WHERE position >= 4")
    tamper("DELETE FROM audit_node WHERE level = 3")
    settings.current().log_signed_path.unlink()
    with transaction():
        found = checkpoints.publish()
    assert found is not None
    assert found.size == 4
    assert fed() is Outcome.REFUSED
    assert checkpoints.size_seen_by(looking.server.witness.key) == 0
    assert '"size": 9' in looking.memory.read_text()


def test_a_record_that_was_rewritten_gets_no_signature(looking: Looking) -> None:
    grown(8)
    assert fed() is Outcome.SIGNED
    for table in ("audit_cosignature", "audit_checkpoint", "audit_leaf", "audit_node"):
        tamper(f"DELETE FROM {table}")
    tamper("UPDATE audit_entry SET canonical = replace(canonical, '札幌', '小樽')")
    tamper("INSERT INTO audit_waiting (occurred_at, entry_id) SELECT occurred_at, id FROM audit_entry")
    settings.current().log_signed_path.unlink()
    found = grown(3)
    assert found is not None
    assert found.size == 11
    assert fed() is Outcome.REFUSED
    assert checkpoints.size_seen_by(looking.server.witness.key) == 0


def test_a_witness_that_we_forgot_tells_what_it_has_seen(looking: Looking) -> None:
    grown(5)
    assert fed() is Outcome.SIGNED
    tamper("DELETE FROM audit_cosignature")
    grown(2)
    assert fed() is Outcome.SIGNED


def test_a_witness_that_cannot_keep_what_it_signs_does_not_sign(looking: Looking) -> None:
    grown(5)
    assert fed() is Outcome.SIGNED
    looking.memory.write_text("{")
    grown(5)
    assert fed() is Outcome.REFUSED


def test_a_witness_that_is_away_is_asked_again(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    grown(5)
    away = looking.setting.replace(str(looking.server.server_port), "1")
    chosen = replace(settings.current(), log_witnesses=(away,))
    before = settings.current
    monkeypatch.setattr(settings, "current", lambda: chosen)
    assert fed() is Outcome.UNREACHABLE
    monkeypatch.setattr(settings, "current", before)
    assert fed() is Outcome.SIGNED


@pytest.mark.parametrize("answer", ["", "nonsense", "\u2014 other AAAAAAAA\n", "x" * 100_000])
def test_what_is_no_signature_of_the_witness_is_kept_nowhere(
    looking: Looking, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    class Liar(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer.encode())))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    grown(5)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    chosen = replace(
        settings.current(), log_witnesses=(f"http://127.0.0.1:{server.server_port} {looking.server.witness.key.text}",)
    )
    monkeypatch.setattr(settings, "current", lambda: chosen)
    with serving(server):
        assert fed() is Outcome.REFUSED
    assert checkpoints.size_seen_by(looking.server.witness.key) == 0
