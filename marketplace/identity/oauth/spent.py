"""Proofs that were used: of several that bring the same one at once, the database lets one through."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from marketplace.identity import credentials
from marketplace.identity.oauth.models import SpentProof
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction


def spend(kind: str, of_whom: str, jti: str, expires_at: datetime) -> bool:
    """Mark a ``jti`` as used until it is worth nothing anyway; returns whether it was new."""
    row = {"key_sha256": credentials.hash_of(f"{kind}\n{of_whom}\n{jti}"), "expires_at": expires_at}
    statement = insert(SpentProof).values(**row).on_conflict_do_nothing().returning(SpentProof.key_sha256)
    return db.session.execute(statement).first() is not None


@jobs.task("identity.forget_proofs", cron="* * * * *")
def forget_expired() -> None:
    """Delete the marks of proofs that have run out."""
    with transaction():
        db.session.execute(delete(SpentProof).where(SpentProof.expires_at <= clock.now()))
