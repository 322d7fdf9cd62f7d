"""Old backups and second histories: really copied databases, the log's own memory beside them, and one witness for both."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import make_url

from marketplace.api import streams
from marketplace.app import create_app, install
from marketplace.audit import checkpoints, log_keys, proofs, sequencer, verification
from marketplace.audit.clerk import Clerk
from marketplace.audit.errors import LogForked
from marketplace.doctor import exchange_checks
from marketplace.exchange import witnessing
from marketplace.exchange.witnessing import Outcome
from marketplace.kit import settings
from marketplace.kit.db import db
from marketplace.witness.judging import Witness
from marketplace.witness.memory import Memory
from marketplace.witness.serving import Server
from tests.audit import test_checkpoints as receipts
from tests.audit.test_checkpoints import count, grown, published
from tests.audit.test_record import write
from tests.conftest import TEMPLATE
from tests.exchange.test_witnessing import NAME, serving

COMMON, LATER = 9, 5


@pytest.fixture
def copied(own_database: Flask, cluster: str, let_go: Callable[[str], None]) -> Iterator[Callable[[], str]]:
    """Copy the database as it is, as a backup does; returns the copy's URL."""
    made: list[str] = []

    def copy() -> str:
        url = make_url(own_database.config["SQLALCHEMY_DATABASE_URI"])
        db.session.remove()
        db.engine.dispose()
        name = f"{url.database}_{len(made)}"
        with psycopg.connect(cluster.replace(TEMPLATE, "postgres"), autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database])
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{url.database}" STRATEGY FILE_COPY')
        made.append(url.set(database=name).render_as_string(hide_password=False))
        return made[-1]

    yield copy
    for url in made:
        let_go(url)


@contextmanager
def started_on(url: str, before: Flask, **changes: object) -> Iterator[Flask]:
    """The exchange on another database, with the same folder and key unless it is said otherwise."""
    db.session.remove()
    app = create_app(replace(before.config["MUSUBI_SETTINGS"], database_url=url, **changes))  # type: ignore[arg-type]
    try:
        with app.app_context():
            yield app
            app.extensions[streams.EXTENSION].stop()
            db.session.remove()
            db.engine.dispose()
    finally:
        install(before)


def test_after_an_old_backup_nothing_is_signed_and_everybody_who_looks_is_told(
    own_database: Flask, copied: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    grown(COMMON)
    backup = copied()
    lost = write(LATER)
    sequencer.sequence_all()
    published()
    keys = log_keys.verifiers()
    issued = [proofs.get_receipt(receipts._Overseer(), entry_id) for entry_id in lost]
    held = [(one.proof, one.entry.canonical, one.position) for one in issued]

    with started_on(backup, own_database):
        with pytest.raises(LogForked, match="a tree of 14 was signed, and the record has 9"):
            published()
        told = exchange_checks.record_signed(exchange_checks.examine())
        assert told is not None
        assert "a tree of 14 was signed, and the record has 9 entries" in told.said
        assert [one.trouble for one in verification.verify().findings] == [
            "a checkpoint of 14 entries was signed, and the record has 9"
        ]
        # Also where it has grown beyond what was signed, it is not the same.
        write(LATER * 3)
        sequencer.sequence_all()
        with pytest.raises(LogForked, match="another root was signed for the first 14"):
            published()
        with caplog.at_level(logging.ERROR):
            Clerk(own_database.app_context)._sign(placed=1)
        assert "the record is not signed any more" in caplog.text
        assert count() == 1
        assert (checkpoints.latest() or pytest.fail("nothing is signed")).size == COMMON
        assert "\n14\n" in settings.current().log_signed_path.read_text()
    for proof, canonical, position in held:
        assert receipts.verified(proof, canonical, keys) == position


def test_a_whole_folder_that_was_put_back_is_refused_where_a_receipt_lies_beside_it(
    own_database: Flask, copied: Callable[[], str], tmp_path: Path
) -> None:
    """What was signed last is in no backup: whoever holds a receipt has it."""
    grown(COMMON)
    backup, folder = copied(), tmp_path / "restored"
    shutil.copytree(settings.current().data_dir, folder)
    [*_others, last] = write(LATER)
    sequencer.sequence_all()
    published()
    proof = proofs.get_receipt(receipts._Overseer(), last).proof or ""

    with started_on(backup, own_database, data_dir=folder):
        assert checkpoints.trouble() is None  # the file was taken back with the database
        settings.current().log_signed_path.write_text(proof.partition("\n\n")[2])
        assert checkpoints.trouble() == (
            f"by {folder}/log/checkpoint a tree of 14 was signed, and the record has 9 entries"
        )
        write(LATER * 3)
        sequencer.sequence_all()
        with pytest.raises(LogForked, match="another root was signed for the first 14"):
            published()
        assert count() == 1


def test_an_empty_database_beside_a_record_that_was_signed_is_told_of_at_once(
    own_database: Flask, clone: Callable[[], str], let_go: Callable[[str], None]
) -> None:
    grown(COMMON)
    empty = clone()
    with started_on(empty, own_database), pytest.raises(LogForked, match="the record has 0 entries"):
        published()
    let_go(empty)


def test_of_two_histories_with_one_beginning_the_witness_signs_the_one_that_it_saw_first(
    own_database: Flask, copied: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One machine shows the city one record, and another machine with the same key shows it another."""
    given = own_database.config["MUSUBI_SETTINGS"]
    logs = {log_keys.origin(): log_keys.verifiers()}
    memory, private = tmp_path / "signed.json", Ed25519PrivateKey.from_private_bytes(b"\3" * 32)
    server = Server("127.0.0.1", 0, Witness(NAME, private, logs, Memory(memory).begin()))
    looked_at = f"http://127.0.0.1:{server.server_port} {server.witness.key.text}"

    def fed() -> Outcome:
        with monkeypatch.context() as patched:
            chosen = replace(settings.current(), log_witnesses=(looked_at,), log_witnesses_min=1)
            patched.setattr(settings, "current", lambda: chosen)
            return witnessing.feed()[NAME]

    with serving(server):
        grown(COMMON)
        assert fed() is Outcome.SIGNED
        other = copied()
        grown(LATER)
        assert fed() is Outcome.SIGNED
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        with started_on(other, own_database, data_dir=elsewhere, log_key_file=given.log_key_path):
            assert log_keys.verifiers() == logs[log_keys.origin()]
            for more, size in ((LATER - 2, 12), (2, 14), (LATER, 19)):  # smaller than what was seen, as large, larger
                found = grown(more)
                assert found is not None
                assert found.size == size
                assert fed() is Outcome.REFUSED
            assert checkpoints.size_seen_by(server.witness.key) == COMMON
        assert '"size": 14' in memory.read_text()
        grown(1)
        assert fed() is Outcome.SIGNED
    assert '"size": 15' in memory.read_text()
