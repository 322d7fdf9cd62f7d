"""Time-ordered ids with a readable prefix (UUIDv7, RFC 9562 section 5.7)."""

import re
import secrets
import time

STEM_LENGTH = 16
"""So many of the 32 digits say the moment to the millisecond, and twelve bits of chance."""

ID_PATTERN = re.compile(r"[a-z]{2,4}_[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Tell whether a text has the form of an id; the database is not asked about anything else."""
    return ID_PATTERN.fullmatch(text) is not None


def new_id(prefix: str) -> str:
    """Return ``prefix_`` and 32 hex digits: the Unix time in ms, its next 12 bits, and 62 random bits.

    Ids that one process makes one after the other are in that order (RFC 9562 section 6.2, method 3), also within a
    millisecond, so that what is listed by id is listed by age.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    return f"{prefix}_{value:032x}"
