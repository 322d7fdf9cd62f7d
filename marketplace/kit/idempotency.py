"""Idempotency keys: one effect and one answer per key (draft-ietf-httpapi-idempotency-key-header-07)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import Model, db
from marketplace.kit.errors import Refusal
from marketplace.kit.transaction import transaction

KEPT_DAYS = 30
KEY_LENGTH_MAX = 255


class IdempotencyKeyMissing(Refusal):
    """A deed that costs or creates came without a key."""

    slug, status = "idempotency-key-missing", 400
    title, title_ja = "Idempotency-Key missing", "Idempotency-Key がありません"
    cause = "This deed costs or creates something, so it must carry an Idempotency-Key header."
    cure = "Send a fresh UUID in Idempotency-Key, and the same one again when you retry."
    cause_ja = "この操作は費用を生じるか何かを作るため、Idempotency-Keyヘッダーが必要です。"
    cure_ja = "Idempotency-Keyに新しいUUIDを付け、再試行では同じ値を送ってください。"


class IdempotencyKeyReused(Refusal):
    """The same key came with another request."""

    slug, status = "idempotency-key-reused", 422
    title, title_ja = "Idempotency-Key reused", "Idempotency-Key が別の要求に使われています"
    cause = "This key was used before with a different request."
    cure = "Use a fresh key for a new deed; repeat the exact request to get its answer again."
    cause_ja = "このキーは、以前に別の要求で使われました。"
    cure_ja = "新しい操作には新しいキーを使ってください。前の応答を得るには、まったく同じ要求を送ってください。"


class IdempotencyRecord(Model):
    """A key, the request it was first sent with, and the answer it got."""

    __tablename__ = "idempotency_record"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    answer: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(index=True)


_CLAIM = insert(IdempotencyRecord).on_conflict_do_nothing().returning(IdempotencyRecord.key)
_KEEP = (
    update(IdempotencyRecord)
    .where(IdempotencyRecord.client_id == bindparam("of_client"), IdempotencyRecord.key == bindparam("of_key"))
    .values(answer=bindparam("answer"))
)


def once(
    client_id: str, key: str | None, request: Any, deed: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """Do the deed under this key, or return the answer it gave before; True means replayed.

    The key row goes in first, in the deed's own transaction: twins wait on the unique index until
    the first one commits or rolls back. Raises IdempotencyKeyMissing or IdempotencyKeyReused.
    """
    if not key or len(key) > KEY_LENGTH_MAX:
        raise IdempotencyKeyMissing(f"Send an Idempotency-Key of 1 to {KEY_LENGTH_MAX} characters.")
    fingerprint = digest_of(request)
    if not _claim(client_id, key, fingerprint):
        return _replay(client_id, key, fingerprint), True
    answer = deed()
    db.session.connection().execute(_KEEP, {"of_client": client_id, "of_key": key, "answer": answer})
    return answer, False


def _claim(client_id: str, key: str, fingerprint: str) -> bool:
    row = {"client_id": client_id, "key": key, "fingerprint": fingerprint, "created_at": clock.now()}
    return db.session.connection().execute(_CLAIM, row).first() is not None


def _replay(client_id: str, key: str, fingerprint: str) -> dict[str, Any]:
    stored = db.session.execute(
        select(IdempotencyRecord.fingerprint, IdempotencyRecord.answer).where(
            IdempotencyRecord.client_id == client_id, IdempotencyRecord.key == key
        )
    ).one()
    if stored.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    return stored.answer or {}


def forget_old(kept: ColumnElement[bool] | None = None) -> None:
    """Drop the keys that are older than 30 days, but those of which ``kept`` holds."""
    over = IdempotencyRecord.created_at < clock.now() - timedelta(days=KEPT_DAYS)
    with transaction():
        db.session.execute(delete(IdempotencyRecord).where(over, *(() if kept is None else (~kept,))))
