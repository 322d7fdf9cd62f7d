"""Comparing what arrives with the digest that its sender announced. Hashes only; no I/O."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from marketplace.delivery.errors import ChecksumMismatch, DigestMismatch

ALGORITHMS = ("sha1", "sha256")


@dataclass(frozen=True, slots=True)
class Announced:
    """A digest that a sender announces of one body, and the refusal when other bytes come."""

    algorithm: str
    digest: bytes
    refusal: type[ChecksumMismatch] | type[DigestMismatch]


def checked(chunks: Iterable[bytes], announced: Announced) -> Iterator[bytes]:
    """Yield what comes, and raise the refusal after the last of it where the digest is another."""
    found = hashlib.new(announced.algorithm, usedforsecurity=False)
    for chunk in chunks:
        found.update(chunk)
        yield chunk
    if found.digest() != announced.digest:
        raise announced.refusal(f"The bytes that arrived have the {announced.algorithm} {found.hexdigest()}.")
