"""Download: from a grant to bytes on the wire, metered by what arrived."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import BinaryIO

from marketplace.access import queries as access
from marketplace.access.rules import Entitlement
from marketplace.delivery import conditional
from marketplace.exchange import facilities
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction
from marketplace.metering import service as metering

log = logging.getLogger(__name__)
STALE_AFTER = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for: a file of a grant, with its conditions."""

    grant_id: str
    file_name: str
    release_id: str | None
    method: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The complete answer to a download: the body is there where ``delivery_id`` is."""

    status: int
    headers: Mapping[str, str]
    start: int
    length: int
    file: BinaryIO | None
    delivery_id: str | None


def open_delivery(actor: Actor, wanted: Wanted) -> Answer:
    """Check the grant, decide on conditions and ranges, hold the quota: in one transaction.

    HEAD, 304, 412 and 416 have no body, open no delivery and cost nothing. The file is opened first,
    so that bytes that are not there are never charged. Raises NotFound, GrantRevoked, GrantExpired,
    QuotaExhausted or BytesMissing.
    """
    entitled = access.authorize(actor, wanted.grant_id, wanted.file_name, wanted.release_id)
    return answer(
        actor, entitled, wanted.method, wanted.headers, partial(facilities.current().store.open, entitled.sha256)
    )


def answer(
    actor: Actor,
    entitled: Entitlement,
    method: str,
    headers: Mapping[str, str],
    open_file: Callable[[], BinaryIO],
) -> Answer:
    """Answer one GET or HEAD for an entitled content, held and metered; ``open_file`` is asked where bytes are sent.

    Whatever path asks, and whether the content is the file or was made of it, comes through here.
    To be called in the transaction of the grant check. Raises QuotaExhausted and what ``open_file`` raises.
    """
    decision = conditional.evaluate(
        method,
        headers,
        entitled.sha256,
        entitled.published_at,
        entitled.size_bytes,
        media_type=entitled.media_type,
        file_name=entitled.file_name,
    )
    if decision.length == 0:
        return Answer(decision.status, decision.headers, 0, 0, None, None)
    file = open_file()
    try:
        opened = metering.open_delivery(entitled, decision.start, decision.length, actor.client_id)
    except BaseException:
        file.close()
        raise
    return Answer(decision.status, decision.headers, decision.start, decision.length, file, opened.id)


def close_delivery(delivery_id: str, sent: int, acked: int, outcome: str) -> None:
    """Meter what was acknowledged of a delivery, once."""
    with transaction():
        metering.close_delivery(delivery_id, sent, acked, outcome)


def note_progress(acked: Mapping[str, int]) -> None:
    """Note how far running deliveries are: what would be charged if this process died now."""
    with transaction():
        metering.heartbeat(acked)


@jobs.task("metering.sweep", cron="* * * * *")
def sweep() -> None:
    """Close deliveries whose server died, with the progress noted last: too little perhaps, never too much.

    Each in a transaction of its own: closing locks coverage before quota, and whoever has closed one
    delivery of a grant would hold the quota while it waits for the coverage of the next.
    """
    swept = 0
    while _sweep_one():
        swept += 1
    if swept:
        log.warning("swept %d deliveries that nobody had closed", swept)


def _sweep_one() -> bool:
    with transaction():
        return bool(metering.sweep(clock.now() - STALE_AFTER, size=1))


@jobs.task("delivery.tidy", cron="17 * * * *")
def tidy() -> None:
    """Remove what uploads left behind that died more than a day ago."""
    facilities.current().store.clear_abandoned(clock.now() - timedelta(days=1))
