"""Canonical JSON (RFC 8785) and the hashes that name things."""

import hashlib
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """Return the RFC 8785 form; integers beyond 2**53 and non-JSON values raise ``rfc8785`` errors."""
    return rfc8785.dumps(value)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of the bytes as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """Return the SHA-256 of the canonical form: the name of a value."""
    return sha256_hex(canonical_json(value))
