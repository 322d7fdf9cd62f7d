"""Tabular: from a published table in whatever format to its Parquet, once, in the background."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from marketplace.access import policed
from marketplace.catalog import conversions, profiling, queries, tabular
from marketplace.catalog.disposals import service as disposals
from marketplace.catalog.models import Conversion
from marketplace.catalog.profiling import words
from marketplace.catalog.states import ConversionState
from marketplace.delivery.stores import Stored
from marketplace.exchange import disposing, facilities
from marketplace.kit import clock, jobs
from marketplace.kit.errors import TooLarge
from marketplace.kit.transaction import transaction

CONVERT_JOB = "catalog.convert"
GIVEN_UP_AFTER = timedelta(hours=2)


def ask_for_release(release_id: str) -> None:
    """Have the tables of a release converted, but for those whose content somebody has asked for before."""
    for file in conversions.tabular_files(release_id):
        ask(file.id, file.sha256)


def ask(file_id: str, sha256: str) -> None:
    """Have a content converted in the background, unless it is or has been; in the open transaction.

    ``sha256`` is the file's own, or that of a copy of it, which holds a table of the same columns.
    """
    if conversions.begin(sha256, clock.now() - GIVEN_UP_AFTER):
        jobs.enqueue(CONVERT_JOB, file_id=file_id, sha256=sha256)


@jobs.task(CONVERT_JOB, slow=True)
def convert(file_id: str, sha256: str) -> None:
    """Make the Parquet of one content in its sandbox and keep it, or why there is none."""
    asked = conversions.find_conversion(sha256)
    if asked is None or asked.state != ConversionState.PENDING:
        return
    try:
        made, stored = _converted(profile_of(sha256, file_id), sha256)
    except tabular.Unreadable as problem:
        _fail(sha256, problem.slug, problem.facts)
        return
    except TooLarge as refusal:
        _fail(sha256, "reader-stopped", {"reason": refusal.detail})
        return
    with transaction():
        conversions.finish(sha256, stored.sha256, stored.size_bytes, made.rows, made.columns)
        disposals.named(stored.sha256)


def _converted(profile: dict[str, Any] | None, sha256: str) -> tuple[tabular.Converted[Stored], Stored]:
    means = facilities.current()

    def keep(chunks: Iterable[bytes]) -> Stored:
        return disposing.receive(chunks, means.settings.upload_size_bytes_max)

    if profile is None or not tabular.is_tabular(profile):
        raise tabular.Unreadable("reader-stopped", reason="no table")
    with means.store.open(sha256) as source:
        made = tabular.convert_file(Path(source.name), profile, limits(means), keep)
        return made, made.kept or Stored(sha256, source.seek(0, 2))


def limits(means: facilities.Facilities) -> profiling.ProfileLimits:
    """Return what making one table of another may cost."""
    seconds = means.settings.conversion_cpu_seconds_max
    return profiling.ProfileLimits(
        memory_bytes=means.settings.profile_memory_bytes_max, cpu_seconds=seconds, wall_seconds=2 * seconds
    )


def _fail(sha256: str, slug: str, facts: dict[str, object]) -> None:
    with transaction():
        conversions.fail(sha256, words.told(slug, facts))


def profile_of(sha256: str, file_id: str) -> dict[str, Any] | None:
    """Return what a content holds: a part made under a data policy by its own profile, all else by its file's."""
    return policed.find_profile(sha256) or queries.get_file(file_id).profile


def find(sha256: str) -> Conversion | None:
    """Return the conversion of a content, if anybody has asked for it."""
    return conversions.find_conversion(sha256)
