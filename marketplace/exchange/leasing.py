"""Leasing: the deliveries that a serving process may begin by itself, and how they come to be on the record."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from marketplace.access import queries as access
from marketplace.access.rules import Entitlement
from marketplace.billing.budgets import queries as budgets
from marketplace.exchange import facilities, spending
from marketplace.kit import jobs, settings
from marketplace.kit.transaction import transaction
from marketplace.metering import batches, leases
from marketplace.metering.batches import Entry
from marketplace.metering.leases import Lease

log = logging.getLogger(__name__)


def is_for(entitled: Entitlement) -> bool:
    """Whether deliveries of a content may begin before each is counted: we send it, and nobody paces its grant."""
    chosen = settings.current()
    here = entitled.origin_url is None and not facilities.current().store.asks_outside
    return chosen.download_passes and here and not chosen.grant_requests_per_minute


def until(entitled: Entitlement) -> datetime | None:
    """Return when a grant runs out, datetime.max for never; None where each delivery must be counted before it begins.

    Those are grants with a budget, which must be asked, and grants that pay by the request: a process that is killed
    may forget what it has just sent under a lease, which must cost nobody anything.
    """
    with transaction():
        grant = access.require_grant(entitled.grant_id)
        if budgets.lock_of_grant(entitled.organization_id, grant.id) or spending.is_by_request(grant):
            return None
        return grant.expires_at or datetime.max.replace(tzinfo=entitled.published_at.tzinfo)


def take(entitled: Entitlement) -> Lease | None:
    """Lease deliveries of a content; None where each of them must be counted before it begins."""
    with transaction():
        return leases.take(entitled)


def keep(lease_id: str, entries: Sequence[Entry]) -> int | None:
    """Enter deliveries of one lease in one transaction; return how many more it may begin, None where it is to end.

    One lease at a time: entering locks coverage before quota, as closing does, and whoever held the quota of one lease
    would wait with it for the coverage of the next.
    """
    entitled = entries[0].entitlement
    with transaction():
        added = batches.keep(lease_id, entries)
        spending.count_ended(entitled.organization_id, entitled.grant_id)
        return added


def renew(lease_ids: Iterable[str]) -> set[str]:
    """Put off when leases expire; return those that are open still."""
    with transaction():
        return leases.renew(lease_ids)


def give_back(lease_id: str) -> None:
    """End a lease of which everything has been told."""
    with transaction():
        leases.give_back(lease_id)


@jobs.task("metering.sweep_leases", cron="* * * * *")
def sweep() -> None:
    """End leases whose process died: what it did not tell of is charged nothing."""
    with transaction():
        expired = leases.list_expired()
    for lease_id in expired:
        with transaction():
            leases.give_back(lease_id, swept=True)
    if expired:
        log.warning("swept %d leases that nobody had renewed", len(expired))
