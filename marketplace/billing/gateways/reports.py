"""What a gateway tells us of refunds, disputes, transfers and its own balance, in our words; knows no gateway.

Amounts are in minor units of ISO 4217 and positive unless said otherwise, currencies in capitals. ``labels`` are
the names that we gave the object when we made it, such as ``refund_id``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RefundReport:
    """A refund as the gateway sees it now.

    ``status`` is pending, requires_action, succeeded, failed or canceled. A refund that failed after it had
    succeeded has a second balance transaction, which brings the money back.
    """

    refund_id: str
    payment_intent_id: str | None
    charge_id: str | None
    amount_minor: int
    currency: str
    status: str
    failure_reason: str | None = None
    balance_transaction_id: str | None = None
    failure_balance_transaction_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransferReport:
    """A transfer to a provider's connected account as the gateway sees it now."""

    transfer_id: str
    destination: str
    amount_minor: int
    amount_reversed_minor: int
    currency: str
    group: str | None = None
    balance_transaction_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """One movement of our balance at the gateway: ``net_minor`` is ``amount_minor`` less ``fee_minor``.

    Amounts are signed: positive comes to us. ``names`` are the gateway's ids of what caused it (the source, its
    charge, payment intent or transfer), ``labels`` those that we gave it.
    """

    transaction_id: str
    type: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    created_at: datetime
    available_at: datetime
    source_id: str | None = None
    names: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnreadableMovement:
    """A movement of our balance whose amounts are none that can be booked; ``trouble`` says which."""

    transaction_id: str
    type: str
    currency: str
    trouble: str


@dataclass(frozen=True, slots=True)
class DisputeReport:
    """A dispute (chargeback) as the gateway sees it now.

    ``status`` is warning_needs_response, warning_under_review, warning_closed, needs_response, under_review,
    won, lost or prevented. ``movements`` are what it moved so far: the withdrawal, and the return if it was won.
    """

    dispute_id: str
    charge_id: str | None
    payment_intent_id: str | None
    amount_minor: int
    currency: str
    status: str
    reason: str
    evidence_due_at: datetime | None = None
    movements: tuple[BalanceTransaction, ...] = ()

    @property
    def fee_minor(self) -> int:
        """What the gateway charged for the dispute so far."""
        return sum(movement.fee_minor for movement in self.movements)
