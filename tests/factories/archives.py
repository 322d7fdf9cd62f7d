"""Archives of a record that no exchange wrote: entries under the signature of a key made for the test."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.exchange import adopting
from marketplace.exchange.archiving import FORMAT
from marketplace.kit import clock, merkle, notes
from marketplace.kit.canonical import canonical_json
from marketplace.kit.ids import new_id
from marketplace.kit.notes import VerifierKey
from marketplace.kit.transaction import transaction

Files = dict[str, list[str]]
ORIGIN = "old.example.jp/audit"
BEGUN = clock.parse("2026-01-05T09:00:00+09:00")


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who signs what a log has shown, and says when."""

    name: str
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def key(self) -> VerifierKey:
        """What verifies its signatures."""
        return notes.key_of(self.name, self.private, notes.COSIGNATURE)

    def cosign(self, text: str, at: int) -> notes.Signature:
        """Sign a checkpoint that was seen so many seconds after the first entry of every log."""
        return notes.cosign(self.name, self.private, text, int(BEGUN.timestamp()) + at)


@dataclass(frozen=True, slots=True)
class FormerLog:
    """The log of another operator, of so many entries about nothing that must stand in the books."""

    entries: list[str]
    origin: str = ORIGIN
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def key(self) -> VerifierKey:
        """What verifies its checkpoints."""
        return notes.key_of(self.origin, self.private)

    @property
    def ids(self) -> list[str]:
        """The ids of its entries."""
        return [str(json.loads(entry)["id"]) for entry in self.entries]

    def note(self, size: int | None = None, seen: Mapping[Witness, int] | None = None) -> str:
        """Its last checkpoint, or the one of another size, with the seconds at which witnesses saw it."""
        first = self.entries[:size]
        text = notes.Checkpoint(self.origin, len(first), root_of(first)).text
        cosigned = (one.cosign(text, at) for one, at in (seen or {}).items())
        return notes.Note(text, (notes.sign(self.origin, self.private, text), *cosigned)).written

    def files(self) -> Files:
        """The files of its archive, line by line."""
        files = {
            "entries.ndjson": self.entries,
            "leaves.txt": [merkle.leaf_hash(entry.encode()).hex() for entry in self.entries],
            "pending.ndjson": [],
            "checkpoints.ndjson": [written({"note": self.note()})],
            "keys.txt": [self.key.text],
            "ledger.ndjson": [],
            "grants.ndjson": [],
            "usage.ndjson": [],
        }
        return headed(files)


def former(count: int, origin: str = ORIGIN) -> FormerLog:
    """A log of so many entries."""
    return FormerLog([entry(number) for number in range(count)], origin)


def entry(number: int, entry_id: str | None = None, **other: object) -> str:
    """An entry, as its leaf commits to it, so many seconds after the first one."""
    document: dict[str, object] = {
        "v": 1,
        "id": entry_id or new_id("aud"),
        "occurred_at": clock.text(BEGUN + timedelta(seconds=number)),
        "organization_id": "org_former",
        "verb": "identity.organization.verified",
        "subject": f"org_{number:032x}",
        "facts": {"理由": "審査済み"},
    }
    return canonical_json(document | other).decode()


def root_of(entries: list[str]) -> bytes:
    """The root of the tree over some entries."""
    nodes: dict[tuple[int, int], bytes] = {}

    def subtree(level: int, position: int) -> bytes:
        return nodes[level, position]

    for number, one in enumerate(entries):
        for level, position, value in merkle.grow(number, merkle.leaf_hash(one.encode()), subtree):
            nodes[level, position] = value
    return merkle.root(len(entries), subtree)


def headed(files: Files) -> Files:
    """Files with the head that says what is in them."""
    rest = {name: of for name, of in files.items() if name != "head.json"}
    sums = {name: {"sha256": hashlib.sha256(joined(of)).hexdigest(), "lines": len(of)} for name, of in rest.items()}
    entries = files["entries.ndjson"]
    tree = {"size": len(entries), "root": root_of(entries).hex()}
    head = {"format": FORMAT, "made_at": clock.text(BEGUN), "files": sums} | tree
    return rest | {"head.json": [written(head)]}


def written(row: object) -> str:
    """A row as an archive has it."""
    return canonical_json(row).decode()


def joined(lines: list[str]) -> bytes:
    """Lines as a file holds them."""
    return "".join(f"{line}\n" for line in lines).encode()


def packed(files: Files, path: Path, change: Callable[[tarfile.TarInfo], None] = lambda _member: None) -> Path:
    """Write an archive, each member of which may be changed before."""
    with tarfile.open(path, "w") as tar:
        for name, lines in files.items():
            member, data = tarfile.TarInfo(name), joined(lines)
            member.size = len(data)
            change(member)
            tar.addfile(member, io.BytesIO(data))
    return path


def unpacked(path: Path) -> Files:
    """Read an archive."""
    with tarfile.open(path) as tar:
        return {name: tar.extractfile(name).read().decode().splitlines() for name in tar.getnames()}  # type: ignore[union-attr]


def adopted(log: FormerLog, folder: Path) -> str:
    """Adopt a log in a transaction of its own; returns the id of the record."""
    with transaction():
        return adopting.adopt(packed(log.files(), folder / "former.tar"), [log.key])[0].id
