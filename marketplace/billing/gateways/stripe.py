"""Stripe, whole: pages, movements of money, and what it reports by itself."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from marketplace.billing.errors import WebhookForged, WebhookStale, WrongLivemode
from marketplace.billing.gateways import readings, wire
from marketplace.billing.gateways.connection import within_process
from marketplace.billing.gateways.movements import Movements
from marketplace.billing.gateways.pages import Pages
from marketplace.billing.gateways.reports import BalanceTransaction, DisputeReport, UnreadableMovement
from marketplace.kit import clock

__all__ = ["StripeGateway", "within_process"]

TOLERANCE_SECONDS = 300


class StripeGateway(Pages, Movements):
    """Opens and reads payment pages, moves money, verifies webhooks, lists events and the balance."""

    def fetch_dispute(self, dispute_id: str) -> DisputeReport:
        """Return a dispute as the gateway sees it now, with what it moved so far.

        Raises GatewayObjectMissing, GatewayMisconfigured, GatewayUnavailable.
        """
        found = self._ask(lambda: self._client.v1.disputes.retrieve(dispute_id))
        return readings.read_dispute(found.to_dict(for_json=True))

    def list_balance_transactions(self, since: datetime) -> Iterator[BalanceTransaction | UnreadableMovement]:
        """Return what moved our balance since then, newest first, each with the names of its cause.

        Raises GatewayMisconfigured, GatewayUnavailable.
        """
        listed = self._pages(
            self._client.v1.balance_transactions.list,  # type: ignore[arg-type] # a plain dict is what the SDK reads
            {"created": {"gte": int(since.timestamp())}, "expand": ["data.source"]},
        )
        return (readings.read_movement(movement) for movement in listed)

    def verify_event(self, raw_body: bytes, signature: str | None) -> dict[str, Any]:
        """Return the event that these exact bytes carry, if one of our secrets signed them just now.

        Raises WebhookForged, WebhookStale (more than 300 s old or ahead), WebhookMalformed, WrongLivemode.
        """
        body = self._signed_body(raw_body, signature or "")
        if body is None:
            raise WebhookForged
        signed_at = int(next(part for part in (signature or "").split(",") if part.startswith("t="))[2:])
        if abs(clock.now().timestamp() - signed_at) > TOLERANCE_SECONDS:
            raise WebhookStale
        return self._of_our_mode(wire.parse_event(body))

    def list_events(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Return the events created since then, newest first, for the same inbox; Stripe keeps 30 days.

        Raises GatewayMisconfigured, GatewayUnavailable, WrongLivemode.
        """
        listed = self._pages(
            self._client.v1.events.list,  # type: ignore[arg-type] # a plain dict is what the SDK reads
            {"created": {"gte": int(since.timestamp())}},
        )
        return (self._of_our_mode(wire.checked_event(event)) for event in listed)

    def _of_our_mode(self, event: dict[str, Any]) -> dict[str, Any]:
        if event["livemode"] is not self._live:
            raise WrongLivemode
        return event
