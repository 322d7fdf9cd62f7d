"""Mirroring: a machine that shares no folder keeps a search index of its own, made from the database alone."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from marketplace.catalog import changes, listings
from marketplace.catalog.errors import IndexBroken, IndexBusy
from marketplace.exchange import facilities
from marketplace.kit.rounds import Rounds
from marketplace.kit.transaction import transaction

INTERVAL_SECONDS = 2.0
REST_SECONDS = 30.0


def rounds(context: Callable[[], Any]) -> Rounds:
    """Return what brings this machine's index to what is listed, every two seconds."""
    return Rounds("search-mirror", _catch_up_alone, context, interval=INTERVAL_SECONDS, rest=REST_SECONDS)


def _catch_up_alone() -> None:
    with suppress(IndexBusy):  # another process of this machine is at it
        catch_up()


def catch_up() -> int:
    """Follow all changes since the last time, or make the index anew; returns how many datasets were looked at.

    Raises IndexBusy while another process writes, IndexBroken when even a new index cannot be read.
    """
    index = facilities.current().index
    since = _read_mark()
    with transaction():
        settled = changes.settled_before()
    # A mark of the future was left by another database: one that was restored, or moved.
    if since is None or since > settled or not index.is_usable():
        return _make_anew(settled)
    try:
        return _follow(since, settled)
    except IndexBroken:
        return _make_anew(settled)


def _make_anew(settled: int) -> int:
    _mark_path().unlink(missing_ok=True)
    facilities.current().index.rebuild(listings.all_for_index())
    _write_mark(settled)
    return listings.count_listings()


def _follow(since: int, settled: int) -> int:
    followed, last = 0, None
    while True:
        with transaction():
            rows = changes.list_since(since, last)
            documents = listings.find_for_index(row.dataset_id for row in rows)
        if rows:
            facilities.current().index.follow({row.dataset_id: documents.get(row.dataset_id) for row in rows})
            followed, last = followed + len(rows), rows[-1]
        if len(rows) < changes.BATCH_ROWS:
            break
    if settled != since:
        _write_mark(settled)
    return followed


def _mark_path() -> Path:
    # Beside the index: whoever deletes one deletes both.
    return facilities.current().settings.search_dir / "followed"


def _read_mark() -> int | None:
    with suppress(OSError, ValueError):
        return int(_mark_path().read_text(encoding="ascii"))
    return None


def _write_mark(settled: int) -> None:
    path = _mark_path()
    new = path.with_suffix(".new")
    new.write_text(str(settled), encoding="ascii")
    new.replace(path)
