"""Giving the server passes: leave to answer a download again without asking, for a second or two, under a lease."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from flask import Flask, request

from marketplace.access.rules import Entitlement
from marketplace.api.leased import Held, Running
from marketplace.delivery import ranges
from marketplace.delivery.ranges import Span
from marketplace.exchange import leasing
from marketplace.exchange.download import Answer
from marketplace.identity.actors import Actor
from marketplace.identity.oauth import bearer
from marketplace.kit import clock
from marketplace.kit.ids import new_id

log = logging.getLogger(__name__)
EXTENSION = "marketplace.passes"
SLOT = "marketplace.pass"
LIFE_SECONDS = 2.0
RENEWED_AFTER_SECONDS = 1.0


class Begun(NamedTuple):
    """A body that a pass has begun, as the server wants to have it."""

    file: BinaryIO
    start: int
    length: int
    fields: Mapping[str, str]
    key: str
    report: Callable[..., None]


@dataclass(frozen=True, slots=True)
class Terms:
    """For whom a pass is, what its right hangs on, and until when it lives, in monotonic seconds."""

    entitled: Entitlement
    client_id: str | None
    held: Held
    until: float

    @property
    def hangs_on(self) -> frozenset[str]:
        """The ids of which a change ends the pass."""
        of = self.entitled
        ids = (of.grant_id, of.organization_id, of.dataset_id, of.token_id, of.family_id, self.client_id)
        return frozenset(filter(None, ids))


class Pass:
    """Leave to deliver one content to one caller; what it begins is spent of a lease. Asked on one thread.

    In the second half of its life one request goes the ordinary way, past every check, and brings a new pass.
    """

    def __init__(self, terms: Terms, *, of_parts: bool) -> None:
        self.terms, self.held = terms, terms.held
        self._of_parts = of_parts
        self._renewed_at = min(time.monotonic() + RENEWED_AFTER_SECONDS, terms.until)
        self._ended = False

    @property
    def over(self) -> bool:
        """Whether it begins nothing any more."""
        return self._ended or time.monotonic() >= self.terms.until

    def end(self) -> None:
        """Begin nothing any more."""
        self._ended = True

    def waits(self) -> bool:
        """Whether it begins nothing only until more of what was begun under the lease is kept."""
        return not self.over and self.held.is_spent()

    def begin(self, range_field: str | None) -> Begun | None:
        """Begin a body; None where the application must be asked."""
        if self.over or self._is_to_be_renewed():
            return None
        span = self._span(range_field)
        if span is None or not self.held.spend():
            return None
        terms = self.terms
        running = Running(new_id("dlv"), terms.entitled, terms.client_id, span, clock.now(), self.held)
        self.held.begin(running)
        return Begun(self.held.file, span.start, span.length, self._fields(span), running.id, running.report)

    def _is_to_be_renewed(self) -> bool:
        if time.monotonic() < self._renewed_at:
            return False
        self._renewed_at = self.terms.until
        return True

    def _span(self, range_field: str | None) -> Span | None:
        size = self.terms.entitled.size_bytes
        if not self._of_parts:
            return Span(0, size)
        chosen = ranges.select(range_field or "", size)
        return chosen if isinstance(chosen, Span) else None

    def _fields(self, span: Span) -> dict[str, str]:
        if not self._of_parts:
            return {}
        size = self.terms.entitled.size_bytes
        return {"Content-Range": f"bytes {span.start}-{span.end - 1}/{size}", "Content-Length": str(span.length)}


def offer(app: Flask, actor: Actor, answer: Answer) -> None:
    """Leave a pass for the request at hand, where the server keeps one and its next answers may go without asking.

    That the download was answered does not depend on it: whatever goes wrong here is only told to the log.
    """
    slot: Any = request.environ.get(SLOT)
    entitled = answer.entitled
    if slot is None or entitled is None or not leasing.is_for(entitled):
        return
    try:
        until = _until(entitled)
        held = app.extensions[EXTENSION].held(entitled) if until is not None else None
        if until is not None and held is not None:
            leave = Pass(Terms(entitled, actor.client_id, held, until), of_parts=answer.status == 206)
            if app.extensions[EXTENSION].admit(leave, slot.asked_at):
                slot.keep(leave)
    except Exception:
        log.exception("no pass could be given")


def _until(entitled: Entitlement) -> float | None:
    """Return when a pass ends, in monotonic seconds: soon, and never after token and grant."""
    ends = (leasing.until(entitled), bearer.expires_at(request.headers.get("Authorization", "")))
    if None in ends:
        return None
    left = [_seconds_left(at) for at in ends if at is not None]
    return time.monotonic() + min(LIFE_SECONDS, *left)


def _seconds_left(at: datetime) -> float:
    return (at - clock.now()).total_seconds()
