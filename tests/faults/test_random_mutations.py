"""Random single mutations of a record, in its archive and in its tables: each is found, and its row is named.

``MUTATIONS``, ``MUTATED_ENTRIES`` and ``MUTATIONS_SEED`` make it larger, or other: each archive is verified whole, by the
stand-alone program, so that a hundred thousand entries take seconds for each mutation.
"""

import hashlib
import io
import json
import os
import random
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

import verify_audit
from marketplace.access import service as access
from marketplace.audit import checkpoints, sequencer, service, verification
from marketplace.audit.verbs import Verb
from marketplace.exchange import archiving
from marketplace.identity.actors import SYSTEM
from marketplace.kit.canonical import canonical_json
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from tests.factories import market, money

MUTATIONS = int(os.environ.get("MUTATIONS", "150"))
ENTRIES = int(os.environ.get("MUTATED_ENTRIES", "300"))
SEED = int(os.environ.get("MUTATIONS_SEED", "20261130"))
AT_ONCE = 1000
TABLE_MUTATIONS = int(os.environ.get("TABLE_MUTATIONS", "60"))
# What nobody can know: entries that are not signed for yet, keys that one must have from elsewhere, and the sums.
PROVED = ("entries.ndjson", "leaves.txt", "checkpoints.ndjson", "ledger.ndjson", "grants.ndjson", "usage.ndjson")
NAMED_BY = {"ledger.ndjson": "idem", "grants.ndjson": "id", "usage.ndjson": "grant_id"}
Files = dict[str, list[bytes]]


@pytest.fixture
def record(own_database: Flask) -> None:
    """The record of some trades and of many other deeds, signed now and then."""
    who = market.buyer()
    for yen in (5000, 7000, 9000):
        made = money.sold(own_database, yen, who)
        sign()
    money.give_back(made, 1100)
    on = market.listed()
    grants = [market.ordered(who, market.offered(on, PriceKind.FREE)).grant_id for _ in range(3)]
    for grant_id in grants[:2]:
        market.fetched(who, grant_id, 7)
    with transaction():
        access.revoke(on.provider, grants[1], "契約の終了")
    sign()
    for _ in range(0, ENTRIES, AT_ONCE):
        with transaction():
            service.record_all([deed(number) for number in range(min(AT_ONCE, ENTRIES))])
        sign()
    db.session.remove()


def deed(number: int) -> dict[str, object]:
    """An ordinary entry."""
    return service.entry_of(
        SYSTEM, Verb.TERMS_WRITTEN, subject=f"trm_{number}", amount_minor=number, facts={"名": "札幌"}
    )


def sign() -> None:
    sequencer.sequence_all()
    with transaction():
        checkpoints.publish()


def read(path: Path) -> Files:
    with tarfile.open(path) as tar:
        return {name: tar.extractfile(name).read().splitlines() for name in tar.getnames()}  # type: ignore[union-attr]


def write(files: Files, path: Path) -> None:
    """Write an archive whose sums are right: whoever changes a line can mend those as well."""
    head = json.loads(files["head.json"][0])
    for name in head["files"]:
        content = b"".join(line + b"\n" for line in files[name])
        head["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "lines": len(files[name])}
    with tarfile.open(path, "w") as tar:
        for name, lines in (files | {"head.json": [canonical_json(head)]}).items():
            content = b"".join(line + b"\n" for line in lines)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def change_byte(lines: list[bytes], at: int, chance: random.Random) -> None:
    place, line = chance.randrange(len(lines[at])), lines[at]
    other = chance.choice([one for one in range(256) if one not in {line[place], ord("\n"), ord("\r")}])
    lines[at] = line[:place] + bytes([other]) + line[place + 1 :]


def change_digit(lines: list[bytes], at: int, chance: random.Random) -> None:
    line = lines[at]
    place = chance.choice([found.start() for found in re.finditer(rb"[0-9]", line)])
    other = chance.choice([one for one in b"0123456789" if one != line[place]])
    lines[at] = line[:place] + bytes([other]) + line[place + 1 :]


def remove(lines: list[bytes], at: int, _chance: random.Random) -> None:
    del lines[at]


def swap(lines: list[bytes], at: int, chance: random.Random) -> None:
    other = chance.randrange(at + 1, len(lines))
    lines[at], lines[other] = lines[other], lines[at]


Mutation = Callable[[list[bytes], int, random.Random], None]
MUTATE: tuple[Mutation, ...] = (change_byte, change_digit, remove, swap)


def name_of(name: str, line: bytes, at: int, mutation: Mutation, count: int) -> str:
    """What the first thing that is wrong must begin with."""
    if mutation is remove and name in NAMED_BY:
        called = json.loads(line)[NAMED_BY[name]]
        return rf"{re.escape(name)}: the (transaction|grant) {re.escape(called)} (of entry \S+ )?is missing"
    if name in {"entries.ndjson", "leaves.txt"}:
        if mutation is remove and at == count - 1:
            return rf"entries\.ndjson and leaves\.txt: one of them ends after line {at}$"
        return rf"entries\.ndjson line {at + 1}: "
    return rf"{re.escape(name)} line {at + 1}\b"


def test_every_mutation_of_an_archive_is_found_and_its_line_is_named(
    record: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, path = random.Random(SEED), tmp_path / "record.tar"
    with path.open("wb") as file, transaction():
        archiving.archive(file)
    files = read(path)
    write(files, path)
    assert verify_audit.main([str(path)]) == 0
    for number in range(MUTATIONS):
        name, mutation = PROVED[number % len(PROVED)], chance.choice(MUTATE)
        whole, lines = files[name], list(files[name])
        if name == "checkpoints.ndjson" and mutation is remove:
            mutation = swap  # with one checkpoint fewer a record is as sound as with all
        at = chance.randrange(len(lines) - (mutation is swap))
        mutation(lines, at, chance)
        write(files | {name: lines}, path)
        capsys.readouterr()
        told = (name, at, mutation.__name__, whole[at], lines[at : at + 1])
        assert verify_audit.main([str(path)]) == 1, told
        first = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG "))
        assert re.match(name_of(name, whole[at], at, mutation, len(whole)), first.removeprefix("WRONG ")), (first, told)


TABLE: dict[str, str] = {
    "an entry's text": "UPDATE audit_entry SET canonical = overlay(canonical placing '¥' from :odd) WHERE id = :id",
    "an entry's amount": "UPDATE audit_entry SET amount_minor = coalesce(amount_minor, 0) + 1 WHERE id = :id",
    "an entry's party": "UPDATE audit_entry SET organization_id = organization_id || '0' WHERE id = :id",
    "an entry's instant": "UPDATE audit_entry SET occurred_at = occurred_at - interval '1 microsecond' WHERE id = :id",
    "an entry": "DELETE FROM audit_entry WHERE id = :id",
    "a leaf": "DELETE FROM audit_leaf WHERE entry_id = :id",
    "two leaves": "WITH two AS (SELECT position, entry_id FROM audit_leaf WHERE position IN (:at, :other))"
    " UPDATE audit_leaf l SET entry_id = o.entry_id || '+' FROM two o"
    " WHERE l.position IN (:at, :other) AND o.position <> l.position",
    "a hash": "UPDATE audit_node SET hash = set_byte(hash, :odd % 32, (get_byte(hash, :odd % 32) + 1) % 256)"
    " WHERE level = 0 AND position = :at",
    "a node": "DELETE FROM audit_node WHERE level = 0 AND position = :at",
}


def test_every_mutation_of_the_tables_is_found_and_its_row_is_named(record: None) -> None:
    """Each in a transaction of its own, which is taken back."""
    chance = random.Random(SEED)
    ids = list(db.session.scalars(text("SELECT entry_id FROM audit_leaf ORDER BY position")))
    assert verification.verify().sound
    for number in range(TABLE_MUTATIONS):
        kind = list(TABLE)[number % len(TABLE)]
        at, other = chance.sample(range(len(ids)), 2)
        db.session.rollback()
        db.session.execute(text("SET LOCAL session_replication_role = replica"))
        values = {"id": ids[at], "at": at, "other": other, "odd": chance.randrange(1, 150)}
        statement = text(TABLE[kind])
        db.session.execute(statement, {name: values[name] for name in statement.compile().params})
        if kind == "two leaves":  # no two leaves may have one entry, not even in between
            db.session.execute(text("UPDATE audit_leaf SET entry_id = rtrim(entry_id, '+') WHERE entry_id LIKE '%+'"))
        found = verification.verify().findings
        named = {(one.position, one.entry_id) for one in found}
        wanted = {(at, ids[at])} if kind != "two leaves" else {(at, ids[other]), (other, ids[at])}
        if kind == "a leaf":
            wanted = {(at, None)}
        if kind == "a node":
            assert f"node 0/{at} was altered or removed" in {one.trouble for one in found}
        else:
            assert wanted <= named, (kind, at, other, found)
        assert {position for position, _entry_id in named} <= {at, other, None}
    db.session.rollback()
    assert verification.verify().sound
