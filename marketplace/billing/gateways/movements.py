"""Money that leaves: refunds, and transfers to connected accounts."""

from typing import Any

from marketplace.billing.gateways import readings
from marketplace.billing.gateways.connection import Connection
from marketplace.billing.gateways.reports import RefundReport, TransferReport
from marketplace.kit import money


class Movements(Connection):
    """Sends money back and onward.

    Every call takes the key that was stored with its row before the first attempt: within 24 hours the same
    key moves the money once. After that look with a ``list_`` or ``fetch_`` before asking again. All raise
    GatewayRefused, IdempotencyKeyReused, GatewayObjectMissing, GatewayMisconfigured, GatewayUnavailable.
    """

    def create_refund(
        self,
        *,
        refund_id: str,
        payment_intent_id: str,
        amount_minor: int,
        idempotency_key: str,
        instructions_email: str | None = None,
        currency: str = "JPY",
    ) -> RefundReport:
        """Send back part or all of a payment, labelled with our ``refund_id``.

        ``instructions_email`` is where the gateway asks for a bank account if the method cannot be refunded
        by itself (konbini); ``currency`` that of the payment.
        """
        params: Any = {
            "payment_intent": payment_intent_id,
            "amount": _counted(amount_minor, currency),
            "reason": "requested_by_customer",
            "metadata": {"refund_id": refund_id},
        }
        if instructions_email:
            params["instructions_email"] = instructions_email
        refunds = self._client.v1.refunds
        made = self._ask(lambda: refunds.create(params, {"idempotency_key": idempotency_key}))
        return readings.read_refund(made.to_dict(for_json=True))

    def fetch_refund(self, gateway_refund_id: str) -> RefundReport:
        """Return a refund as the gateway sees it now."""
        found = self._ask(lambda: self._client.v1.refunds.retrieve(gateway_refund_id))
        return readings.read_refund(found.to_dict(for_json=True))

    def list_refunds(self, payment_intent_id: str) -> list[RefundReport]:
        """Return all refunds of one payment, newest first: how to find one whose key is older than 24 hours."""
        refunds = self._client.v1.refunds
        listed = self._pages(refunds.list, {"payment_intent": payment_intent_id})  # type: ignore[arg-type] # a plain dict is what the SDK reads
        return [readings.read_refund(refund) for refund in listed]

    def create_transfer(
        self,
        *,
        transfer_id: str,
        destination: str,
        amount_minor: int,
        idempotency_key: str,
        source_charge_id: str | None = None,
        group: str | None = None,
        currency: str = "JPY",
    ) -> TransferReport:
        """Move money from our balance to a connected account, labelled with our ``transfer_id``."""
        params: Any = {
            "amount": _counted(amount_minor, currency),
            "currency": currency.lower(),
            "destination": destination,
            "metadata": {"transfer_id": transfer_id},
        }
        params |= {"source_transaction": source_charge_id} if source_charge_id else {}
        params |= {"transfer_group": group} if group else {}
        transfers = self._client.v1.transfers
        made = self._ask(lambda: transfers.create(params, {"idempotency_key": idempotency_key}))
        return readings.read_transfer(made.to_dict(for_json=True))

    def fetch_transfer(self, gateway_transfer_id: str) -> TransferReport:
        """Return a transfer as the gateway sees it now."""
        found = self._ask(lambda: self._client.v1.transfers.retrieve(gateway_transfer_id))
        return readings.read_transfer(found.to_dict(for_json=True))

    def list_transfers(self, *, destination: str) -> list[TransferReport]:
        """Return all transfers to one connected account, newest first."""
        transfers = self._client.v1.transfers
        listed = self._pages(transfers.list, {"destination": destination})  # type: ignore[arg-type] # a plain dict is what the SDK reads
        return [readings.read_transfer(transfer) for transfer in listed]


def _counted(amount_minor: int, currency: str) -> int:
    """Return an amount as the gateway counts it."""
    if isinstance(amount_minor, bool) or not isinstance(amount_minor, int) or amount_minor <= 0:
        raise ValueError(f"money moves in positive whole minor units: {amount_minor!r}")
    return money.to_gateway(amount_minor, currency)
