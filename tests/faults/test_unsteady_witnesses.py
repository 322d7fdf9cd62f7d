"""Witnesses that are slow, silent or mad: the exchange goes on, the other witness is asked, and nothing false is kept."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import func, select

from marketplace.audit import checkpoints, log_keys, sequencer, verification
from marketplace.audit.models import Cosignature
from marketplace.exchange import witnessing
from marketplace.exchange.witnessing import Outcome
from marketplace.kit import notes, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.witness.judging import Witness
from marketplace.witness.memory import Memory
from marketplace.witness.serving import Server
from tests.audit.test_checkpoints import grown, published
from tests.audit.test_record import write
from tests.exchange.test_witnessing import serving
from tests.live import wait_until

ODD, GOOD = "odd.example/witness", "city.otaru.example/witness"
ODD_PRIVATE, GOOD_PRIVATE = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (5, 6))
PATIENCE_SECONDS, SEEN_AT = 180, 1_795_000_000
Behaviour = Callable[["Odd", str], None]


class Odd(BaseHTTPRequestHandler):
    """A witness that does as the test says; ``asked`` holds what it was shown."""

    server: "OddServer"

    def do_POST(self) -> None:
        shown = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(shown)
        with suppress(OSError):  # it may be cut off
            self.server.behaviour(self, shown)

    def answer(self, status: int, text: str) -> None:
        """Answer as servers do."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class OddServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Odd)
        self.asked: list[str] = []
        self.behaviour: Behaviour = lambda odd, _shown: odd.answer(500, "")
        self.let_go = threading.Event()


@pytest.fixture
def odd(own_database: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OddServer]:
    """An odd witness and, after it, a good one; both are asked."""
    logs = {log_keys.origin(): log_keys.verifiers()}
    good = Server("127.0.0.1", 0, Witness(GOOD, GOOD_PRIVATE, logs, Memory(tmp_path / "signed.json").begin()))
    odd = OddServer()
    keys = (notes.key_of(ODD, ODD_PRIVATE, notes.COSIGNATURE), good.witness.key)
    given = tuple(f"http://127.0.0.1:{one.server_port} {key.text}" for one, key in zip((odd, good), keys, strict=True))
    chosen = replace(settings.current(), log_witnesses=given, log_witnesses_min=1)
    settings.check(chosen)
    monkeypatch.setattr(settings, "current", lambda: chosen)
    with ExitStack() as closing:
        for server in (odd, good):
            closing.enter_context(serving(server))
        yield odd
        odd.let_go.set()


def cosigned() -> list[str]:
    """Who has signed the newest checkpoint, as it is kept."""
    newest = select(func.max(Cosignature.size)).scalar_subquery()
    with transaction():
        kept = db.session.scalars(select(Cosignature.witness).where(Cosignature.size == newest)).all()
    return sorted(notes.read_key(one).name for one in kept)


def hang(odd: Odd, _shown: str) -> None:
    odd.server.let_go.wait(PATIENCE_SECONDS)


def drip_head(odd: Odd, _shown: str) -> None:
    odd.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: ")
    drip(odd)


def drip_body(odd: Odd, _shown: str) -> None:
    odd.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
    drip(odd)


def drip(odd: Odd) -> None:
    """A byte now and then, so that no single wait is ever long."""
    while not odd.server.let_go.wait(0.05):
        odd.wfile.write(b"x")


@pytest.mark.parametrize("behaviour", [hang, drip_head, drip_body])
def test_a_slow_witness_holds_nobody_up(
    own_database: Flask, odd: OddServer, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    monkeypatch.setattr(witnessing, "TIMEOUT_SECONDS", 5.0)
    odd.behaviour = behaviour
    grown(5)

    def feed() -> dict[str, Outcome]:
        with own_database.app_context():
            try:
                return witnessing.feed()
            finally:
                db.session.remove()

    with ThreadPoolExecutor(1) as pool:
        feeding = pool.submit(feed)
        wait_until("the witness to be asked", lambda: odd.asked)
        # While it is waited for, deeds are done, placed and signed.
        write(3)
        sequencer.sequence_all()
        found = published()
        assert found is not None
        assert found.size == 8
        assert feeding.result(PATIENCE_SECONDS) == {ODD: Outcome.UNREACHABLE, GOOD: Outcome.SIGNED}
    assert not odd.let_go.is_set()
    assert cosigned() == [GOOD]


@pytest.mark.parametrize(
    "said",
    ["", "nonsense", "-1\n", "6\n", "2.0\n", "9" * 20, "9" * 10_000, "\u0664\n", "4\n"],
    ids=["empty", "words", "negative", "larger", "fraction", "twenty digits", "many digits", "other digits", "smaller"],
)
def test_a_conflict_that_leads_nowhere_is_a_refusal(odd: OddServer, said: str) -> None:
    odd.behaviour = lambda one, _shown: one.answer(409, said)
    grown(5)
    assert witnessing.feed() == {ODD: Outcome.REFUSED, GOOD: Outcome.SIGNED}
    assert len(odd.asked) == (2 if said == "4\n" else 1)
    assert cosigned() == [GOOD]


def test_after_a_conflict_the_feed_goes_on_from_where_the_witness_is(odd: OddServer) -> None:
    """It has signed five, and we have forgotten it: it is shown how eight continue five."""

    def sign(one: Odd, shown: str) -> None:
        head, _, note = shown.partition("\n\n")
        if not head.startswith("old 5\n"):
            one.answer(409, "5\n")
            return
        told = notes.read(note).text
        one.answer(200, notes.cosign(ODD, ODD_PRIVATE, told, SEEN_AT).line)

    odd.behaviour = sign
    grown(5)
    grown(3)
    assert witnessing.feed() == {ODD: Outcome.SIGNED, GOOD: Outcome.SIGNED}
    assert [shown.partition("\n")[0] for shown in odd.asked] == ["old 0", "old 5"]
    assert cosigned() == [GOOD, ODD]
    grown(2)
    odd.behaviour = lambda one, _shown: one.answer(409, "5\n")
    assert witnessing.feed()[ODD] is Outcome.REFUSED
    assert odd.asked[2].startswith("old 8\n")


def test_a_witness_that_was_shown_by_another_what_we_signed_meanwhile_has_seen_our_record(
    own_database: Flask, odd: OddServer, caplog: pytest.LogCaptureFixture
) -> None:
    def sign(one: Odd, shown: str) -> None:
        if shown.startswith("old 0\n"):
            with own_database.app_context():
                grown(3)
                db.session.remove()
            one.answer(409, "8\n")
            return
        one.answer(200, notes.cosign(ODD, ODD_PRIVATE, notes.read(shown.partition("\n\n")[2]).text, SEEN_AT).line)

    odd.behaviour = sign
    grown(5)
    assert witnessing.feed()[ODD] is Outcome.SIGNED
    assert [shown.partition("\n")[0] for shown in odd.asked] == ["old 0", "old 8"]
    assert "another record" not in caplog.text
    assert checkpoints.size_seen_by(notes.key_of(ODD, ODD_PRIVATE, notes.COSIGNATURE)) == 8


def test_a_witness_that_tells_two_times_is_kept_with_the_one_whose_line_is_kept(odd: OddServer) -> None:
    def sign(one: Odd, shown: str) -> None:
        told = notes.read(shown.partition("\n\n")[2]).text
        one.answer(200, "".join(notes.cosign(ODD, ODD_PRIVATE, told, at).line for at in (SEEN_AT, SEEN_AT + 1_000)))

    odd.behaviour = sign
    grown(5)
    assert witnessing.feed()[ODD] is Outcome.SIGNED
    with transaction():
        kept = db.session.scalars(select(Cosignature.witnessed_at).where(Cosignature.witness.startswith(ODD))).all()
    assert [at.timestamp() for at in kept] == [SEEN_AT]
    assert verification.verify().sound


@pytest.mark.parametrize("status", [422, 404, 403, 500])
def test_a_refusal_is_told_and_kept_nowhere(odd: OddServer, caplog: pytest.LogCaptureFixture, status: int) -> None:
    odd.behaviour = lambda one, _shown: one.answer(status, "no\n")
    grown(5)
    assert witnessing.feed() == {ODD: Outcome.REFUSED, GOOD: Outcome.SIGNED}
    assert len(odd.asked) == 1
    assert f"{status} no" in caplog.text
    assert ("has seen another record than ours" in caplog.text) is (status == 422)
    assert cosigned() == [GOOD]


def test_a_witness_whose_clock_is_mad_is_no_witness_and_keeps_nobody_else_from_signing(odd: OddServer) -> None:
    def sign(one: Odd, shown: str) -> None:
        told = notes.read(shown.partition("\n\n")[2]).text
        one.answer(200, notes.cosign(ODD, ODD_PRIVATE, told, 2**63).line)

    odd.behaviour = sign
    grown(5)
    assert witnessing.feed() == {ODD: Outcome.REFUSED, GOOD: Outcome.SIGNED}
    assert cosigned() == [GOOD]
    checkpoint = checkpoints.latest()
    assert checkpoint is not None
    assert ODD not in checkpoints.written(checkpoint)
