"""What the client says, in the language of the terminal (POSIX locale variables)."""

import os
from decimal import Decimal

from marketplace.kit.language import Language

UNITS = ("KiB", "MiB", "GiB", "TiB")
STEP = 1024
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts (POSIX.1-2017 section 8.2)


def language() -> Language:
    """Return Japanese where the locale says so, else English."""
    chosen = next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), "")
    return "ja" if chosen.lower().startswith("ja") else "en"


def say(ja: str, en: str) -> str:
    """Return a sentence in the reader's language."""
    return ja if language() == "ja" else en


def told(thing: dict[str, object], name: str) -> str:
    """Return a member that a document has in both languages, such as ``title``, in the reader's."""
    return plain(str(thing.get(f"{name}_{language()}") or ""))


def plain(text: str) -> str:
    """Return a stranger's text without what would steer the terminal: control and direction characters."""
    return "".join(one if one == "\n" or one.isprintable() else " " for one in text)


def yen(amount_yen: int) -> str:
    """Return an amount of yen."""
    return say(f"{amount_yen:,}円", f"¥{amount_yen:,}")


def size(size_bytes: int) -> str:
    """Return a number of bytes with at most one decimal, in binary units."""
    if size_bytes < STEP:
        return say(f"{size_bytes:,} バイト", f"{size_bytes:,} bytes")
    power = min((size_bytes.bit_length() - 1) // 10, len(UNITS))
    return f"{(Decimal(size_bytes) / STEP**power).quantize(Decimal('0.1')):,} {UNITS[power - 1]}"
