"""The installation's own secret: one file, from which a key for each purpose is derived.

It seals what must be read again (secrets of code generators, header fields for upstreams) and signs what comes back
from browsers. Whoever loses it must have people set up their code generators anew, and providers their upstreams;
nothing else is lost.
"""

import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from marketplace.kit import secret_files, settings

KEY_BYTES = 32
DISTINCT_BYTES_MIN = 12
"""Fewer different bytes than this, 32 random ones never have."""

_NONCE_BYTES = 12


class InstallationKeyUnusable(Exception):
    """The key file does not hold what it should; the message says how to mend it."""


class Unsealable(Exception):
    """What was to be opened was not sealed by this installation for this purpose."""


def derived(purpose: str) -> bytes:
    """Return the 32-byte key of a purpose (HKDF-SHA256, RFC 5869); the same as long as the installation's key is."""
    return _derived(_secret(), purpose)


def seal(purpose: str, plain: bytes) -> bytes:
    """Encrypt for a purpose (AES-256-GCM): nonce, then ciphertext with its tag."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(derived(purpose)).encrypt(nonce, plain, None)


def unseal(purpose: str, sealed: bytes) -> bytes:
    """Decrypt what ``seal`` made for the same purpose; raises Unsealable."""
    try:
        return AESGCM(derived(purpose)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError) as error:
        raise Unsealable from error


def _secret() -> bytes:
    path = settings.current().installation_key_path
    try:
        stat = path.stat()
    except FileNotFoundError:
        secret_files.create(path, f"{secrets.token_hex(KEY_BYTES)}\n".encode())
        stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=16)
def _read(path: Path, _changed_ns: int, _inode: int) -> bytes:
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise InstallationKeyUnusable(f"{path} holds no hexadecimal key: restore it from a backup") from error
    if len(secret) != KEY_BYTES:
        raise InstallationKeyUnusable(f"{path} holds {len(secret)} bytes instead of {KEY_BYTES}: restore it")
    if len(set(secret)) < DISTINCT_BYTES_MIN:
        raise InstallationKeyUnusable(f"{path} holds a key that nobody made at random: put 32 random bytes there")
    return secret


@lru_cache(maxsize=64)
def _derived(secret: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"musubi {purpose}".encode()).derive(secret)
