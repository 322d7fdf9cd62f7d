"""Signed notes: text under the signatures of named keys (C2SP signed-note, tlog-checkpoint and tlog-cosignature). Pure.

Other people's programs read them: Go's ``sumdb/note``, and whatever watches transparency logs.
"""

import base64
import binascii
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from marketplace.kit import addresses

SIGNATURE, COSIGNATURE = 1, 4
"""The types of signature (C2SP signed-note): Ed25519 over the text, and with the time at which a witness saw it."""

SIGNATURES_MAX = 100
NOTE_BYTES_MAX = 2**20
_DASH = "\u2014 "
_ID_BYTES, _TIME_BYTES, _SIGNED_BYTES, _PUBLIC_BYTES = 4, 8, 64, 32
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_ROOT_BYTES = 32


class BadNote(ValueError):
    """What is no signed note, or not under the signature of a key that is known."""


class BadKey(ValueError):
    """What is no key of a verifier."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name under which it signs."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """Return the four bytes by which its signatures are told apart."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public).digest()[:_ID_BYTES]

    @property
    def text(self) -> str:
        """Return it as people pass it on: name, id and key."""
        return f"{self.name}+{self.id.hex()}+{_b64(bytes([self.kind]) + self.public)}"

    def signed_at(self, text: str, value: bytes) -> int | None:
        """Return when a witness says it saw the text, None for a plain signature; raises BadNote."""
        signed, at = text, None
        if self.kind == COSIGNATURE:
            at, value = int.from_bytes(value[:_TIME_BYTES]), value[_TIME_BYTES:]
            signed = _cosigned(text, at)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, signed.encode())
        except InvalidSignature as error:
            raise BadNote(f"the signature of {self.name} is not of this text") from error
        return at


class Signature(NamedTuple):
    """One signature line of a note: whose, and what the key made."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """Return it as a line of a note."""
        return f"{_DASH}{self.name} {_b64(self.key_id + self.value)}\n"


class Note(NamedTuple):
    """A text, which ends with a newline, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    @property
    def written(self) -> str:
        """Return the whole note."""
        return f"{self.text}\n" + "".join(one.line for one in self.signatures)


class Checkpoint(NamedTuple):
    """What a log says of itself (C2SP tlog-checkpoint): its name, how many leaves, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


def is_name(name: str) -> bool:
    """Whether a key may have this name: no spaces, no plus, no control characters."""
    return bool(name) and not any(one == "+" or one.isspace() or unicodedata.category(one) == "Cc" for one in name)


def key_of(name: str, private: Ed25519PrivateKey, kind: int = SIGNATURE) -> VerifierKey:
    """Return what verifies the signatures of a private key."""
    return VerifierKey(name, kind, private.public_key().public_bytes_raw())


def pem_of(private: Ed25519PrivateKey) -> bytes:
    """Return a private key as the files of logs and witnesses hold it: PEM of PKCS #8 (RFC 5958), not encrypted."""
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(text: str) -> VerifierKey:
    """Read a key as people pass it on; raises BadKey."""
    try:
        name, key_id, encoded = text.strip().split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadKey("a key reads NAME+ID+KEY") from error
    if not is_name(name) or len(raw) != 1 + _PUBLIC_BYTES or raw[0] not in {SIGNATURE, COSIGNATURE}:
        raise BadKey("only Ed25519 keys of logs and of witnesses are known")
    key = VerifierKey(name, raw[0], raw[1:])
    if key.id.hex() != key_id:
        raise BadKey(f"the key of {name} has the id {key.id.hex()}, not {key_id}")
    return key


def read_witness(text: str) -> tuple[str, VerifierKey]:
    """Read where a witness is asked and the key it signs with, ``ADDRESS VKEY``; raises BadKey."""
    address, _, key_text = text.strip().partition(" ")
    key = read_key(key_text)
    if key.kind != COSIGNATURE or not (address.startswith("https://") or addresses.is_loopback(address)):
        raise BadKey("a witness is asked over https, and signs with a key of its own kind")
    return address.rstrip("/"), key


def sign(name: str, private: Ed25519PrivateKey, text: str) -> Signature:
    """Sign a text as the log that has this name."""
    return Signature(name, key_of(name, private).id, private.sign(text.encode()))


def cosign(name: str, private: Ed25519PrivateKey, text: str, at: int) -> Signature:
    """Sign a checkpoint as a witness that saw it at a POSIX time."""
    value = at.to_bytes(_TIME_BYTES) + private.sign(_cosigned(text, at).encode())
    return Signature(name, key_of(name, private, COSIGNATURE).id, value)


def read(written: str) -> Note:
    """Read a signed note, believing nothing of it yet; raises BadNote."""
    if len(written) > NOTE_BYTES_MAX or any(ord(one) < ord(" ") and one != "\n" for one in written):
        raise BadNote("a note is short text without control characters")
    text, blank, lines = written.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise BadNote("a note ends with an empty line and its signatures")
    signatures = tuple(_signature(line) for line in lines.removesuffix("\n").split("\n"))
    if len(signatures) > SIGNATURES_MAX:
        raise BadNote(f"a note has at most {SIGNATURES_MAX} signatures")
    return Note(f"{text}\n", signatures)


def read_signatures(lines: str) -> tuple[Signature, ...]:
    """Read the signature lines that a witness answers with; raises BadNote."""
    return read(f"\n\n{lines}").signatures


def read_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint; raises BadNote."""
    origin, size, root, *_more = [*text.split("\n"), "", ""]
    try:
        hashed = base64.b64decode(root, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadNote("a checkpoint has its root in its third line") from error
    if not origin or not _SIZE.fullmatch(size) or len(hashed) != _ROOT_BYTES:
        raise BadNote("a checkpoint says its origin, its size and its root, a line each")
    return Checkpoint(origin, int(size), hashed)


def verified(note: Note, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int | None]:
    """Return which of these keys have signed, and when witnesses say they did.

    Signatures of others are passed over. Raises BadNote for one of these keys that is not of the text.
    """
    known = {(key.name, key.id): key for key in keys}
    found = [(known.get((one.name, one.key_id)), one.value) for one in note.signatures]
    return {key: key.signed_at(note.text, value) for key, value in found if key is not None}


def opened(written: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Read a checkpoint under the signature of at least one of these keys; raises BadNote."""
    note = read(written)
    if not verified(note, keys):
        raise BadNote("none of the known keys has signed it")
    return read_checkpoint(note.text)


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.rpartition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadNote("a signature line reads: dash, name, signature") from error
    if f"{dash} " != _DASH or not is_name(name) or len(raw) <= _ID_BYTES:
        raise BadNote("a signature line reads: dash, name, signature")
    return Signature(name, raw[:_ID_BYTES], raw[_ID_BYTES:])


def _cosigned(text: str, at: int) -> str:
    return f"cosignature/v1\ntime {at}\n{text}"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
