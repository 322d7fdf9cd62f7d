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
    """Return ``prefix_`` and 32 hex digits, of which the first 12 are the Unix time in ms."""
    milliseconds = time.time_ns() // 1_000_000
    tail = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (tail >> 62) << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    return f"{prefix}_{value:032x}"
