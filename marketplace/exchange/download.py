"""Download: from a grant to bytes on the wire, metered by what arrived."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import BinaryIO

from marketplace.access import queries as access
from marketplace.access.rules import Entitlement
from marketplace.delivery import conditional
from marketplace.delivery.conditional import Decision
from marketplace.exchange import facilities, pacing, policing, redirecting, spending
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs, settings
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing import purposes
from marketplace.licensing import queries as licensing
from marketplace.licensing.states import UseApplication
from marketplace.metering import service as metering

log = logging.getLogger(__name__)
Elsewhere = Callable[[Actor, Entitlement, Mapping[str, str], Decision], redirecting.Sent | None]
STALE_AFTER = timedelta(seconds=90)
PURPOSE = "musubi-purpose"
"""The header field in which a request may declare its purpose; field names are compared without regard to case."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for: a file of a grant, with its conditions; with ``sha256``, that content and no other."""

    grant_id: str
    file_name: str
    release_id: str | None
    method: str
    headers: Mapping[str, str]
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The complete answer to a download; a delivery without a file is another's to carry out.

    ``entitled`` is there with the file: the content that is delivered.
    """

    status: int
    headers: Mapping[str, str]
    start: int
    length: int
    file: BinaryIO | None
    delivery_id: str | None
    entitled: Entitlement | None = None


def bring(actor: Actor, wanted: Wanted) -> None:
    """Have the bytes at hand before the transaction of the grant check, within which nobody outside is asked.

    To be called before ``open_delivery``, outside any transaction. Raises what that raises, and StoreUnavailable.
    """
    store = facilities.current().store
    if wanted.method != "GET" or not store.asks_outside:
        return
    with transaction():
        entitled = for_purpose(_entitled(actor, wanted), wanted.headers)
        needed = _decide(entitled, wanted.method, wanted.headers).length > 0
        needed = needed and redirecting.is_sent_by_us(entitled, wanted.headers)
    if needed:
        store.bring_near(entitled.sha256)


def open_delivery(actor: Actor, wanted: Wanted, *, is_rated: bool = False) -> Answer:
    """Check the grant, decide on conditions and ranges, hold the quota: in one transaction.

    HEAD, 304, 412 and 416 have no body, open no delivery and cost nothing. The file is opened first,
    so that bytes that are not there are never charged. Raises NotFound, GrantRevoked, GrantExpired,
    QuotaExhausted or BytesMissing.
    """
    entitled = _entitled(actor, wanted)
    open_file = partial(facilities.current().store.open, entitled.sha256)
    return answer(actor, entitled, wanted.method, wanted.headers, open_file, redirecting.elsewhere, is_rated=is_rated)


def _entitled(actor: Actor, wanted: Wanted) -> Entitlement:
    entitled = access.authorize(actor, wanted.grant_id, wanted.file_name, wanted.release_id)
    if wanted.sha256 not in {None, entitled.sha256}:
        raise NotFound
    return policing.named(entitled)


def answer(
    actor: Actor,
    entitled: Entitlement,
    method: str,
    headers: Mapping[str, str],
    open_file: Callable[[], BinaryIO],
    elsewhere: Elsewhere | None = None,
    *,
    is_rated: bool = False,
) -> Answer:
    """Answer one GET or HEAD for an entitled content, held and metered; ``open_file`` is asked where bytes are sent.

    A content that ``elsewhere`` sends for us is answered with a redirect, and never opened. ``is_rated`` says that the
    request was counted in the grant's minute before.

    Whatever path asks, and whether the content is the file or was made of it, comes through here.
    To be called in the transaction of the grant check. Raises PurposeUnknown, PurposeNotPermitted, RateLimited,
    QuotaExhausted, BudgetExhausted and what ``open_file`` raises.
    """
    entitled = replace(for_purpose(entitled, headers), token_id=actor.token_id, family_id=actor.family_id)
    decision = _decide(entitled, method, headers)
    if decision.length == 0:
        return Answer(decision.status, decision.headers, 0, 0, None, None)
    told = {} if is_rated else pacing.fields_of(pacing.take(entitled.grant_id))
    if elsewhere is not None and (sent := elsewhere(actor, entitled, headers, decision)) is not None:
        return Answer(307, dict(sent.headers) | told, 0, 0, None, sent.delivery_id)
    file = open_file()
    try:
        opened = spending.open_delivery(entitled, decision.start, decision.length, actor.client_id)
    except BaseException:
        file.close()
        raise
    told = dict(decision.headers) | told
    return Answer(decision.status, told, decision.start, decision.length, file, opened.id, entitled)


def _decide(entitled: Entitlement, method: str, headers: Mapping[str, str]) -> Decision:
    return conditional.evaluate(
        method,
        headers,
        entitled.sha256,
        entitled.published_at,
        entitled.size_bytes,
        media_type=entitled.media_type,
        file_name=entitled.file_name,
    )


def for_purpose(entitled: Entitlement, headers: Mapping[str, str]) -> Entitlement:
    """Enter the purpose that was declared, if any; the purposes accepted with the terms hold in any case.

    Raises PurposeUnknown and PurposeNotPermitted.
    """
    declared = next((value for name, value in headers.items() if name.lower() == PURPOSE), None)
    if declared is None:
        return entitled
    purpose = purposes.read(declared)
    require_purpose(entitled.grant_id, purpose)
    return replace(entitled, purpose=purpose.value)


def declared(headers: Mapping[str, str], purpose: str | None) -> Mapping[str, str]:
    """Return the header fields with the purpose that an address was issued for, and no other."""
    kept = {name: value for name, value in headers.items() if name.lower() != PURPOSE}
    return kept if purpose is None else kept | {PURPOSE: purpose}


def require_purpose(grant_id: str, purpose: UseApplication) -> None:
    """Refuse a purpose that the terms accepted with the grant do not permit; raises PurposeNotPermitted."""
    accepted = licensing.get_terms(access.require_grant(grant_id).terms_sha256)
    purposes.require(licensing.usage_terms(accepted), purpose)


def close_delivery(delivery_id: str, sent: int, acked: int, outcome: str) -> None:
    """Meter what was acknowledged of a delivery, once."""
    with transaction():
        usage = metering.close_delivery(delivery_id, sent, acked, outcome)
        if usage is not None:
            spending.count_ended(usage.organization_id, usage.grant_id)


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
        waited = timedelta(hours=settings.current().s3_log_hours)
        swept = metering.sweep(clock.now() - STALE_AFTER, size=1, edge_before=clock.now() - waited)
        for usage in swept:
            spending.count_ended(usage.organization_id, usage.grant_id)
        return bool(swept)


@jobs.task("delivery.tidy", cron="17 * * * *")
def tidy() -> None:
    """Remove what uploads left behind that died more than a day ago."""
    facilities.current().store.clear_abandoned(clock.now() - timedelta(days=1))
