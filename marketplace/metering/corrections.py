"""Corrections: what is added to the usage of a delivery, or taken off, as an event of its own beside it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, text

from marketplace.access.errors import ReasonMissing
from marketplace.access.rules import checked_reason
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.ids import new_id
from marketplace.metering import quotas
from marketplace.metering.errors import (
    CorrectionContradicted,
    CorrectionTooLarge,
    DeliveryStillOpen,
    UsagePutAside,
)
from marketplace.metering.models import Delivery, UsageEvent

_LOCK = text("SELECT FROM delivery WHERE id = :delivery_id FOR UPDATE")
_SOFAR = text("""
SELECT k.event_id, k.occurred_at, count(e.id) AS events, coalesce(sum(e.bytes_new), 0) AS bytes,
       coalesce(sum(e.rows_new), 0) AS rows, coalesce(sum(e.requests), 0) AS requests,
       coalesce(sum(e.downloads_new), 0) AS downloads
  FROM usage_key k
  LEFT JOIN usage_event e ON e.grant_id = :grant_id AND e.occurred_at = k.occurred_at AND e.delivery_id = k.delivery_id
 WHERE k.delivery_id = :delivery_id AND k.reference = ''
 GROUP BY k.event_id, k.occurred_at
""")
# What it is added to has the same instant: it falls into the same month, hour and settlement.
_KEEP = text("""
INSERT INTO usage_event (id, delivery_id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
                         occurred_at, bytes_new, bytes_acked, rows_new, requests, downloads_new,
                         corrects_event_id, reference, reason, corrected_at)
SELECT :id, id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
       :occurred_at, :bytes, 0, :rows, :requests, :downloads, :event_id, :reference, :reason, :now
  FROM delivery WHERE id = :delivery_id
""")


@dataclass(frozen=True, slots=True)
class Correction:
    """What to add to the usage of a delivery, below zero to take off; ``reference`` names it among those of it."""

    reference: str
    reason: str
    bytes: int = 0
    rows: int = 0
    requests: int = 0
    downloads: int = 0

    @property
    def news(self) -> dict[str, int]:
        """What it changes, by what is counted."""
        return {"bytes": self.bytes, "rows": self.rows, "requests": self.requests, "downloads": self.downloads}


class Corrected(NamedTuple):
    """The event that a correction is kept as, and whether it is new or was taken before."""

    event: UsageEvent
    is_new: bool


def correct(actor: Actor, delivery: Delivery, correction: Correction) -> Corrected:
    """Add a correction to the usage of a delivery that has ended, to its quota and to the record, once.

    It has the instant of what it corrects: settlement takes it up with that month, as an adjustment where that was
    billed. What has been received stays free of charge. Raises Invalid, DeliveryStillOpen, UsagePutAside,
    CorrectionContradicted, CorrectionTooLarge and QuotaExhausted.
    """
    reason = _checked(correction.reason)
    if not any(correction.news.values()):
        raise Invalid(errors=[{"pointer": "", "detail": "must add or take off bytes, rows, requests or downloads"}])
    named = {"delivery_id": delivery.id, "grant_id": delivery.grant_id}
    db.session.execute(_LOCK, named)
    sofar = db.session.execute(_SOFAR, named).one_or_none()
    if sofar is None:
        raise DeliveryStillOpen
    if (known := _find(delivery, sofar.occurred_at, correction.reference)) is not None:
        return Corrected(_same(known, correction, reason), is_new=False)
    _require_fit(sofar, correction)
    quotas.adjust(delivery.grant_id, correction.news)
    facts = {"id": new_id("use"), "reference": correction.reference, "reason": reason, "now": clock.now()}
    corrected = {"event_id": sofar.event_id, "occurred_at": sofar.occurred_at}
    db.session.execute(_KEEP, named | facts | corrected | correction.news)
    _record(actor, delivery, facts | corrected, correction)
    return Corrected(db.session.get_one(UsageEvent, facts["id"]), is_new=True)


def _checked(reason: str) -> str:
    try:
        return checked_reason(reason)
    except ReasonMissing as missing:  # which is worded for a revocation
        raise Invalid(errors=missing.errors) from missing


def _find(delivery: Delivery, at: datetime, reference: str) -> UsageEvent | None:
    of_delivery = {"grant_id": delivery.grant_id, "occurred_at": at, "delivery_id": delivery.id, "reference": reference}
    return db.session.query(UsageEvent).filter_by(**of_delivery).one_or_none()


def _same(known: UsageEvent, correction: Correction, reason: str) -> UsageEvent:
    kept = {
        "bytes": known.bytes_new,
        "rows": known.rows_new,
        "requests": known.requests,
        "downloads": known.downloads_new,
    }
    if (kept, known.reason) != (correction.news, reason):
        raise CorrectionContradicted
    return known


def _require_fit(sofar: Row[Any], correction: Correction) -> None:
    if not sofar.events:
        raise UsagePutAside
    left: dict[str, Any] = {name: int(getattr(sofar, name)) for name in correction.news}
    after = {name: left[name] + more for name, more in correction.news.items()}
    if min(after.values()) < 0 or max(after["requests"], after["downloads"]) > 1:
        told = ", ".join(f"{count} {name}" for name, count in left.items())
        raise CorrectionTooLarge(f"The delivery comes to {told} so far.", **left)


def _record(actor: Actor, delivery: Delivery, kept: dict[str, Any], correction: Correction) -> None:
    facts = {
        "grant_id": delivery.grant_id,
        "usage_event_id": kept["id"],
        "corrects_event_id": kept["event_id"],
        "reference": correction.reference,
        # People write names into reasons: the record keeps their hash.
        "reason_sha256": sha256_hex(kept["reason"].encode()),
    }
    audit.record(
        actor,
        Verb.USAGE_CORRECTED,
        subject=delivery.id,
        counterparty=delivery.organization_id,
        dataset=delivery.dataset_id,
        facts=facts | correction.news,
    )
