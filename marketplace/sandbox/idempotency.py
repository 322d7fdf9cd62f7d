"""Idempotency keys as Stripe keeps them (https://docs.stripe.com/api/idempotent_requests)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from sqlalchemy import delete, func, select

from marketplace.kit.db import db
from marketplace.sandbox.models import SandboxIdempotency
from marketplace.sandbox.wire import WireError

KEPT = timedelta(hours=24)
KEY_LENGTH_MAX = 255
_LOCK_SEED = 0x73616E64  # "sand": apart from other advisory locks of this database


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and JSON body; ``original_request_id`` is set when it was given before."""

    status: int
    body: str
    original_request_id: str | None = None


def once(key: str | None, fingerprint: str, request_id: str, now: datetime, deed: Callable[[], Answer]) -> Answer:
    """Do the deed and keep its answer in the open transaction, or return the answer kept before.

    Raises WireError: 409 while a twin is at work, 400 when the key came with another request before.
    A deed that raises leaves nothing behind, so its key can be used again; a 500 that it returns is kept.
    """
    if key is None:
        return deed()
    _check(key)
    _lock(key)
    kept = _kept(key, now)
    if kept is None:
        answer = deed()
        _keep(key, fingerprint, request_id, answer, now)
        return answer
    if kept.fingerprint != fingerprint:
        message = (
            "Keys for idempotent requests can only be used with the same parameters they were first used with."
            f" Try using a key other than '{key}' if you meant to execute a different request."
        )
        raise WireError(message, kind="idempotency_error")
    return Answer(kept.status, kept.body, kept.request_id)


def _check(key: str) -> None:
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise WireError("Idempotency-Key must be 1 to 255 printable characters.", kind="idempotency_error")


def _lock(key: str) -> None:
    # Held until the transaction ends, also when its process dies: no key can stay in flight for ever.
    lock = func.pg_try_advisory_xact_lock(func.hashtextextended(key, _LOCK_SEED))
    if not db.session.execute(select(lock)).scalar_one():
        message = f"There is currently another in-progress request using the Idempotency-Key '{key}'."
        raise WireError(message, status=HTTPStatus.CONFLICT, kind="idempotency_error", code="idempotency_key_in_use")


def _kept(key: str, now: datetime) -> SandboxIdempotency | None:
    db.session.execute(
        delete(SandboxIdempotency).where(SandboxIdempotency.key == key, SandboxIdempotency.created_at <= now - KEPT)
    )
    return db.session.execute(select(SandboxIdempotency).where(SandboxIdempotency.key == key)).scalar_one_or_none()


def _keep(key: str, fingerprint: str, request_id: str, answer: Answer, now: datetime) -> None:
    db.session.add(
        SandboxIdempotency(
            key=key,
            fingerprint=fingerprint,
            request_id=request_id,
            status=answer.status,
            body=answer.body,
            created_at=now,
        )
    )
    db.session.flush()
