"""What a harvest must say of itself, what a record is, and what is plausible: pure functions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from marketplace.catalog import rules
from marketplace.catalog.harvesting.states import HarvestSchedule, SourceKind
from marketplace.kit import outbound
from marketplace.kit.errors import Invalid
from marketplace.kit.outbound import OutboundRefused

RECORD_ID_LENGTH_MAX = 200
BATCH_RECORDS, BATCH_BYTES = 500, 16 * 2**20
VANISHED_FREELY = 10
"""So few may vanish from any catalogue without making one doubt its answer."""

FILE = "file:"
_PERIODS = {HarvestSchedule.DAILY: timedelta(days=1), HarvestSchedule.WEEKLY: timedelta(days=7)}
_MONTH = timedelta(days=30)
_BACKOFF_FIRST, _DOUBLINGS_MAX = timedelta(hours=1), 7


@dataclass(frozen=True, slots=True)
class HarvestDraft:
    """A catalogue to take over: where it lies, in which form, how often, and whether it is mended as it comes in."""

    address: str
    kind: SourceKind = SourceKind.CKAN
    schedule: HarvestSchedule | None = None
    repairs: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """One record as its catalogue has it, in the words of a CKAN package; ``package`` is kept whole.

    ``size_bytes`` is about what it took where it came from, so that batches of large ones have fewer.
    """

    record_id: str
    name: str
    package: dict[str, Any]
    size_bytes: int = 0


def check_draft(draft: HarvestDraft) -> None:
    """Return for a catalogue that may be asked over the network; raises Invalid."""
    if len(draft.address) > rules.URL_LENGTH_MAX:
        _refuse(f"must have at most {rules.URL_LENGTH_MAX:,} characters")
    try:
        outbound.check(draft.address)
    except OutboundRefused as refused:
        _refuse(str(refused))


def base_of(address: str) -> str:
    """Return the address of a CKAN site, whichever of its pages or actions was named."""
    parts = urlsplit(address)
    path = parts.path
    for mark in ("/api/", "/dataset", "/organization", "/group"):
        path = path.split(mark, 1)[0] if mark in path else path
    path = path.removesuffix("/api")
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"


def origin_of(kind: SourceKind, harvest_id: str, record_id: str) -> str:
    """Return the id of a record among all foreign records of an organization.

    CKAN's ids are unique in the world, so that a package that was imported before is met again. Others' ids may be
    plain numbers, and belong to their catalogue.
    """
    return record_id if kind in {SourceKind.CKAN, SourceKind.PACKAGES} else f"{harvest_id}:{record_id}"


def next_time(schedule: HarvestSchedule, now: datetime, failures: int) -> datetime:
    """Return when a catalogue is harvested next: by its schedule, and after failures sooner at first, then later."""
    period = _PERIODS.get(schedule, _MONTH)
    return now + (min(_BACKOFF_FIRST * (1 << min(failures - 1, _DOUBLINGS_MAX)), period) if failures else period)


def is_plausible(known: int, gone: int) -> bool:
    """Tell whether so many of the known records can have vanished between two runs."""
    return gone <= VANISHED_FREELY or gone * 2 <= known


def _refuse(fault: str) -> None:
    raise Invalid(errors=[{"pointer": "/url", "detail": fault}])
