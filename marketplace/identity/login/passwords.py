"""Passwords: argon2id, a few at once, and none that others would guess (NIST SP 800-63B-4 section 3.1.1)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from marketplace.identity.login import rules
from marketplace.identity.login.errors import PasswordRefused
from marketplace.kit import settings
from marketplace.kit.errors import Unavailable

AT_ONCE = 2
"""Each takes 64 MiB and a core; more of them at once would starve all other requests."""

BUSY_RETRY_SECONDS = 2

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1, type=Type.ID)


class Gate:
    """Lets so many through at once and so many wait; a storm of sign-ins must not hold every thread of the server."""

    def __init__(self, at_once: int) -> None:
        self._slots = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._inside = 0
        self._at_once = at_once

    @contextmanager
    def passed(self, waiting_max: int) -> Iterator[None]:
        """Wait for one's turn; raises Unavailable where too many wait already."""
        with self._lock:
            if self._inside >= self._at_once + waiting_max:
                raise Unavailable("Too many people sign in at this moment.", retry_after_seconds=BUSY_RETRY_SECONDS)
            self._inside += 1
        try:
            with self._slots:
                yield
        finally:
            with self._lock:
                self._inside -= 1


_gate = Gate(AT_ONCE)


def checked(password: str, person_words: tuple[str, ...]) -> str:
    """Return a password that somebody chose as it is hashed; raises PasswordRefused.

    ``person_words`` are the person's name and e-mail address.
    """
    normal = rules.normal(password)
    address_parts = (word.partition("@")[0] for word in person_words)
    fault = rules.password_fault(normal, (*person_words, *address_parts), _known())
    if fault is not None:
        raise PasswordRefused(errors=[{"pointer": "/password", "detail": fault}])
    return normal


def hash_of(password: str) -> str:
    """Return what is kept of a checked password; raises Unavailable in a storm."""
    with _gate.passed(_waiting_max()):
        return _hasher.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Compare a password as it was typed; for nobody's (None) the same work is done for nothing.

    Raises Unavailable in a storm.
    """
    normal = rules.normal(password)[: rules.PASSWORD_LENGTH_MAX + 1]
    known = password_hash or _nobody()
    with _gate.passed(_waiting_max()):
        try:
            same = _hasher.verify(known, normal.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
    return same and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Tell whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _waiting_max() -> int:
    return max(4, settings.current().threads // 4)


@cache
def _nobody() -> str:
    """Return the hash of a password that nobody has, with today's parameters."""
    return _hasher.hash("the password of nobody")


@cache
def _known() -> frozenset[str]:
    """Return the most frequent passwords of known breaches that are long enough to be chosen."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    words = FREQUENCY_LISTS["passwords"]
    return frozenset(word for word in words if len(word) >= rules.PASSWORD_LENGTH_MIN)
