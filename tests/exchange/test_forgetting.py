"""Forgetting a person: the name can be told from the record no more, and all that was proved of it stays proved."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import inspect, select, text

from marketplace.audit import checkpoints, commitments, log_keys, proofs
from marketplace.audit.models import Entry
from marketplace.audit.proofs import DeedReceipt
from marketplace.exchange import archiving
from marketplace.identity import members, service
from marketplace.identity.rules import MemberDraft
from marketplace.identity.states import MemberRole
from marketplace.kit import merkle, notes
from marketplace.kit.canonical import canonical_json
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.exchange.test_archiving import signed, unpacked, verified
from tests.factories import market

HANAKO = {"name": "佐藤 花子", "email": "hanako@example.jp"}


def test_erasing_a_person_silences_the_record_and_breaks_no_proof(own_database: Flask, tmp_path: Path) -> None:
    del own_database
    who = market.buyer()
    with transaction():
        member_id = service.add_member(who, who.organization_id, MemberDraft(role=MemberRole.BUYER, **HANAKO)).id
    added = db.session.scalars(select(Entry).where(Entry.subject == member_id)).one()
    entry_id, committed = added.id, str(added.facts["commitment"])
    before, note = archived(tmp_path / "before.tar"), tmp_path / "note"
    note.write_text(checkpoints.latest().note)  # type: ignore[union-attr] # it was signed by the archive
    receipt = proofs.get_receipt(who, entry_id)
    assert_proved(receipt)
    assert commitments.matches(member_id, HANAKO, committed) is True
    assert HANAKO["name"] in written_down()
    assert any(is_keyed_with(key, committed) for key in keys())

    with transaction():
        members.remove_member(who, member_id)
    after = archived(tmp_path / "after.tar")

    assert verified(before)[0] == verified(after)[0] == 0
    assert verified(after, "--note", str(note))[:2] == (0, [])
    lines = [[line for line in unpacked(one)["entries.ndjson"] if entry_id in line] for one in (before, after)]
    assert lines[0] == lines[1] == [added.canonical]
    assert_proved(receipt)
    assert_proved(proofs.get_receipt(who, entry_id))
    # The right name and address are at hand, and nothing is left with which they could be tried.
    assert commitments.matches(member_id, HANAKO, committed) is None
    assert not any(is_keyed_with(key, committed) for key in keys())
    for archive in (before, after):
        assert not any(is_keyed_with(key, committed) for key in values(list(unpacked(archive).values())))
    said = written_down() + "".join(line for one in (before, after) for of in unpacked(one).values() for line in of)
    assert committed in said
    assert not any(word in said for word in (*HANAKO.values(), "花子"))


def archived(path: Path) -> Path:
    signed()
    with path.open("wb") as file, transaction():
        archiving.archive(file)
    return path


def assert_proved(receipt: DeedReceipt) -> None:
    """As somebody does who has the receipt and the log's key, and no exchange."""
    assert receipt.proof is not None
    proved, _, note = receipt.proof.partition("\n\n")
    head, _index, *path = proved.split("\n")
    tree = notes.opened(note, log_keys.verifiers())
    leaf = merkle.leaf_hash(receipt.entry.canonical.encode())
    steps = [base64.b64decode(step) for step in path]
    assert head == proofs.HEAD
    assert merkle.root_of_inclusion(leaf, receipt.position, tree.size, steps) == tree.root  # type: ignore[arg-type]


def is_keyed_with(key: bytes, committed: str) -> bool:
    return hmac.new(key, canonical_json(HANAKO), hashlib.sha256).hexdigest() == committed


def rows() -> Iterator[tuple[Any, ...]]:
    """Every row of every table, as somebody has who took the whole database away."""
    for table in inspect(db.engine).get_table_names():
        yield from (tuple(row) for row in db.session.execute(text(f'SELECT * FROM "{table}"')))


def keys() -> set[bytes]:
    """Whatever in the database could be a key: each value, as text and as bytes; and those one guesses first."""
    return {b"", bytes(commitments.SALT_BYTES), canonical_json(HANAKO)} | set(values(list(rows())))


def values(found: Any) -> Iterator[bytes]:
    if isinstance(found, dict):
        found = [*found, *found.values()]
    if isinstance(found, list | tuple | set):
        for one in found:
            yield from values(one)
    elif isinstance(found, bytes | memoryview):
        yield bytes(found)
    elif found is not None:
        yield str(found).encode()
        yield from _read(str(found))


def _read(words: str) -> Iterator[bytes]:
    """Yield what a text stands for, where it is hexadecimal or JSON."""
    for read in (bytes.fromhex, json.loads):
        try:
            found = read(words)
        except ValueError:
            continue
        yield from values(found) if isinstance(found, bytes | dict | list) else ()


def written_down() -> str:
    return "\n".join(str(row) for row in rows())
