"""The keys that sign access tokens: one PEM file, made when absent (ES256, RFC 7518 section 3.4).

The file may hold several keys: the first signs, the others still verify until the tokens that they
signed have run out. That is how a key is replaced: a new one is put first, the old ones are dropped later.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from marketplace.kit import clock, secret_files, settings

ALGORITHM = "ES256"
GRACE = timedelta(hours=1, minutes=1)
"""No token lives longer than an hour; the minute is for clocks that differ."""

TOKEN_TYPE = "at+jwt"  # noqa: S105 - the media type of RFC 9068 section 2.1, not a secret
_BLOCK = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----\s*", re.DOTALL)


class SigningKeyUnusable(Exception):
    """The signing key file does not hold what it should; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key with the one header segment that tokens signed by it have."""

    key: ECKey
    kid: str
    header: dict[str, str]
    header_segment: str

    def public(self) -> dict[str, Any]:
        """Return the public half as a JWK (RFC 7517 section 4)."""
        return dict(self.key.as_dict(private=False)) | {"kid": self.kid, "use": "sig", "alg": ALGORITHM}


class KeysInUse(Exception):
    """Tokens that older keys signed may still be good."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"tokens that the older keys signed may be good until {clock.text(until)}: prune after that")


class KeyRing:
    """The signing key and those that still verify."""

    def __init__(self, keys: list[SigningKey]) -> None:
        self.signing, *self.retired = keys
        self._by_header = {key.header_segment: key for key in keys}

    def find(self, token: str) -> SigningKey | None:
        """Return the key whose header a token carries to the letter, or None.

        Only our own headers are looked up, so that nothing in a stranger's header (``alg``, ``jwk``,
        ``jku``, ``kid``, ``crit``) is ever parsed or followed.
        """
        return self._by_header.get(token.partition(".")[0])

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public keys as a JWK set (RFC 7517 section 5)."""
        return {"keys": [entry.public() for entry in self._by_header.values()]}


def current() -> KeyRing:
    """Return the keys of this installation, read again when the file has changed; raises SigningKeyUnusable."""
    path = settings.current().signing_key_path
    try:
        stat = path.stat()
    except FileNotFoundError:
        create(path)
        stat = path.stat()
    return _load(path, stat.st_mtime_ns, stat.st_ino)


def create(path: Path) -> None:
    """Write a new key that only the owner may read; of several that try at once, one wins."""
    secret_files.create(path, ECKey.generate_key("P-256").as_pem(private=True))


def rotate() -> SigningKey:
    """Sign with a new key from now on; those before it still verify. Returns the new one; raises SigningKeyUnusable."""
    current()  # made when absent, and refused when unusable
    path = settings.current().signing_key_path
    with secret_files.locked(path):
        fresh: bytes = ECKey.generate_key("P-256").as_pem(private=True)
        secret_files.replace(path, fresh.rstrip() + b"\n" + path.read_bytes())
    return current().signing


def prune() -> list[str]:
    """Drop the keys that sign no more, once every token that they signed has run out; returns their names.

    What they signed last is as old as the file: whoever replaces a key writes it. Raises KeysInUse before that time.
    """
    path = settings.current().signing_key_path
    with secret_files.locked(path):
        ring = current()
        retired = ring.retired
        if not retired:
            return []
        rotated_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if clock.now() < rotated_at + GRACE:
            raise KeysInUse(rotated_at + GRACE)
        secret_files.replace(path, ring.signing.key.as_pem(private=True))
    return [key.kid for key in retired]


@lru_cache(maxsize=16)
def _load(path: Path, _changed_ns: int, _inode: int) -> KeyRing:
    blocks = _BLOCK.findall(path.read_bytes())
    if not blocks:
        raise SigningKeyUnusable(f"{path} holds no private key in PEM: restore it, or delete it to get a new one")
    try:
        return KeyRing([_read(block) for block in blocks])
    except (ValueError, TypeError, JoseError) as error:
        raise SigningKeyUnusable(f"{path} holds a key that is not an unencrypted P-256 key: {error}") from error


def _read(block: bytes) -> SigningKey:
    key = ECKey.import_key(block)
    if key.curve_name != "P-256":
        raise ValueError(f"its curve is {key.curve_name}")
    kid = key.thumbprint()
    header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": kid}
    segment = jws.serialize_compact(header, b"{}", key, [ALGORITHM]).partition(".")[0]
    return SigningKey(key, kid, header, segment)
