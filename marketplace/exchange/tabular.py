"""Tabular: from a published table in whatever format to its Parquet, once, in the background."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from marketplace.catalog import conversions, profiling, queries, tabular
from marketplace.catalog.models import Conversion, File
from marketplace.catalog.profiling import words
from marketplace.catalog.states import ConversionState
from marketplace.delivery.stores import Stored
from marketplace.exchange import facilities
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
    """Have a file converted in the background, unless its content is or has been; in the open transaction."""
    if conversions.begin(sha256):
        jobs.enqueue(CONVERT_JOB, file_id=file_id)


@jobs.task(CONVERT_JOB, slow=True)
def convert(file_id: str) -> None:
    """Make the Parquet of one content in its sandbox and keep it, or why there is none."""
    file = queries.get_file(file_id)
    asked = conversions.find_conversion(file.sha256)
    if asked is None or asked.state != ConversionState.PENDING:
        return
    if not tabular.is_tabular(file.profile):
        _fail(file.sha256, "damaged", {"format": "a table", "reason": "no profile"})
        return
    _convert(file)


def _convert(file: File) -> None:
    try:
        made = _converted(file)
    except tabular.Unreadable as problem:
        _fail(file.sha256, problem.slug, problem.facts)
        return
    except TooLarge as refusal:
        _fail(file.sha256, "reader-stopped", {"reason": refusal.detail})
        return
    stored = made.kept or Stored(file.sha256, file.size_bytes)
    with transaction():
        conversions.finish(file.sha256, stored.sha256, stored.size_bytes, made.rows, made.columns)


def _converted(file: File) -> tabular.Converted[Stored]:
    means = facilities.current()

    def keep(chunks: Iterable[bytes]) -> Stored:
        return means.store.receive(chunks, means.settings.upload_size_bytes_max)

    with means.store.open(file.sha256) as source:
        return tabular.convert_file(Path(source.name), file.profile or {}, _limits(means), keep)


def _limits(means: facilities.Facilities) -> profiling.ProfileLimits:
    seconds = means.settings.conversion_cpu_seconds_max
    return profiling.ProfileLimits(
        memory_bytes=means.settings.profile_memory_bytes_max, cpu_seconds=seconds, wall_seconds=2 * seconds
    )


def _fail(sha256: str, slug: str, facts: dict[str, object]) -> None:
    with transaction():
        conversions.fail(sha256, words.told(slug, facts))


@jobs.task("catalog.convert_left", cron="37 * * * *")
def convert_left() -> None:
    """Take up again the conversions whose job was given up."""
    with transaction():
        for file_id in conversions.left_since(clock.now() - GIVEN_UP_AFTER):
            jobs.enqueue(CONVERT_JOB, file_id=file_id)


def find(sha256: str) -> Conversion | None:
    """Return the conversion of a content, if anybody has asked for it."""
    return conversions.find_conversion(sha256)
