"""Which story learns of what the gateway reports beside payments: refunds, disputes, payouts, transfers."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from marketplace.billing.errors import EventNotTaken
from marketplace.billing.gateways import wire

_STORIES = {"refund": "refund", "dispute": "dispute", "payout": "payout", "transfer": "payout"}


@dataclass(frozen=True, slots=True)
class Report:
    """A gateway object that an event tells of, and the story that learns of it."""

    story: str
    object_id: str


def read(event: Mapping[str, Any]) -> Report | None:
    """Return what an event reports, or None where it is about a payment, or about nothing of ours."""
    thing = event["data"]["object"]
    story, object_id = _STORIES.get(str(thing.get("object"))), wire.id_of(thing)
    return Report(story, object_id) if story and object_id else None


def learn(report: Report, event_id: str) -> None:
    """Let the story ask the gateway about the object and act on it, outside any transaction; twice is as once.

    Raises EventNotTaken where this version has no such story, so that the event is kept and set aside.
    """
    name = f"marketplace.exchange.{report.story}"
    if find_spec(name) is None:
        raise EventNotTaken(f"This version has no story that learns of {report.story}s: {report.object_id}.")
    import_module(name).learn(report.object_id, event_id)
