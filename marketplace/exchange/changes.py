"""Changes: from the contents of two versions of a table to the rows by which they differ, once, in the background."""

from collections.abc import Sequence
from contextlib import ExitStack

from marketplace.catalog import conversions, queries
from marketplace.catalog.disposals import service as disposals
from marketplace.catalog.models import Conversion
from marketplace.catalog.states import ConversionState
from marketplace.delivery import changes
from marketplace.delivery.changes import CHANGE_TYPE, NotComparable
from marketplace.delivery.stores import Stored
from marketplace.exchange import disposing, facilities, tabular
from marketplace.kit import clock, jobs
from marketplace.kit.canonical import digest_of
from marketplace.kit.errors import TooLarge
from marketplace.kit.transaction import transaction

COMPARE_JOB = "catalog.compare"


def find(dataset_id: str, before_sha256: str, after_sha256: str) -> Conversion | None:
    """Return what was found between two Parquet contents of a dataset, if anybody has asked for it."""
    keys = queries.get_dataset(dataset_id).key_columns
    return conversions.find_conversion(_name(before_sha256, after_sha256, keys))


def ask(dataset_id: str, before_sha256: str, after_sha256: str) -> None:
    """Have two Parquet contents compared in the background, unless they are or have been; in the open transaction."""
    keys = queries.get_dataset(dataset_id).key_columns
    name = _name(before_sha256, after_sha256, keys)
    if conversions.begin(name, clock.now() - tabular.GIVEN_UP_AFTER):
        jobs.enqueue(COMPARE_JOB, comparison=name, sha256s=[before_sha256, after_sha256], keys=list(keys))


def _name(before_sha256: str, after_sha256: str, keys: Sequence[str]) -> str:
    """Return the name of a comparison, in the place of the one content of which a table is made."""
    return digest_of({"changes": [before_sha256, after_sha256], "keys": list(keys)})


@jobs.task(COMPARE_JOB, slow=True)
def compare(comparison: str, sha256s: list[str], keys: list[str]) -> None:
    """Find what changed between two contents in a sandbox and keep it, or why that cannot be told."""
    asked = conversions.find_conversion(comparison)
    if asked is None or asked.state != ConversionState.PENDING:
        return
    try:
        stored, rows = _between(sha256s, keys)
    except (NotComparable, TooLarge) as reason:
        with transaction():
            conversions.fail(comparison, {"slug": "not-comparable", "detail": str(reason)})
        return
    with transaction():
        conversions.finish(
            comparison, stored.sha256, stored.size_bytes, rows, [{"name": CHANGE_TYPE, "type": "string"}]
        )
        disposals.named(stored.sha256)


def _between(sha256s: Sequence[str], keys: Sequence[str]) -> tuple[Stored, int]:
    means = facilities.current()
    with ExitStack() as opened:
        tables = [opened.enter_context(means.store.open(sha256)) for sha256 in sha256s]
        return changes.compare(
            tables,
            keys,
            tabular.limits(means),
            lambda chunks: disposing.receive(chunks, means.settings.upload_size_bytes_max),
        )
