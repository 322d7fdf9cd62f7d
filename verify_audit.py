#!/usr/bin/env python3
"""Verify an archive of a Musubi record, with Python's standard library and the package ``cryptography`` alone.

    python verify_audit.py ARCHIVE [--key VKEY ...] [--witness VKEY ... --witnesses N] [--note FILE]

An archive is what ``marketplace audit export --out ARCHIVE`` writes. Needed is no server, no database and no trust in
whoever gave it to you: give ``--key`` the log's key as you heard of it elsewhere (a newspaper, DNS, a city's own
page), ``--note`` a checkpoint that you or a witness kept earlier, and ``--witness`` the keys of witnesses you trust.

What is verified, each to the first wrong line:
 1. signatures: every checkpoint under a known key of the log (C2SP signed-note), and enough witnesses on the last one;
 2. inclusion: the entries, line by line, are the leaves of the signed tree (RFC 6962);
 3. consistency: every checkpoint, also the one you kept, is over the beginning of the same entries;
 4. times: no entry is dated before entries placed earlier by more than five minutes;
 5. completeness: every transaction of the ledger stands on the record, as it was booked, and the other way round; it
    balances; grants are in the state that the record says; usage is what the deliveries on the record come to.
Exit code 0: sound. 1: something is wrong, named on standard output. 2: this is no archive, or it cannot be read.
"""

import argparse
import base64
import hashlib
import json
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "musubi-record/1"
TOLERANCE = timedelta(minutes=5)
WRONG_MAX = 100
DISPLACED = "it is not the entry that stands at this place of the tree"
LINE_BYTES_MAX = 2**22
FILES = (
    "entries.ndjson", "leaves.txt", "pending.ndjson", "checkpoints.ndjson", "keys.txt", "ledger.ndjson",
    "grants.ndjson", "usage.ndjson", "head.json",
)  # fmt: skip
# What comes of lines that are no JSON, or other than what is written: nested without end, a text where a number is.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
UNITS = {"bytes": "bytes_new", "rows": "rows_new", "requests": "requests"}
CHUNK_BYTES = 2**20
# Of lines as text: from bytes, it would look for their encoding anew in each.
read_json = json.JSONDecoder().decode


class NoArchive(Exception):
    """What was given is no archive of a record."""


class Wrong(Exception):
    """One thing that is not as it should be."""


class Key:
    """A public key as C2SP signed-note writes it: NAME+ID+KEY."""

    def __init__(self, text: str) -> None:
        try:
            self.name, key_id, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise NoArchive(f"{text!r} is no key: a key reads NAME+ID+KEY") from error
        self.kind, self.public = raw[0], raw[1:]
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
            self.signatures = [_signature(line) for line in lines.splitlines()]
        except ValueError as error:
            raise Wrong(f"a checkpoint cannot be read: {note[:80]!r}") from error

    def signers(self, keys: list[Key]) -> list[Key]:
        """Return which of these keys have signed it; raises Wrong for one whose signature is not of it."""
        found = []
        for name, key_id, value in self.signatures:
            for key in keys:
                if (key.name, key.id) == (name, key_id):
                    if not key.verifies(self.text, value):
                        raise Wrong(f"the checkpoint of {self.size} entries: the signature of {name} is not of it")
                    found.append(key)
        return found


def _signature(line: str) -> tuple[str, bytes, bytes]:
    _dash, name, encoded = line.split(" ")
    raw = base64.b64decode(encoded, validate=True)
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
        self.used: dict[str, list[int]] = {}
        self._latest = self._earliest = datetime.min.replace(tzinfo=UTC)

    def take(self, entry: dict[str, Any]) -> str | None:
        """Take an entry in; returns what is wrong with its time."""
        verb, facts, subject = entry["verb"], entry["facts"], entry["subject"]
        if verb == "billing.ledger.posted":
            self.booked[facts["idem"]] = (facts["sha256"], entry["id"])
        elif verb.startswith("access.grant."):
            self._grant(verb.removeprefix("access.grant."), subject, facts)
        elif verb == "metering.delivery.closed":
            self._use(facts, UNITS.values())
        elif verb == "metering.usage.corrected":
            self._use(facts, UNITS)
        return self._dated(datetime.fromisoformat(entry["occurred_at"]))

    def _grant(self, deed: str, grant_id: str, facts: dict[str, Any]) -> None:
        if deed == "issued":
            self.issued[grant_id] = facts
        elif deed == "revoked":
            self.revoked[grant_id] = facts.get("reason_sha256", "")
        elif deed == "reinstated":
            self.revoked.pop(grant_id, None)
        elif deed == "suspended":
            self.resting.setdefault(grant_id, set()).add((facts["cause"], facts["ref"]))
        elif deed == "resumed":
            self.resting.get(grant_id, set()).discard((facts["cause"], facts["ref"]))

    def _use(self, facts: dict[str, Any], names: Iterable[str]) -> None:
        used = self.used.setdefault(facts["grant_id"], [0] * len(UNITS))
        for at, name in enumerate(names):
            used[at] += int(facts.get(name, 0))

    def _dated(self, at: datetime) -> str | None:
        if at > self._latest:
            self._latest, self._earliest = at, at - TOLERANCE
        return "it is dated before entries that were placed earlier" if at < self._earliest else None

    def state_of(self, grant_id: str) -> str:
        """Return how a grant stands."""
        if grant_id in self.revoked:
            return "revoked"
        return "suspended" if self.resting.get(grant_id) else "active"


class Verification:
    """One run over an archive."""

    def __init__(self, tar: tarfile.TarFile, keys: list[Key], witnesses: list[Key], witnesses_min: int) -> None:
        self._tar, self._keys, self._witnesses, self._witnesses_min = tar, keys, witnesses, witnesses_min
        self.wrong: list[str] = []
        self.size = self.pending = 0

    def run(self, kept: list[str]) -> None:
        """Verify everything; ``kept`` are checkpoints that somebody noted earlier."""
        self._shape()
        self._head()
        checkpoints = self._checkpoints(kept)
        record = self._entries(checkpoints)
        self._ledger(record)
        self._grants(record)
        self._usage(record)

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file, without their ends."""
        for line in self._raw(name):
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

    def _raw(self, name: str) -> Iterator[bytes]:
        file = self._file(name)
        while line := file.readline(LINE_BYTES_MAX):
            if len(line) == LINE_BYTES_MAX:
                raise NoArchive(f"{name}: a line is longer than any that is written")
            yield line

    def _file(self, name: str) -> IO[bytes]:
        file = self._tar.extractfile(name)
        if file is None:
            raise NoArchive(f"the archive has no {name}")
        return file

    def say(self, what: str) -> None:
        """Note one thing that is wrong."""
        self.wrong.append(what)
        if len(self.wrong) >= WRONG_MAX:
            raise Wrong("too much is wrong: verification ends here")

    def _head(self) -> None:
        head = json.loads(self._file("head.json").read(LINE_BYTES_MAX))
        if head.get("format") != FORMAT:
            raise NoArchive(f"the format is {head.get('format')!r}, not {FORMAT!r}")
        for name, said in head["files"].items():
            digest, count, end = hashlib.sha256(), 0, b"\n"
            file = self._file(name)
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                count, end = count + chunk.count(b"\n"), chunk[-1:]
            count += end != b"\n"
            if (digest.hexdigest(), count) != (said["sha256"], said["lines"]):
                self.say(f"{name}: it was changed after it was written ({count} lines, {said['lines']} were written)")

    def _checkpoints(self, kept: list[str]) -> dict[int, list[Checkpoint]]:
        keys = self._keys or [Key(line.decode()) for line in self.lines("keys.txt")]
        notes = [json.loads(line)["note"] for line in self.lines("checkpoints.ndjson")]
        if not notes:
            raise NoArchive("no checkpoint is in the archive")
        found: dict[int, list[Checkpoint]] = {}
        for note in [*notes, *kept]:
            try:
                checkpoint = Checkpoint(note)
                if not checkpoint.signers(keys):
                    self.say(f"the checkpoint of {checkpoint.size} entries: no known key has signed it")
                found.setdefault(checkpoint.size, []).append(checkpoint)
            except Wrong as wrong:
                self.say(str(wrong))
        self._count_witnesses(Checkpoint(notes[-1]))
        self.size = Checkpoint(notes[-1]).size
        return found

    def _count_witnesses(self, last: Checkpoint) -> None:
        count = len({key.name for key in last.signers(self._witnesses)})
        if count < self._witnesses_min:
            self.say(f"{count} of the witnesses you trust have signed the last checkpoint, not {self._witnesses_min}")

    def _entries(self, checkpoints: dict[int, list[Checkpoint]]) -> Record:
        record, tree, good = Record(), Tree(), 0
        for line, leaf in zip_longest(self.lines("entries.ndjson"), self.lines("leaves.txt")):
            if line is None or leaf is None:
                self.say(f"entries.ndjson and leaves.txt: one of them ends after line {tree.size}")
                break
            signed = _hash_of(leaf)
            tree.add(signed)
            wrong = () if hashlib.sha256(b"\0" + line).digest() == signed else (DISPLACED,)
            for trouble in (*wrong, *_taken(record, line)):
                self.say(f"entries.ndjson line {tree.size}: {trouble}")
            for checkpoint in checkpoints.get(tree.size, ()):
                good = self._compare(checkpoint, tree, good)
        self._compare_sizes(checkpoints, tree.size)
        for number, line in enumerate(self.lines("pending.ndjson"), 1):
            self.pending = number
            for trouble in _taken(record, line):
                self.say(f"pending.ndjson line {number}: {trouble}")
        return record

    def _compare(self, checkpoint: Checkpoint, tree: Tree, good: int) -> int:
        if checkpoint.root == tree.root():
            return tree.size
        self.say(f"leaves.txt: one of the lines {good + 1} to {tree.size} is not what was signed")
        return good

    def _compare_sizes(self, checkpoints: dict[int, list[Checkpoint]], size: int) -> None:
        for signed in sorted(checkpoints):
            if signed > size:
                self.say(f"entries.ndjson: it has {size} entries, and a checkpoint was signed of {signed}")
        if size > self.size:
            self.say(f"entries.ndjson: it has {size} entries, and {self.size} were signed")

    def _ledger(self, record: Record) -> None:
        missing = dict(record.booked)
        sums: Counter[str] = Counter()
        for number, line in enumerate(self.lines("ledger.ndjson"), 1):
            booked = read_json(line.decode())
            where = f"ledger.ndjson line {number} ({booked['idem']})"
            digest, _entry_id = missing.pop(booked["idem"], (None, None))
            if digest is None:
                self.say(f"{where}: it stands nowhere on the record, or twice in the ledger")
            elif digest != _digest(booked):
                self.say(f"{where}: it is not what the record says was booked")
            by_currency: Counter[str] = Counter()
            for _code, currency, amount in booked["entries"]:
                by_currency[currency] += amount
            if any(by_currency.values()):
                self.say(f"{where}: it does not balance ({dict(by_currency)})")
            sums.update(by_currency)
        for idem, (_digest_of, entry_id) in missing.items():
            self.say(f"ledger.ndjson: the transaction {idem} of entry {entry_id} is missing")

    def _grants(self, record: Record) -> None:
        missing = dict(record.issued)
        for number, line in enumerate(self.lines("grants.ndjson"), 1):
            grant = read_json(line.decode())
            where = f"grants.ndjson line {number} ({grant['id']})"
            said = missing.pop(grant["id"], None)
            if said is None:
                self.say(f"{where}: no entry says that it was issued")
            elif (said["order_id"], said["organization_id"]) != (grant["order_id"], grant["organization_id"]):
                self.say(f"{where}: it was issued for another order or to another buyer")
            elif grant["state"] != record.state_of(grant["id"]):
                self.say(f"{where}: it is {grant['state']}, and the record says {record.state_of(grant['id'])}")
        for grant_id in missing:
            self.say(f"grants.ndjson: the grant {grant_id} is missing")

    def _usage(self, record: Record) -> None:
        left = {grant_id: used for grant_id, used in record.used.items() if any(used)}
        for number, line in enumerate(self.lines("usage.ndjson"), 1):
            said = read_json(line.decode())
            for name, used in zip(UNITS, left.pop(said["grant_id"], [0] * len(UNITS)), strict=True):
                if said[name] != used:
                    where = f"usage.ndjson line {number} ({said['grant_id']})"
                    self.say(f"{where}: {said[name]} {name} are counted, and the deliveries come to {used}")
        for grant_id in left:
            self.say(f"usage.ndjson: the grant {grant_id} is missing")


def _taken(record: Record, line: bytes) -> tuple[str, ...]:
    """Take an entry in; returns what is wrong with it, in itself and with its time."""
    try:
        trouble = record.take(read_json(line.decode()))
    except UNREADABLE:
        return ("it is no entry",)
    return () if trouble is None else (trouble,)


def _hash_of(line: bytes) -> bytes:
    try:
        return bytes.fromhex(line.decode())
    except ValueError:
        return b""


def _digest(booked: dict[str, Any]) -> str:
    reverses = "" if booked["reverses"] is None else str(booked["reverses"])
    entries = (f"{code} {currency} {amount}" for code, currency, amount in booked["entries"])
    lines = [booked["kind"], booked["ref"], booked["idem"], booked["effective_on"], reverses, *entries, ""]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Verify an archive as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="verify_audit.py", description="Verify an archive of a Musubi record.")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--key", action="append", default=[], help="a key of the log, as you heard of it elsewhere")
    parser.add_argument("--witness", action="append", default=[], help="the key of a witness you trust")
    parser.add_argument("--witnesses", type=int, default=0, metavar="N", help="how many of them must have signed")
    parser.add_argument("--note", action="append", default=[], type=Path, help="a checkpoint that was kept earlier")
    given = parser.parse_args(arguments)
    try:
        with tarfile.open(given.archive, "r:") as tar:
            run = Verification(tar, list(map(Key, given.key)), list(map(Key, given.witness)), given.witnesses)
            try:
                run.run([note.read_text(encoding="utf-8") for note in given.note])
            except Wrong as wrong:
                run.wrong.append(str(wrong))
    except (*UNREADABLE, NoArchive, OSError, tarfile.TarError) as error:
        print(f"this is no archive of a record: {error}")
        return 2
    for wrong in run.wrong:
        print(f"WRONG {wrong}")
    if not given.key:
        print("note: the keys are those of the archive itself; give --key as you heard of it elsewhere")
    told = f"{run.size} entries are signed for" + (f", {run.pending} wait for a signature" if run.pending else "")
    print(f"{told}: the record is {'NOT sound' if run.wrong else 'sound'}")
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
