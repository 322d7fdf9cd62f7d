#!/usr/bin/env python3
"""Verify an archive of a Musubi record, with Python's standard library and the package ``cryptography`` alone.

    python verify_audit.py ARCHIVE [--key VKEY ...] [--witness VKEY ... --witnesses N [--within SECONDS]] [--note FILE]

An archive is what ``marketplace audit export --out ARCHIVE`` writes. Needed is no server, no database and no trust in
whoever gave it to you: give ``--key`` the log's key as you heard of it elsewhere (a newspaper, DNS, a city's own
page), ``--note`` a checkpoint that you or a witness kept earlier, and ``--witness`` the keys of witnesses you trust.

What is verified, each to the first wrong line:
 1. signatures: every checkpoint under a known key of the log (C2SP signed-note), and enough witnesses on the last one;
 2. inclusion: the entries, line by line, are the leaves of the signed tree (RFC 6962);
 3. consistency: every checkpoint, also the one you kept, is over the beginning of the same entries;
 4. times: no entry is dated before entries placed earlier by more than five minutes, nor, with ``--within``, longer
    before enough witnesses had signed it;
 5. completeness: every transaction of the ledger stands on the record, as it was booked, and the other way round; it
    balances; grants are in the state that the record says; usage is what the deliveries on the record come to.
Exit code 0: sound. 1: something is wrong, named on standard output. 2: this is no archive, or it cannot be read, or
what was asked cannot be verified.
"""

import argparse
import base64
import hashlib
import json
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "musubi-record/1"
TOLERANCE = timedelta(minutes=5)
NEVER = datetime.max.replace(tzinfo=UTC)
WRONG_MAX = 100
WORDS_MAX, NAME_MAX = 500, 200
DISPLACED = "it is not the entry that stands at this place of the tree"
REPEATED = "it is on the record before"
ODD = "it is not written as it is exported: each name once, sorted, none missing or added, and no spaces"
LINE_BYTES_MAX = 2**22
CHUNK_BYTES = 2**20
FILES = (
    "entries.ndjson", "leaves.txt", "pending.ndjson", "checkpoints.ndjson", "keys.txt", "ledger.ndjson",
    "grants.ndjson", "usage.ndjson", "head.json",
)  # fmt: skip
# What comes of lines that are no JSON, or other than what is written: nested without end, a text where a number is.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
# What rows are made of. They are no leaves: whatever else stood in one would be read by people, and proved by nothing.
FIELDS = {
    "checkpoints.ndjson": {"note"},
    "ledger.ndjson": {"kind", "ref", "idem", "effective_on", "reverses", "entries"},
    "grants.ndjson": {"id", "order_id", "organization_id", "provider_organization_id", "state"},
    "usage.ndjson": {"grant_id", "bytes", "rows", "requests"},
    "head.json": {"format", "made_at", "size", "root", "files"},
}
PARTIES = {"order_id": "order_id", "organization_id": "organization_id", "provider_organization_id": "provider"}
TEXTS = ("kind", "ref", "idem", "effective_on")
UNITS = {"bytes": "bytes_new", "rows": "rows_new", "requests": "requests"}
# Of lines as text: from bytes, it would look for their encoding anew in each.
read_json = json.JSONDecoder().decode
write_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


class NoArchive(Exception):
    """What was given is no archive of a record."""


class Wrong(Exception):
    """One thing that is not as it should be."""


UNFIT = (*UNREADABLE, NoArchive, OSError, tarfile.TarError)


class Key:
    """A public key as C2SP signed-note writes it: NAME+ID+KEY."""

    def __init__(self, text: str) -> None:
        try:
            self.name, key_id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise NoArchive(f"{text!r} is no key: a key reads NAME+ID+KEY") from error
        self.kind, self.public = int.from_bytes(raw[:1]), raw[1:]
        self.id = hashlib.sha256(f"{self.name}\n".encode() + raw).digest()[:4]
        if self.kind not in {1, 4} or len(self.public) != 32 or self.id.hex() != key_id:
            raise NoArchive(f"{text!r} is no Ed25519 key of a log or a witness")

    def verifies(self, text: str, value: bytes) -> bool:
        """Whether it has made a signature of a text."""
        signed = text
        if self.kind == 4:
            signed, value = f"cosignature/v1\ntime {int.from_bytes(value[:8])}\n{text}", value[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, signed.encode())
        except InvalidSignature:
            return False
        return True


class Checkpoint:
    """A signed note of size and root."""

    def __init__(self, note: str) -> None:
        self.text, _, lines = note.rpartition("\n\n")
        self.text += "\n"
        try:
            self.origin, size, root = self.text.split("\n")[:3]
            self.size, self.root = int(size), base64.b64decode(root, validate=True)
            self.seen: list[int] = []
            self.signatures = [_signature(line) for line in lines.splitlines()]
        except ValueError as error:
            raise Wrong(f"a checkpoint cannot be read: {note[:80]!r}") from error

    def signed(self, keys: list[Key]) -> list[tuple[Key, int]]:
        """Return which of these keys have signed it, and when, if a witness; raises Wrong where it is not theirs."""
        found = []
        for name, key_id, value in self.signatures:
            for key in keys:
                if (key.name, key.id) == (name, key_id):
                    if not key.verifies(self.text, value):
                        raise Wrong(f"the checkpoint of {self.size} entries: the signature of {name} is not of it")
                    found.append((key, int.from_bytes(value[:8])))
        return found


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, name, encoded = line.split(" ")
    raw = base64.b64decode(encoded, validate=True)
    # The last letter has bits that mean nothing: of two ways to write the same, one was changed.
    if dash != "\u2014" or base64.b64encode(raw).decode() != encoded:
        raise ValueError
    return name, raw[:4], raw[4:]


class Tree:
    """The right edge of a Merkle tree that grows leaf by leaf (RFC 6962 section 2.1)."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Add the hash of a leaf."""
        level, value = 0, leaf
        while self._peaks and self._peaks[-1][0] == level:
            value = hashlib.sha256(b"\1" + self._peaks.pop()[1] + value).digest()
            level += 1
        self._peaks.append((level, value))
        self.size += 1

    def root(self) -> bytes:
        """Return the root over what was added."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        value = self._peaks[-1][1]
        for _level, peak in reversed(self._peaks[:-1]):
            value = hashlib.sha256(b"\1" + peak + value).digest()
        return value


class Record:
    """What the entries come to: what must be in the ledger, how grants stand, what was used."""

    def __init__(self) -> None:
        self.booked: dict[str, tuple[str, str]] = {}
        self.issued: dict[str, dict[str, Any]] = {}
        self.revoked: dict[str, str | None] = {}
        self.resting: dict[str, set[tuple[str, str]]] = {}
        self.reopened: set[str] = set()
        self.used: dict[str, list[int]] = {}
        self._latest = self._earliest = datetime.min.replace(tzinfo=UTC)
        self.number, self._oldest = 0, (NEVER, 0)

    def take(self, line: bytes) -> str | None:
        """Take an entry in; returns what is wrong with it or its time."""
        self.number += 1
        try:
            return self._take(read_json(line.decode()))
        except UNREADABLE:
            return "it is no entry"

    def _take(self, entry: dict[str, Any]) -> str | None:
        verb, facts, subject, repeated = entry["verb"], entry["facts"], entry["subject"], False
        if verb == "billing.ledger.posted":
            posted = facts["sha256"], entry["id"]
            repeated = self.booked.setdefault(facts["idem"], posted) is not posted
        elif verb == "access.grant.issued":
            grant = facts | {"provider": entry.get("counterparty_id")}
            repeated = self.issued.setdefault(subject, grant) is not grant
        elif verb.startswith("access.grant."):
            self._grant(verb.removeprefix("access.grant."), subject, facts)
        elif verb == "metering.delivery.closed":
            self._use(facts, UNITS.values())
        elif verb == "metering.usage.corrected":
            self._use(facts, UNITS)
        late = self._dated(datetime.fromisoformat(entry["occurred_at"]))
        return REPEATED if repeated else late

    def _grant(self, deed: str, grant_id: str, facts: dict[str, Any]) -> None:
        if deed == "revoked":
            self.revoked[grant_id] = facts.get("reason_sha256", "")
        elif deed == "reinstated":
            self.revoked.pop(grant_id, None)
            self.reopened.add(grant_id)
        elif deed == "suspended":
            self.resting.setdefault(grant_id, set()).add((facts["cause"], facts["ref"]))
        elif deed == "resumed":
            self.resting.get(grant_id, set()).discard((facts["cause"], facts["ref"]))
            self.reopened.add(grant_id)

    def _use(self, facts: dict[str, Any], names: Iterable[str]) -> None:
        used = self.used.setdefault(facts["grant_id"], [0] * len(UNITS))
        for at, name in enumerate(names):
            used[at] += int(facts.get(name, 0))

    def _dated(self, at: datetime) -> str | None:
        if at < self._oldest[0]:
            self._oldest = at, self.number
        if at > self._latest:
            self._latest, self._earliest = at, at - TOLERANCE
        return "it is dated before entries that were placed earlier" if at < self._earliest else None

    def oldest(self) -> tuple[datetime, int]:
        """Return the earliest date, and its line, of the entries since this was last asked."""
        oldest, self._oldest = self._oldest, (NEVER, 0)
        return oldest

    def state_of(self, grant_id: str) -> str:
        """Return how a grant stands."""
        if grant_id in self.revoked:
            return "revoked"
        return "suspended" if self.resting.get(grant_id) else "active"


class Verification:
    """One run over an archive."""

    def __init__(
        self, tar: tarfile.TarFile, keys: list[Key], witnesses: list[Key], witnesses_min: int, within: int | None
    ) -> None:
        self._tar, self._keys, self._witnesses, self._witnesses_min = tar, keys, witnesses, witnesses_min
        self._within = within
        self.wrong: list[str] = []
        self.notes: list[str] = []
        self.size = self.pending = self._good = 0
        self._told: tuple[int, str] | None = None
        self._signed = self._checkpoints()
        self._ahead: Checkpoint | None = None
        self._last: Checkpoint | None = None

    def run(self, kept: list[str]) -> None:
        """Verify everything; ``kept`` are checkpoints that somebody noted earlier."""
        self._shape()
        self._head()
        self._keys = self._keys_told()
        record = self._entries([self._read("the checkpoint that was kept", note) for note in kept])
        self._ledger(record)
        self._grants(record)
        self._usage(record)

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file, without their ends."""
        file = self._file(name)
        while line := file.readline(LINE_BYTES_MAX):
            if len(line) == LINE_BYTES_MAX:
                raise NoArchive(f"{name}: a line is longer than any that is written")
            yield line.rstrip(b"\n")

    def _shape(self) -> None:
        """Refuse whatever is no plain file of ours: links, other paths, sizes that are not there, a name twice."""
        missing = set(FILES)
        for member in self._tar:
            if member.name not in missing or not member.isreg() or member.issparse():
                raise NoArchive(f"it holds {member.name[:80]!r}, which is none of its plain files, or is there twice")
            missing.remove(member.name)
        if missing:
            raise NoArchive(f"it has no {', '.join(sorted(missing))}")

    def _file(self, name: str) -> IO[bytes]:
        file = self._tar.extractfile(name)
        if file is None:
            raise NoArchive(f"the archive has no {name}")
        return file

    def say(self, what: str) -> None:
        """Note one thing that is wrong."""
        self.wrong.append(_printable(what))
        if len(self.wrong) >= WRONG_MAX:
            raise Wrong("too much is wrong: verification ends here")

    def _head(self) -> None:
        try:
            text = self._file("head.json").read(LINE_BYTES_MAX).decode()
            head = read_json(text)
            if head["format"] != FORMAT:
                raise NoArchive(f"the format is {head['format']!r}, not {FORMAT!r}")
            written = {name: (said["sha256"], said["lines"]) for name, said in head["files"].items()}
            self._told = head["size"], head["root"]
            if _is_odd("head.json", head, text.removesuffix("\n")):
                self.say(f"head.json: {ODD}")
        except UNREADABLE:
            self.say("head.json: it cannot be read")
            return
        for name in FILES[:-1]:
            digest, count = self._sum(name)
            if written.get(name) != (digest, count):
                lines = written.get(name, ("", "no"))[1]
                self.say(f"{name}: it was changed after it was written ({count} lines, {lines} were written)")

    def _sum(self, name: str) -> tuple[str, int]:
        """Return the SHA-256 of a file and how many lines it has; what follows the last end is one as well."""
        file, digest, count, end = self._file(name), hashlib.sha256(), 0, b"\n"
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            count, end = count + chunk.count(b"\n"), chunk[-1:]
        return digest.hexdigest(), count + (end != b"\n")

    def _keys_told(self) -> list[Key]:
        found = []
        for number, line in enumerate(self.lines("keys.txt"), 1):
            try:
                found.append(Key(line.decode()))
            except (NoArchive, ValueError):
                self.say(f"keys.txt line {number}: it is no key")
        return self._keys or found

    def _checkpoints(self) -> Iterator[Checkpoint]:
        """Yield the checkpoints as they come, and remember the last; they are in the order of their sizes."""
        before, size = "", 0
        for number, line in enumerate(self.lines("checkpoints.ndjson"), 1):
            where = f"checkpoints.ndjson line {number}"
            try:
                row = read_json(text := line.decode())
                checkpoint = self._read(where, str(row["note"]))
                if _is_odd("checkpoints.ndjson", row, text):
                    self.say(f"{where}: {ODD}")
            except UNREADABLE:
                self.say(f"{where}: it is no checkpoint")
                continue
            if checkpoint is not None:
                if checkpoint.size <= size:
                    self.say(f"{before or where}: it does not stand at its place")
                before, size = where, checkpoint.size
                if self._last is None or size > self._last.size:
                    self._last = checkpoint
                yield checkpoint

    def _read(self, where: str, note: str) -> Checkpoint | None:
        try:
            checkpoint = Checkpoint(note)
            signed = checkpoint.signed(self._keys)
            # Of each witness the time at which it first saw this, the earliest first.
            seen = sorted(((at, key.name) for key, at in checkpoint.signed(self._witnesses)), reverse=True)
            checkpoint.seen = sorted({name: at for at, name in seen}.values())
        except Wrong as wrong:
            self.say(f"{where}: {wrong}")
            return None
        if not any((key.kind, key.name) == (1, checkpoint.origin) for key, _at in signed):
            self.say(f"{where}: no known key has signed it ({checkpoint.size} entries)")
        return checkpoint

    def _due(self, size: float) -> Iterator[Checkpoint]:
        """Yield what was signed of no more entries than these, and read on to what was signed of more."""
        while self._ahead is not None and self._ahead.size <= size:
            yield self._ahead
            self._ahead = next(self._signed, None)

    def _entries(self, kept: list[Checkpoint | None]) -> Record:
        record, tree, noted = Record(), Tree(), dict[int, list[Checkpoint]]()
        for one in filter(None, kept):
            noted.setdefault(one.size, []).append(one)
        self._ahead = next(self._signed, None)
        if self._ahead is None and not self.wrong:
            raise NoArchive("no checkpoint is in the archive")
        for line, leaf in zip_longest(self.lines("entries.ndjson"), self.lines("leaves.txt")):
            if line is None or leaf is None:
                self.say(f"entries.ndjson and leaves.txt: one of them ends after line {tree.size}")
                break
            signed = _hash_of(leaf)
            tree.add(signed)
            displaced = None if hashlib.sha256(b"\0" + line).digest() == signed else DISPLACED
            for trouble in filter(None, (displaced, record.take(line))):
                self.say(f"entries.ndjson line {tree.size}: {trouble}")
            for checkpoint in (*self._due(tree.size), *noted.get(tree.size, ())):
                self._compare(checkpoint, tree, record)
        self._end(tree.size, noted)
        record.reopened.clear()
        for number, line in enumerate(self.lines("pending.ndjson"), 1):
            self.pending = number
            if unsound := record.take(line):
                self.say(f"pending.ndjson line {number}: {unsound}")
        return record

    def _compare(self, checkpoint: Checkpoint, tree: Tree, record: Record) -> None:
        if checkpoint.size != tree.size:
            return  # it came too late, which was said
        if checkpoint.root == tree.root():
            self._good = tree.size
        else:
            first = self._good % tree.size + 1  # nothing is good where another tree of the same size was signed
            self.say(f"leaves.txt: one of the lines {first} to {tree.size} is not what was signed")
        if self._within is None or len(checkpoint.seen) < self._witnesses_min:
            return
        # The last of as many as must have signed: fewer could lie about the time together.
        (oldest, number), seen = record.oldest(), checkpoint.seen[self._witnesses_min - 1]
        late = seen - oldest.timestamp()
        if late > self._within:
            by = f"{late:.0f} seconds before {self._witnesses_min} of the witnesses you trust had signed it"
            self.say(f"entries.ndjson line {number}: it is dated {by}, not within {self._within}")

    def _end(self, size: int, noted: Iterable[int]) -> None:
        """Compare how much is there and how much was signed, and by how many."""
        for signed in chain((one.size for one in self._due(float("inf"))), sorted(noted)):
            if signed > size:
                self.say(f"entries.ndjson: it has {size} entries, and a checkpoint was signed of {signed}")
        if self._last is None:
            return
        self.size, seen = self._last.size, len(self._last.seen)
        if size > self.size:
            self.say(f"entries.ndjson: it has {size} entries, and {self.size} were signed")
        if self._told not in {None, (self.size, self._last.root.hex())}:
            self.say("head.json: it tells of another tree than the last checkpoint")
        if seen < self._witnesses_min:
            self.say(f"{seen} of the witnesses you trust have signed the last checkpoint, not {self._witnesses_min}")

    def _each(self, name: str, key: str, take: Callable[[dict[str, Any]], Iterator[str]]) -> None:
        """Give each line of a file, which is sorted by this field, to what says what is wrong with it."""
        before = ""
        for number, line in enumerate(self.lines(name), 1):
            called = "?"
            try:
                row = read_json(text := line.decode())
                called = str(row[key])
                troubles = [*([ODD] if _is_odd(name, row, text) else ()), *take(row)]
            except UNREADABLE:
                troubles = ["it cannot be read"]
            if not troubles:
                if called <= before:
                    # Of two that were swapped, what is too early is seen when the next one comes.
                    self.say(f"{name} line {number - 1} ({before[:NAME_MAX]}): it does not stand at its place")
                before = called
            for trouble in troubles:
                self.say(f"{name} line {number} ({called[:NAME_MAX]}): {trouble}")

    def _ledger(self, record: Record) -> None:
        missing = dict(record.booked)

        def take(booked: dict[str, Any]) -> Iterator[str]:
            digest, _entry_id = missing.pop(booked["idem"], (None, None))
            if digest is None:
                yield "it stands nowhere on the record, or twice in the ledger"
            elif not _is_plain(booked):
                yield "it is not written as a transaction is: texts of one line, whole amounts, and at least one entry"
                return
            elif digest != _digest(booked):
                yield "it is not what the record says was booked"
            sums: Counter[str] = Counter()
            for _code, currency, amount in booked["entries"]:
                sums[currency] += amount
            if any(sums.values()):
                yield f"it does not balance ({dict(sums)})"

        self._each("ledger.ndjson", "idem", take)
        for idem, (_digest_of, entry_id) in missing.items():
            self.say(f"ledger.ndjson: the transaction {idem} of entry {entry_id} is missing")

    def _grants(self, record: Record) -> None:
        missing = dict(record.issued)

        def take(grant: dict[str, Any]) -> Iterator[str]:
            said = missing.pop(grant["id"], None)
            if said is None:
                yield "no entry says that it was issued"
            elif any(grant[name] != said[fact] for name, fact in PARTIES.items()):
                yield "it was issued for another order, to another buyer or by another provider"
            elif grant["state"] != record.state_of(grant["id"]):
                yield f"it is {grant['state']}, and the record says {record.state_of(grant['id'])}"
            elif grant["id"] in record.reopened and grant["state"] == "active":
                self.notes.append(f"nobody has signed yet that the grant {grant['id']} is open again")

        self._each("grants.ndjson", "id", take)
        for grant_id in missing:
            self.say(f"grants.ndjson: the grant {grant_id} is missing")

    def _usage(self, record: Record) -> None:
        left = {grant_id: [0] * len(UNITS) for grant_id in record.issued} | record.used

        def take(said: dict[str, Any]) -> Iterator[str]:
            if said["grant_id"] not in left:
                yield "no entry tells of this grant, or it is counted twice"
            for name, used in zip(UNITS, left.pop(said["grant_id"], [0] * len(UNITS)), strict=True):
                if type(said[name]) is not int or said[name] != used:
                    yield f"{said[name]} {name} are counted, and the deliveries come to {used}"

        self._each("usage.ndjson", "grant_id", take)
        for grant_id in left:
            self.say(f"usage.ndjson: the grant {grant_id} is missing")


def _hash_of(line: bytes) -> bytes:
    """Return the hash that a line spells, in the one way it is written: whoever seeks counts on its length."""
    try:
        value = bytes.fromhex(line.decode())
    except ValueError:
        return b""
    return value if len(value) == 32 and value.hex().encode() == line else b""


def _is_odd(name: str, row: dict[str, Any], text: str) -> bool:
    """Whether a row has other names than its file is made of, or another could be read from its text."""
    return row.keys() != FIELDS[name] or write_json(row) != text


def _printable(words: str) -> str:
    """Return words without what would steer a terminal: parts of them are a stranger's."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in words[:WORDS_MAX])


def _is_plain(booked: dict[str, Any]) -> bool:
    """Whether a transaction can be read in one way alone from the lines that its digest is over."""
    rows, codes = booked["entries"], [text for *row, _amount in booked["entries"] for text in row]
    numbers = [row[-1] for row in rows] + ([] if booked["reverses"] is None else [booked["reverses"]])
    spaced = any(" " in code for code in codes) or any("\n" in text for text in (*map(booked.get, TEXTS), *codes))
    return bool(rows) and not spaced and all(type(number) is int for number in numbers)


def _digest(booked: dict[str, Any]) -> str:
    reverses = "" if booked["reverses"] is None else str(booked["reverses"])
    entries = (f"{code} {currency} {amount}" for code, currency, amount in booked["entries"])
    lines = [*(booked[name] for name in TEXTS), reverses, *entries, ""]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _keys(given: list[str]) -> list[Key]:
    """Read keys, several of which may be given in one piece, as a file of them is."""
    return [Key(one) for text in given for one in text.split() or [text]]


def main(arguments: list[str] | None = None) -> int:
    """Verify an archive as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="verify_audit.py", description="Verify an archive of a Musubi record.")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--key", action="append", default=[], help="keys of the log, as you heard of them elsewhere")
    parser.add_argument("--witness", action="append", default=[], help="the key of a witness you trust")
    parser.add_argument("--witnesses", type=int, metavar="N", help="how many of them must have signed; else all")
    within = "... and each entry not more than so many seconds after its date"
    parser.add_argument("--within", type=int, metavar="SECONDS", help=within)
    parser.add_argument("--note", action="append", default=[], type=Path, help="a checkpoint that was kept earlier")
    given = parser.parse_args(arguments)
    try:
        keys, witnesses = _keys(given.key), [key for key in _keys(given.witness) if key.kind == 4]
        names = len({key.name for key in witnesses})
        asked = names if given.witnesses is None else given.witnesses
        wanted = given.witness or given.within is not None or given.witnesses is not None
        if wanted and not 1 <= asked <= names:
            parser.error("--witnesses N and --within SECONDS go with the keys of at least N witnesses, one or more")
        with tarfile.open(given.archive, "r:") as tar:
            run = Verification(tar, keys, witnesses, asked, given.within)
            try:
                run.run([note.read_text(encoding="utf-8") for note in given.note])
            except (Wrong, *UNFIT) as trouble:
                if not run.wrong:
                    raise
                run.wrong.append(_printable(str(trouble)))
    except UNFIT as error:
        print(f"this is no archive of a record: {_printable(str(error))}")
        return 2
    for wrong in run.wrong:
        print(f"WRONG {wrong}")
    for note in run.notes:
        print(f"note: {_printable(note)}")
    if not given.key:
        print("note: the keys are those of the archive itself; give --key as you heard of it elsewhere")
    told = f"{run.size} entries are signed for" + (f", {run.pending} wait for a signature" if run.pending else "")
    print(f"{told}: the record is {'NOT sound' if run.wrong else 'sound'}")
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # what it cannot write, it names
    sys.exit(main())
