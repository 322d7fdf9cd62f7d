"""What a path to go on to, and a password, may look like: pure functions."""

import unicodedata
from collections.abc import Iterable

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 128
PATH_LENGTH_MAX = 4000
CONTEXT_WORDS = frozenset(
    {
        *("musubi", "marketplace", "exchange", "dataexchange", "password", "admin", "administrator"),
        *("operator", "auditor", "provider", "buyer", "結び", "むすび", "取引所", "データ取引所", "パスワード"),
        *("運営", "運営事務局", "監査", "監査人", "提供者", "利用者"),
    }
)
"""What somebody who guesses at this exchange tries first, with digits and signs around it (OWASP ASVS V6.1.2)."""


def safe_path(path: str) -> str:
    """Return a path of this site to go on to after signing in, ``/`` for anything that could lead elsewhere."""
    inside = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if inside and path.isascii() and path.isprintable() and len(path) <= PATH_LENGTH_MAX else "/"


def normal(password: str) -> str:
    """Return a password as it is hashed: NFKC, so that each keyboard types the same (NIST SP 800-63B 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def password_fault(password: str, personal: Iterable[str], known: frozenset[str]) -> str | None:
    """Return what is wrong with a normal password, or None.

    No rules of composition (NIST SP 800-63B section 3.1.1.2): length, lists of what was leaked, and the person's own
    words are all that counts. ``known`` holds lower-case words.
    """
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"must have at least {PASSWORD_LENGTH_MIN} characters"
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"must have at most {PASSWORD_LENGTH_MAX} characters"
    if len(set(password)) < 3:
        return "must not repeat one or two characters"
    if password.lower() in known:
        return "must not be one of the passwords that are tried first"
    return _guessable(password, personal)


def _guessable(password: str, personal: Iterable[str]) -> str | None:
    if _bare(password) in {_bare(word) for word in personal}:
        return "must not be your name or your e-mail address"
    if _letters(password) in CONTEXT_WORDS:
        return "must not be a word of this exchange with signs around it"
    return None


def _letters(word: str) -> str:
    return "".join(character for character in normal(word).casefold() if character.isalpha())


def _bare(word: str) -> str:
    return "".join(character for character in normal(word).casefold() if character.isalnum())
