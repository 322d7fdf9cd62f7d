"""Receipts: what became of a delivery, under the signature of the exchange, for both of its parties."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.identity.oauth import keys, statements
from marketplace.identity.oauth.statements import Statement
from marketplace.kit import clock, merkle, settings
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import UtcDateTime, db
from marketplace.metering import queries
from marketplace.metering.errors import DeliveryStillOpen
from marketplace.metering.receipt_models import Receipt, ReceiptKey
from marketplace.metering.states import DeliveryState

MEDIA_TYPE = "musubi-receipt+jwt"
VERSION = 1
# Every one of these facts is final: a closed delivery, its usage event and its entry in the record never change, nor
# does what a grant was given for. So a receipt says the same whenever it is signed.
_FACTS = text("""
SELECT d.*, u.id AS usage_event_id, u.bytes_new, u.rows_new, u.requests, u.downloads_new, g.order_id, g.terms_sha256,
       f.name AS file_name, f.sha256 AS file_sha256, e.id AS entry_id, e.canonical, l.position
  FROM delivery d
  JOIN usage_event u ON u.delivery_id = d.id AND u.corrects_event_id IS NULL
  JOIN access_grant g ON g.id = d.grant_id
  JOIN file f ON f.id = d.file_id
  JOIN audit_entry e ON e.subject = d.id AND e.verb = :verb
  LEFT JOIN audit_leaf l ON l.entry_id = e.id
 WHERE d.id = :id
""").columns(opened_at=UtcDateTime, closed_at=UtcDateTime)
_PARTS = (
    "order_id", "grant_id", "dataset_id", "release_id", "file_id", "file_name", "file_sha256", "terms_sha256",
    "state", "usage_event_id",
)  # fmt: skip


def get_receipt(actor: Actor, delivery_id: str) -> Receipt:
    """Return the receipt of a delivery, signed when it is asked for first and kept from then on.

    Raises NotFound to all but its two parties and overseers, and DeliveryStillOpen.
    """
    delivery = queries.get_delivery(actor, delivery_id)
    if delivery.state == DeliveryState.OPEN:
        raise DeliveryStillOpen
    return db.session.get(Receipt, delivery.id) or _sign(actor, delivery.id)


def key_set() -> dict[str, list[dict[str, Any]]]:
    """Return every key that has signed receipts, and those that may sign next, as a JWK set (RFC 7517 section 5)."""
    kept = {key.kid: key.jwk for key in db.session.scalars(select(ReceiptKey).order_by(ReceiptKey.first_used_at))}
    present = {str(jwk["kid"]): jwk for jwk in keys.current().jwks()["keys"]}
    return {"keys": list((present | kept).values())}


def _sign(actor: Actor, delivery_id: str) -> Receipt:
    row = db.session.execute(_FACTS, {"id": delivery_id, "verb": Verb.DELIVERY_CLOSED.value}).one()
    now = clock.now()
    statement = statements.sign(MEDIA_TYPE, _claims(row, now))
    if _keep(delivery_id, statement, now):
        facts = {"kid": statement.kid, "receipt_sha256": sha256_hex(statement.text.encode())}
        parties = {"counterparty": row.provider_organization_id, "dataset": row.dataset_id}
        audit.record(actor, Verb.RECEIPT_SIGNED, subject=delivery_id, facts=facts, **parties)
    # Of two that ask at once, both get the one that is kept.
    return db.session.get_one(Receipt, delivery_id)


def _keep(delivery_id: str, statement: Statement, now: datetime) -> bool:
    key = {"kid": statement.kid, "jwk": statement.jwk, "first_used_at": now}
    db.session.execute(postgresql.insert(ReceiptKey).values(key).on_conflict_do_nothing())
    receipt = {"delivery_id": delivery_id, "kid": statement.kid, "signed_at": now, "jws": statement.text}
    kept = postgresql.insert(Receipt).values(receipt).on_conflict_do_nothing().returning(Receipt.delivery_id)
    return db.session.scalar(kept) is not None


def _claims(row: Row[Any], now: datetime) -> dict[str, Any]:
    """Return what a receipt says (RFC 7519 section 4.1 for the first three); instants are UTC."""
    return {
        "iss": settings.current().base_url,
        "iat": int(now.timestamp()),
        "jti": row.id,
        "version": VERSION,
        "buyer_organization_id": row.organization_id,
        "provider_organization_id": row.provider_organization_id,
        **{name: getattr(row, name) for name in _PARTS},
        "content": {"sha256": row.sha256, "size_bytes": row.content_bytes},
        "range": {"start_byte": row.start_byte, "length": row.length, "bytes_acked": row.bytes_acked},
        "counted": {name: getattr(row, name) for name in ("bytes_new", "rows_new", "requests", "downloads_new")},
        "opened_at": clock.text(row.opened_at),
        "closed_at": clock.text(row.closed_at),
        "record": _place(row),
    }


def _place(row: Row[Any]) -> dict[str, Any]:
    # The leaf's hash names the entry and all it says, also before the entry has its place in the tree.
    leaf = {"entry_id": row.entry_id, "leaf_sha256": merkle.leaf_hash(row.canonical.encode()).hex()}
    return leaf if row.position is None else leaf | {"position": row.position}
