"""Events: written with their object, owed to the webhook in the same transaction, listed for pollers."""

from datetime import datetime
from typing import Any

from marketplace.kit import ids, jobs
from marketplace.kit.db import db
from marketplace.sandbox import wire
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.models import SandboxDelivery, SandboxEvent

DELIVER = "sandbox.deliver"


class Recorder:
    """Writes the events of one story, in order, and wakes the sender once it is committed.

    ``config`` is the sandbox it plays in, ``now`` the moment at which everything in the story happens.
    """

    def __init__(self, config: SandboxConfig, now: datetime, request: dict[str, str | None] | None = None) -> None:
        self.config = config
        self.now = now
        self._request = request or {"id": None, "idempotency_key": None}
        self._woken = False

    def record(self, kind: str, document: dict[str, Any], previous: dict[str, Any] | None = None) -> None:
        """Write one event with a snapshot of the object, and its outbox row if a webhook is configured."""
        event = self._event(kind, document, previous)
        db.session.add(SandboxEvent(id=event["id"], type=kind, document=event, created_at=self.now))
        db.session.flush()
        if self.config.webhook_url:
            self._owe(event["id"])

    def _event(self, kind: str, document: dict[str, Any], previous: dict[str, Any] | None) -> dict[str, Any]:
        data: dict[str, Any] = {"object": document}
        return {
            "id": wire.new_id("evt_3" if kind.startswith(("payment_intent", "charge")) else "evt_1"),
            "object": "event",
            "api_version": wire.API_VERSION,
            "created": int(self.now.timestamp()),
            "data": data | ({"previous_attributes": previous} if previous is not None else {}),
            "livemode": False,
            "pending_webhooks": 0,
            "request": self._request,
            "type": kind,
        }

    def _owe(self, event_id: str) -> None:
        db.session.add(
            SandboxDelivery(
                id=ids.new_id("swd"),
                event_id=event_id,
                state="pending",
                attempts=0,
                due_at=self.now,
                created_at=self.now,
            )
        )
        db.session.flush()
        if not self._woken:
            jobs.enqueue(DELIVER)
            self._woken = True


def rendered(document: dict[str, Any], pending_webhooks: int) -> dict[str, Any]:
    """Return an event as it is answered or sent: with the number of endpoints still owed it."""
    return {**document, "pending_webhooks": pending_webhooks}
