"""Exporting a record that is not signed any more, and the keys of the log, at the command line."""

from pathlib import Path

import pytest
from sqlalchemy import select

from marketplace.audit import log_keys
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.cli import audit as commands
from marketplace.exchange.archiving import NothingSigned
from marketplace.kit import settings
from marketplace.kit.db import db
from tests.audit.test_checkpoints import fork, grown
from tests.audit.test_record import tamper, write
from tests.exchange.test_archiving import verified


def lose_key() -> None:
    settings.current().log_key_path.unlink()


def lose_node() -> None:
    """What the next entry would grow on."""
    tamper("DELETE FROM audit_node WHERE level = 3")


@pytest.mark.parametrize("damage", [lose_key, lose_node], ids=["no key", "no tree"])
def test_a_record_that_is_not_signed_any_more_is_exported_up_to_where_it_was(run, own_database, tmp_path, damage):
    grown(8)
    out = tmp_path / "record.tar"
    run("audit", "export", "--out", out)
    damage()
    write(1)
    said = run("audit", "export", "--out", out, code=1)
    assert "the record is not signed any more: " in said
    assert said.endswith("the archive ends where the record was signed last\n")
    assert verified(out)[0] == 0
    assert list(tmp_path.glob("*.part")) == []


def test_an_export_that_fails_leaves_the_archive_that_was_there(run, own_database, tmp_path):
    grown(8)
    fork()
    out = tmp_path / "record.tar"
    out.write_bytes(b"kept")
    said = run("audit", "export", "--out", out, code=1)
    assert "another root was signed" in said
    assert NothingSigned.cure in said
    assert [path.name for path in tmp_path.iterdir()] == ["record.tar"]
    assert out.read_bytes() == b"kept"


def test_a_link_stays_one_and_what_is_no_file_is_written_to(tmp_path):
    whole, link = tmp_path / "whole", tmp_path / "link"
    whole.write_bytes(b"old")
    link.symlink_to(whole)
    for out in (link, Path("/dev/null")):
        with commands._replaced(out) as file:
            file.write(b"new")
            assert whole.read_bytes() == (b"old" if out == link else b"new")
    assert (link.is_symlink(), whole.read_bytes()) == (True, b"new")
    assert Path("/dev/null").is_char_device()
    assert len(list(tmp_path.iterdir())) == 2


def test_two_exports_to_one_file_do_not_mix(tmp_path):
    out = tmp_path / "whole"
    with commands._replaced(out) as one:
        with commands._replaced(out) as other:
            one.write(b"one")
            other.write(b"another")
        assert out.read_bytes() == b"another"
    assert out.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [out]


def test_looking_at_a_new_log_makes_it_no_key(run, own_database, tmp_path):
    assert NothingSigned.cure in run("audit", "export", "--out", tmp_path / "record.tar", code=1)
    run("doctor", code=1)
    assert not settings.current().log_key_path.exists()


def test_keys_that_have_signed_are_listed_behind_those_that_sign(run, own_database):
    grown(3)
    old = run("audit", "keys", "list").strip()
    new = run("audit", "keys", "rotate").strip()
    assert run("audit", "keys", "list").split() == [new, old]
    grown(1)
    assert run("audit", "keys", "prune") == f"dropped {old}\n"
    assert run("audit", "keys", "list").split() == [new]
    assert run("audit", "keys", "list", "--all").split() == [new, old]


def test_a_lost_key_is_named_with_its_cure_which_is_on_the_record(run, own_database):
    grown(3)
    assert "no key of this log is lost" in run("audit", "keys", "rotate", "--lost", code=1)
    lose_key()
    for command in ("list", "rotate", "prune"):
        assert "rotate --lost" in run("audit", "keys", command, code=1)
    new = run("audit", "keys", "rotate", "--lost").strip()
    assert [key.text for key in log_keys.verifiers()] == [new]
    told = db.session.scalars(select(Entry.facts).where(Entry.verb == Verb.LOG_KEY_ADDED)).one()
    assert told == {"vkey": new}
