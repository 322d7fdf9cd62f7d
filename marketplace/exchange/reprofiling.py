"""Looking again into published files of which an earlier version told less: facts are added, what is sold stays."""

import logging
from pathlib import Path

from marketplace.catalog import listings, profiling, queries, service, sketches
from marketplace.catalog.profiling import Profile
from marketplace.catalog.states import ProfileState
from marketplace.delivery.errors import BytesMissing
from marketplace.exchange import facilities, gate, listing
from marketplace.kit import jobs
from marketplace.kit.transaction import transaction

JOB = "catalog.profile_anew"
FILES_AT_ONCE = 50
log = logging.getLogger(__name__)


def begin() -> None:
    """Have what is behind looked into at once, as after an upgrade; to be called when a server starts."""
    if queries.behind_file_ids(1):
        jobs.enqueue(JOB)


@jobs.task(JOB, cron="*/10 * * * *", idle=True)
def profile_anew() -> None:
    """Look again into some of the files that are behind; the next turn goes on where this one ended, or was ended."""
    with transaction():
        behind = queries.behind_file_ids(FILES_AT_ONCE)
    for file_id in behind:
        _complete(file_id)


def _complete(file_id: str) -> None:
    file = queries.find_file_by_id(file_id)
    if file is None:
        return
    dataset_id = queries.get_release(file.release_id).dataset_id
    found = _look(file.sha256, file.name)
    with transaction():
        listings.stand_in_line(dataset_id)
        service.complete_profile(file_id, found.document if found else None)
        if found:
            sketches.keep(file.sha256, found, but=gate.columns_of_people(file_id))
        # Once for all files of a dataset: by whoever looks into the last of them.
        if not queries.is_behind(dataset_id):
            listing.refresh(dataset_id)


def _look(sha256: str, name: str) -> Profile | None:
    means = facilities.current()
    try:
        with means.store.open(sha256) as stored:
            found = profiling.profile_file(Path(stored.name), name, listing.limits(means))
    except BytesMissing:
        log.exception("the bytes %s of a published file are missing", sha256)
        return None
    return found if found.state == ProfileState.PROFILED else None
