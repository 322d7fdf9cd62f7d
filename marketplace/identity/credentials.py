"""Secrets: made once, shown once, kept as a hash."""

import hmac
import secrets
import string
import zlib

from marketplace.kit.canonical import sha256_hex

PREFIX = "mk_sk_"
INITIAL_PREFIX = "mk_it_"
REGISTRATION_PREFIX = "mk_rg_"
REFRESH_PREFIX = "mk_rt_"
TICKET_PREFIX = "mk_tk_"
INVITATION_PREFIX = "mk_in_"
EMAIL_LINK_PREFIX = "mk_em_"
JOINING_LINK_PREFIX = "mk_jn_"
PASSWORD_LINK_PREFIX = "mk_pw_"  # noqa: S105 - the beginning of secrets, none itself
SECRET_BYTES = 32
RANDOM_LENGTH = 43
CHECKSUM_LENGTH = 6
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NOBODY_SHA256 = "0" * 64


def new_secret(prefix: str = PREFIX) -> str:
    """Return a secret of 256 random bits, with a prefix and a checksum by which scanners of leaked secrets know it."""
    body = prefix + secrets.token_urlsafe(SECRET_BYTES)
    return body + checksum_of(body)


def checksum_of(body: str) -> str:
    """Return the CRC-32 of what stands before it, as six digits of base 62."""
    rest, digits = zlib.crc32(body.encode("utf-8", "surrogatepass")), ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def is_well_formed(secret: str) -> bool:
    """Tell whether a secret may be one of ours: a mistyped one is known by its checksum, without any look-up.

    Secrets that were handed out before there were checksums are shorter, and pass.
    """
    body, checksum = secret[:-CHECKSUM_LENGTH], secret[-CHECKSUM_LENGTH:]
    if not secret.startswith("mk_") or len(body) != len(PREFIX) + RANDOM_LENGTH:
        return True
    return checksum == checksum_of(body)


def hash_of(secret: str) -> str:
    """Return what is kept of a secret; a plain hash suffices, since 256 random bits cannot be guessed."""
    return sha256_hex(secret.encode("utf-8", "surrogatepass"))


def matches(secret: str, secret_sha256: str | None) -> bool:
    """Compare in constant time; without a known hash the same work is done for nothing."""
    same = hmac.compare_digest(hash_of(secret), secret_sha256 or _NOBODY_SHA256)
    return same and secret_sha256 is not None
