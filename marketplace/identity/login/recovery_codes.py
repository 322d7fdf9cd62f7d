"""Recovery codes: ten that stand in for a lost code generator, each once."""

import secrets

from sqlalchemy import delete, func, insert, select, update

from marketplace.identity import credentials
from marketplace.identity.login.models import RecoveryCode
from marketplace.kit import clock
from marketplace.kit.db import db

COUNT = 10
LENGTH = 24
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Thirty-two signs that nobody takes for one another: 120 random bits in all.

A plain hash can be kept of 112 bits or more (OWASP ASVS V6.5.2).
"""


def renew(person_id: str) -> list[str]:
    """Return ten new codes in groups of four; those before are void."""
    forget(person_id)
    codes = ["".join(secrets.choice(LETTERS) for _ in range(LENGTH)) for _ in range(COUNT)]
    now = clock.now()
    db.session.execute(
        insert(RecoveryCode),
        [{"person_id": person_id, "code_sha256": credentials.hash_of(code), "created_at": now} for code in codes],
    )
    return ["-".join(code[place : place + 4] for place in range(0, LENGTH, 4)) for code in codes]


def spend(person_id: str, code: str) -> bool:
    """Tell whether a code without its hyphens is one of the person's that was not used before; it is used then."""
    unused = (
        RecoveryCode.person_id == person_id,
        RecoveryCode.code_sha256 == credentials.hash_of(code),
        RecoveryCode.used_at.is_(None),
    )
    # Of two that come with the same code at once, the second waits for the first one's row, and finds it used.
    used = update(RecoveryCode).where(*unused).values(used_at=clock.now())
    return db.session.execute(used.returning(RecoveryCode.person_id)).first() is not None


def count_left(person_id: str) -> int:
    """Return how many codes a person has left."""
    left = (RecoveryCode.person_id == person_id, RecoveryCode.used_at.is_(None))
    return db.session.scalar(select(func.count()).select_from(RecoveryCode).where(*left)) or 0


def forget(person_id: str) -> None:
    """Void all codes of a person."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person_id))
