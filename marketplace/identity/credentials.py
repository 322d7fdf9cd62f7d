"""Client secrets: made once, shown once, kept as a hash."""

import hmac
import secrets

from marketplace.kit.canonical import sha256_hex

PREFIX = "mk_sk_"
_NOBODY_SHA256 = "0" * 64


def new_secret() -> str:
    """Return a secret of 256 random bits with a prefix that secret scanners find."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return what is kept of a secret; a plain hash suffices, since 256 random bits cannot be guessed."""
    return sha256_hex(secret.encode("utf-8", "surrogatepass"))


def matches(secret: str, secret_sha256: str | None) -> bool:
    """Compare in constant time; without a known hash the same work is done for nothing."""
    same = hmac.compare_digest(hash_of(secret), secret_sha256 or _NOBODY_SHA256)
    return same and secret_sha256 is not None
