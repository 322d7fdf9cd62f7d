"""Commitments to personal data: the record holds a keyed hash, its key lies apart, and deleting the key is erasure.

An entry says HMAC-SHA256(salt, fields) (RFC 2104), the fields as RFC 8785 text. As long as the salt is there, whoever
has the fields can show that the entry spoke of them. Without it nobody can even try out guesses, and the leaf, its
proofs and the root stay what they were.
"""

import hashlib
import hmac
import secrets

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit.keeping_models import Salt
from marketplace.kit import clock
from marketplace.kit.canonical import canonical_json
from marketplace.kit.db import db

SALT_BYTES = 32


def commitment_to(subject: str, fields: dict[str, str | None]) -> str:
    """Return the commitment to somebody's personal fields, in hexadecimal, for the facts of an entry about them."""
    row = {"subject": subject, "salt": secrets.token_bytes(SALT_BYTES), "created_at": clock.now()}
    db.session.execute(insert(Salt).values(row).on_conflict_do_nothing())
    return _mac(db.session.scalars(select(Salt.salt).where(Salt.subject == subject)).one(), fields)


def matches(subject: str, fields: dict[str, str | None], commitment: str) -> bool | None:
    """Tell whether an entry spoke of these fields; None once the salt was deleted, when nobody can tell."""
    salt = db.session.scalar(select(Salt.salt).where(Salt.subject == subject))
    return None if salt is None else hmac.compare_digest(_mac(salt, fields), commitment)


def erase(subject: str) -> bool:
    """Delete the salt of somebody's commitments for good; True if there was one. The caller records the erasure."""
    gone = delete(Salt).where(Salt.subject == subject).returning(Salt.subject)
    return db.session.scalar(gone, execution_options={"synchronize_session": False}) is not None


def _mac(salt: bytes, fields: dict[str, str | None]) -> str:
    return hmac.new(salt, canonical_json(fields), hashlib.sha256).hexdigest()
