"""The search as several processes and machines share it: readers beside one writer, and an index of one's own.

Each reader is a process that searches without a pause, as a server under full load would, while one process enters a
change twice a second: each commit makes what the readers kept worthless.
"""

import multiprocessing
import random
import tempfile
import time
from itertools import islice
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

from benchmarks import search
from benchmarks.world import World
from marketplace.catalog import listings
from marketplace.catalog.search import SearchIndex

READERS, SECONDS, PAUSE_SECONDS = 2, 10, 0.5
Spans = list[tuple[float, float]]


def print_processes(folder: Path) -> None:
    """Print what searches take in several processes while one writes, and what a commit takes."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        told, stop, ready = manager.list(), context.Event(), context.Barrier(READERS + 1)
        readers = [context.Process(target=_read, args=(folder, number, told, stop, ready)) for number in range(READERS)]
        for reader in readers:
            reader.start()
        ready.wait()
        commits = _write(SearchIndex(folder))
        stop.set()
        for reader in readers:
            reader.join()
        spans = [one for spans in told for one in spans]
    print(f"  {READERS} processes search while one writes every {PAUSE_SECONDS} s: {len(spans)} searches")
    search.print_spans({"search beside a writer": spans, "a change entered and committed": commits})


def _read(folder: Path, number: int, told: Any, stop: Event, ready: Barrier) -> None:
    index, chance, spans = SearchIndex(folder), random.Random(f"musubi-reader-{number}"), []
    index.search("人流")
    ready.wait()
    while not stop.is_set():
        asked = search.asked_of(len(spans), chance)
        start, spent = time.perf_counter(), time.process_time()
        index.search(*asked, size=search.PAGE)
        spans.append((time.perf_counter() - start, time.process_time() - spent))
    told.append(spans)


def _write(index: SearchIndex) -> Spans:
    commits: Spans = []
    made = list(islice(search.documents(), round(SECONDS / PAUSE_SECONDS)))
    for document in made:
        start, spent = time.perf_counter(), time.process_time()
        index.upsert(document)
        commits.append((time.perf_counter() - start, time.process_time() - spent))
        time.sleep(PAUSE_SECONDS)
    index.follow({document["id"]: None for document in made})
    return commits


def print_own(exchange: World, size: int) -> None:
    """Print what it takes a machine that shares no folder to make its index from the database."""
    with tempfile.TemporaryDirectory() as folder, exchange.app.app_context():
        index = SearchIndex(Path(folder))
        start, spent = time.perf_counter(), time.process_time()
        index.rebuild(listings.all_for_index())
        wall, processor = time.perf_counter() - start, time.process_time() - spent
        found = index.search("").total
    print(
        f"  another machine makes its index of {found} from the database at {size / wall:.0f} datasets/s,"
        f" {size / processor:.0f} by second of processor time",
        flush=True,
    )
