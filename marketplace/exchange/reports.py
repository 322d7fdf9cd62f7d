"""Which story learns of what the gateway reports beside payments: refunds, disputes, payouts, transfers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.billing.gateways import wire
from marketplace.exchange import dispute, payout, refund

_STORIES: dict[str, Callable[[str, str], None]] = {
    "refund": refund.learn,
    "dispute": dispute.learn,
    "payout": payout.learn,
    "transfer": payout.learn,
}


@dataclass(frozen=True, slots=True)
class Report:
    """A gateway object that an event tells of; ``kind`` says which story learns of it."""

    kind: str
    object_id: str


def read(event: Mapping[str, Any]) -> Report | None:
    """Return what an event reports, or None where it is about a payment, or about nothing of ours."""
    thing = event["data"]["object"]
    kind, object_id = str(thing.get("object")), wire.id_of(thing)
    return Report(kind, object_id) if kind in _STORIES and object_id else None


def learn(report: Report, event_id: str) -> None:
    """Let the story ask the gateway about the object and act on it, outside any transaction; twice is as once."""
    _STORIES[report.kind](report.object_id, event_id)
