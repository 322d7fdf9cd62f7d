"""Monitoring: which links still lead somewhere, and which promised updates are late → what is told of the datasets."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest
from urllib.parse import quote, urljoin

from marketplace.catalog import listings, punctuality
from marketplace.catalog import queries as catalog
from marketplace.catalog.cleaning.mending import Finding, Rule
from marketplace.catalog.harvesting import ckan_pages
from marketplace.catalog.links import queries, rules, service
from marketplace.catalog.links.service import Taken
from marketplace.catalog.models import Dataset
from marketplace.catalog.repairs import service as repairs
from marketplace.catalog.service import draft_of
from marketplace.catalog.states import DatasetState
from marketplace.exchange import listing
from marketplace.kit import clock, jobs, outbound
from marketplace.kit.outbound import OutboundRefused
from marketplace.kit.transaction import transaction

PER_HOST_SECONDS = 1.0
REDIRECTS_MAX = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ADDRESSES_TOLD = 20
_READABLE = "!#$%&'()*+,/:;=?@[]~"


@jobs.task("catalog.check_links", cron="*/10 * * * *", foreign=True)
def check_links() -> None:
    """Ask the links whose time has come, politely, and tell of the datasets whose links died or came back."""
    with transaction():
        taken = service.take_due()
    changed: set[str] = set()
    for one in _paced(taken):
        status, outcome = _asked(one.url)
        with transaction():
            if service.note(one, status, outcome):
                changed.add(one.dataset_id)
    for dataset_id in sorted(changed):
        with transaction():
            _tell_of_links(dataset_id)


@jobs.task("catalog.look_for_overdue", cron="17 4 * * *")
def look_for_overdue() -> None:
    """Tell of the datasets whose promised update is late, and no more of those that came."""
    cursor: str | None = None
    while True:
        with transaction():
            page = catalog.list_datasets(cursor=cursor, size=100)
            for dataset in page.items:
                _tell_of_delay(dataset)
        cursor = page.next_cursor
        if cursor is None:
            return


def _paced(taken: Sequence[Taken]) -> Iterator[Taken]:
    """Yield links host by host in turn, so that each host has a second between two questions."""
    by_host: dict[str, list[Taken]] = defaultdict(list)
    for one in taken:
        by_host[one.host].append(one)
    for turn in zip_longest(*by_host.values()):
        begun = time.monotonic()
        yield from (one for one in turn if one is not None)
        time.sleep(max(0.0, PER_HOST_SECONDS - (time.monotonic() - begun)))


def _asked(url: str) -> tuple[int | None, str]:
    """Return the status of an address and what is to be noted; None is no answer, also from where nobody is asked."""
    try:
        status = _followed(url, "HEAD")
        if rules.asks_again(status):
            status = _followed(url, "GET")
    except OutboundRefused as refused:
        return None, str(refused)[:200]
    return status, str(status)


def _followed(url: str, method: str) -> int:
    address = _ascii(url)
    for _ in range(REDIRECTS_MAX + 1):
        status, following = outbound.probe(address, method)
        if status not in REDIRECTS or not following:
            return status
        address = _ascii(urljoin(address, following))
    raise OutboundRefused("it points from one address to the next")


def _ascii(url: str) -> str:
    return url if url.isascii() and " " not in url else quote(url, safe=_READABLE)


def _tell_of_links(dataset_id: str) -> None:
    listings.stand_in_line(dataset_id)
    dead = queries.dead_of([dataset_id]).get(dataset_id, [])
    after = {"count": len(dead), "urls": dead[:ADDRESSES_TOLD]}
    found = [Finding(Rule.DEAD_LINKS, None, None, after, 100)] if dead else []
    _note(catalog.get_dataset(dataset_id), Rule.DEAD_LINKS, found)


def _tell_of_delay(dataset: Dataset) -> None:
    if dataset.state == DatasetState.WITHDRAWN:
        return
    due = punctuality.next_due(dataset.update_frequency, _last_update(dataset))
    late = [Finding(Rule.OVERDUE, None, dataset.update_frequency, {"due_at": clock.text(due)}, 90)] if due else []
    _note(dataset, Rule.OVERDUE, late if due and due < clock.now() else [])


def _last_update(dataset: Dataset) -> datetime | None:
    published = catalog.last_published([dataset.id]).get(dataset.id)
    stated = ckan_pages.modified_of(dataset.source) if dataset.source else ""
    return published or (clock.parse(f"{stated}Z") if stated else None)


def _note(dataset: Dataset, rule: Rule, found: list[Finding]) -> None:
    """Keep what is found, take back what is found no longer, and show the dataset anew where that changes anything."""
    changed = repairs.clear(dataset.id, [rule], found)
    changed += repairs.note(repairs.rows_of(dataset.id, draft_of(dataset), found, repairs=False))
    if changed and dataset.state != DatasetState.WITHDRAWN:
        listing.refresh(dataset.id)
