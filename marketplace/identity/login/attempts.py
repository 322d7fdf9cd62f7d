"""Attempts: what a sign-in half done has proved so far, and the challenge that waits for its answer, once."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, update

from marketplace.identity import credentials, held
from marketplace.identity.login import rules
from marketplace.identity.login.errors import AttemptOver
from marketplace.identity.login.models import LoginAttempt
from marketplace.identity.login.states import Stage
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

LIFETIME = timedelta(minutes=10)
TOKEN_BYTES = 32
TRIES = 5
ONCE = 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of a sign-in half done."""

    token_sha256: str
    person_id: str | None
    facts: dict[str, Any]
    next_path: str


def begin(stage: Stage, person_id: str | None, facts: dict[str, Any], next_path: str = "/", tries: int = ONCE) -> str:
    """Keep what a sign-in has come to, and return the token under which its browser goes on with it."""
    token, now = secrets.token_urlsafe(TOKEN_BYTES), clock.now()
    db.session.execute(
        insert(LoginAttempt).values(
            token_sha256=credentials.hash_of(token),
            stage=stage.value,
            person_id=person_id,
            facts=facts,
            next_path=rules.safe_path(next_path),
            tries_left=tries,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return token


def spend_try(token: str, stage: Stage) -> Attempt:
    """Take one of an attempt's tries, kept whatever comes of it; raises AttemptOver where none is left.

    Opens a transaction of its own.
    """
    with transaction():
        row = db.session.execute(
            update(LoginAttempt)
            .where(*_open(credentials.hash_of(token), stage), LoginAttempt.tries_left > 0)
            .values(tries_left=LoginAttempt.tries_left - 1)
            .returning(LoginAttempt.token_sha256, LoginAttempt.person_id, LoginAttempt.facts, LoginAttempt.next_path)
        ).first()
    if row is None:
        raise AttemptOver
    return Attempt(*row)


def finish(attempt: Attempt) -> None:
    """Mark an attempt as used in the open transaction; raises AttemptOver for the second of two."""
    unused = (LoginAttempt.token_sha256 == attempt.token_sha256, LoginAttempt.used_at.is_(None))
    used = update(LoginAttempt).where(*unused).values(used_at=clock.now())
    if db.session.execute(used.returning(LoginAttempt.token_sha256)).first() is None:
        raise AttemptOver


def _open(token_sha256: str, stage: Stage) -> tuple[Any, ...]:
    return (
        LoginAttempt.token_sha256 == token_sha256,
        LoginAttempt.stage == stage.value,
        LoginAttempt.used_at.is_(None),
        LoginAttempt.expires_at > clock.now(),
    )


@jobs.task("identity.forget_attempts", cron="*/10 * * * *")
def forget_expired() -> None:
    """Delete attempts that have run out."""
    with transaction():
        over = LoginAttempt.expires_at <= clock.now()
        db.session.execute(delete(LoginAttempt).where(over, ~held.of_person(LoginAttempt.person_id)))
