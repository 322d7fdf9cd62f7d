"""How fast the catalogue answers, against one raw tantivy query on the same index; what the index costs.

The limit finds the twenty best datasets that have all words of the query, and nothing else. A search also ranks by
nearness and standing, counts eleven facets and gives a cursor; over HTTP it reads the found documents and writes them
as JSON. A search counts as new when nothing of it was kept: neither its words as they were read nor its counts.
"""

import argparse
import http.client
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import psycopg

from benchmarks import machine, search_machines, world
from benchmarks.world import World
from marketplace.catalog import meaning, places, ranking
from marketplace.catalog.asking import Kept
from marketplace.catalog.search import SearchIndex
from marketplace.catalog.sight import PUBLIC, Sight
from marketplace.catalog.states import Licence, Theme
from marketplace.kit import postgres
from marketplace.kit.ids import new_id

SIZES, SIZES_QUICK, MILLION = (5_000, 100_000), (5_000,), 1_000_000
QUERIES, QUERIES_QUICK = 1_000, 200
PAGE, ALIKE = 20, 5
PRIVATE_EACH, GROUPS = 100, tuple(f"grp_{number:02}" for number in range(20))
Figures = dict[str, list[tuple[float, float]]]
Asked = tuple[str, Mapping[str, list[str]]]
PLACES = (
    ("札幌市", "Sapporo"), ("高松市", "Takamatsu"), ("福井県", "Fukui"), ("東京都", "Tokyo"), ("京都市", "Kyoto"),
    ("横浜市", "Yokohama"), ("那覇市", "Naha"), ("仙台市", "Sendai"), ("金沢市", "Kanazawa"), ("広島市", "Hiroshima"),
)  # fmt: skip
SUBJECTS = (
    ("人流", "people flow"), ("気温", "temperature"), ("観光客数", "visitor numbers"), ("人口統計", "population"),
    ("防災施設", "shelters"), ("バス時刻表", "bus timetable"), ("ごみ収集", "waste collection"),
    ("学校給食", "school meals"), ("道路工事", "road works"), ("地価公示", "land prices"),
)  # fmt: skip
KINDS = (("一覧", "list"), ("月次集計", "monthly totals"), ("観測値", "observations"), ("地図データ", "map data"))
MORE = ("人口", "防災", "shelter", "population statistics", "じんこう", "ごみ収集", "Tokyo", "札幌市 気温 観測値")
PREFECTURE_TOWNS = 40
_COPY_DATASETS = """
INSERT INTO dataset SELECT (jsonb_populate_record(d, jsonb_build_object('id', n.id))).*
  FROM unnest(%s::text[]) AS n (id), dataset d WHERE d.id = %s
"""
_COPY_LISTINGS = "COPY listing (dataset_id, document, updated_at) FROM STDIN"


def main(arguments: list[str]) -> None:
    """Print p50 and p99 in milliseconds at each size, wall and processor time, and what building and keeping costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks search")
    parser.add_argument("--quick", action="store_true", help="5 k datasets only")
    parser.add_argument("--million", action="store_true", help="a million datasets too, in the index alone")
    parser.add_argument("--alone", type=int, action="append", help="an index alone of this many, and nothing else")
    parser.add_argument("--keep", type=Path, help="where the largest index alone is, or is made and stays")
    asked = parser.parse_args(arguments)
    queries = QUERIES_QUICK if asked.quick else QUERIES
    sizes = SIZES_QUICK if asked.quick else SIZES
    if not asked.alone:
        _in_an_exchange(sizes, queries)
    alone = asked.alone or [*sizes, *([MILLION] if asked.million else [])]
    for size in alone:
        with tempfile.TemporaryDirectory() as folder:
            _alone(asked.keep if asked.keep and size == max(alone) else Path(folder), size, queries)


def _in_an_exchange(sizes: Sequence[int], queries: int) -> None:
    with world.installed() as exchange:
        template = exchange.draft()[1]
        made = documents()
        with exchange.serving() as process_id:
            for size, step in _steps(sizes):
                _fill(exchange, template, list(islice(made, step)))
                index = SearchIndex(exchange.settings.search_dir)
                print(f"\n{size} datasets; {queries} searches each, one at a time")
                print_spans(_measured(index, queries))
                _print_http(exchange, queries)
                used = machine.memory_bytes(process_id)[1] / 2**20
                print(f"  memory of the server (PSS) afterwards: {used:.0f} MiB")
                search_machines.print_own(exchange, size)


def documents() -> Iterator[dict[str, Any]]:
    """Yield public documents of synthetic datasets in Japanese and English, alike every time but for their ids."""
    chance = random.Random("musubi-search-2")
    while True:
        first = date(2000, 1, 1) + timedelta(days=chance.randrange(9_000))
        yield _described(chance) | {
            "id": new_id("ds"),
            "themes": chance.sample([*Theme], chance.choice((1, 1, 2))),
            "region": _region(chance),
            "language": "ja",
            "frequency": chance.choice(("DAILY", "MONTHLY", "ANNUAL", "IRREG", "UNKNOWN")),
            "licence_hint": chance.choice([*Licence]),
            "formats": chance.sample(("CSV", "XLSX", "GeoJSON", "parquet", "PDF"), chance.choice((1, 2, 3))),
            "price_classes": [chance.choice(("free", "one_off", "metered"))],
            "published_at": f"{date(2018, 1, 1) + timedelta(days=chance.randrange(3_200))}T00:00:00.000000Z",
            "quality": chance.randrange(101),
            "temporal": {"from": f"{first}", "until": f"{first + timedelta(days=chance.choice((30, 365, 1_000)))}"},
            "bbox": _box(chance),
            "releases": [],
            "offers": [],
        }


def _region(chance: random.Random) -> str:
    prefecture = chance.randrange(1, 48)
    town = chance.choice((0, *range(201, 201 + PREFECTURE_TOWNS)))
    return places.whole_code(f"{prefecture:02}{town:03}")


def _box(chance: random.Random) -> list[str] | None:
    west, south = chance.randrange(1300, 1450), chance.randrange(310, 450)
    return [f"{edge / 10}" for edge in (west, south, west + 2, south + 2)] if chance.random() < 0.5 else None


def _described(chance: random.Random) -> dict[str, Any]:
    place_ja, place_en = chance.choice(PLACES)
    subject_ja, subject_en = chance.choice(SUBJECTS)
    kind_ja, kind_en = chance.choice(KINDS)
    number, publisher = chance.randrange(1000), chance.randrange(200)
    return {
        "title_ja": f"{place_ja}の{subject_ja}{kind_ja} {number}",
        "title_en": f"{subject_en} {kind_en} of {place_en} {number}",
        "description_ja": f"{place_ja}が公開する{subject_ja}の{kind_ja}です。地区{number}の毎月の値です（合成）。",
        "description_en": f"{kind_en} on {subject_en} published by {place_en}, district {number} (synthetic).",
        "keywords": [subject_ja, place_ja, subject_en],
        "publisher": {"id": f"org_{publisher:032x}", "name_ja": f"{place_ja}役所", "name_en": f"City of {place_en}"},
        "columns": ["日付", "地区", subject_ja, "count"],
    }


def _steps(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    before = 0
    for size in sizes:
        yield size, size - before
        before = size


def _fill(exchange: World, template: str, made: list[dict[str, Any]]) -> None:
    url = postgres.libpq_url(str(exchange.settings.database_url))
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(_COPY_DATASETS, [[document["id"] for document in made], template])
        with cursor.copy(_COPY_LISTINGS) as copy:
            for document in made:
                copy.write_row((document["id"], orjson.dumps(document).decode(), document["published_at"]))
    index = SearchIndex(exchange.settings.search_dir)
    for start in range(0, len(made), 10_000):
        index.upsert_many(made[start : start + 10_000])


def _alone(folder: Path, size: int, queries: int) -> None:
    """Build an index outside any exchange and measure it."""
    index = SearchIndex(folder)
    print(f"\n{size} datasets in an index alone")
    if not index.is_usable():
        start, spent = time.perf_counter(), time.process_time()
        index.rebuild(_partly_private(islice(documents(), size)))
        wall, processor = time.perf_counter() - start, time.process_time() - spent
        print(f"  built at {size / wall:.0f} datasets/s, {size / processor:.0f} by second of processor time")
    kept = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"  {kept / size:.0f} bytes a dataset on disk")
    print_spans(_measured(index, queries) | _measured_beside(index, queries))
    search_machines.print_processes(folder)


def _partly_private(made: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, document in enumerate(made):
        yield (
            document if number % PRIVATE_EACH else document | {"audience": GROUPS[number // PRIVATE_EACH % len(GROUPS)]}
        )


def _measured_beside(index: SearchIndex, queries: int) -> Figures:
    """Measure what a member of groups finds, and datasets that are like one."""
    chance, member = random.Random("musubi-queries-3"), Sight(frozenset(GROUPS[:2]))
    texts = [[one["title_ja"], *one["keywords"]] for one in islice(documents(), queries)]
    figures: Figures = {"search of a member of two groups, new": [], "similar datasets": []}
    for number in range(queries):
        asked = asked_of(number, chance)
        for name, deed in zip(
            figures, (partial(_anew, index, asked, member), partial(index.alike, texts[number], "", ALIKE)), strict=True
        ):
            start, spent = time.perf_counter(), time.process_time()
            deed()
            figures[name].append((time.perf_counter() - start, time.process_time() - spent))
    return figures


def asked_of(number: int, chance: random.Random) -> Asked:
    """Return the search of this number: words of one, two and three, with filters now and then, and none at times."""
    place_ja, place_en = chance.choice(PLACES)
    subject_ja, subject_en = chance.choice(SUBJECTS)
    place = places.whole_code(f"{chance.randrange(1, 48):02}000")
    words = chance.choice(
        (subject_ja, subject_en, f"{place_ja} {subject_ja}", f"{place_en} {subject_en}",
         f"{place_ja}の{subject_ja} 月次", f"{place_ja}の{subject_ja} {number % 1000}", chance.choice(MORE))
    )  # fmt: skip
    filters = chance.choice(
        ({}, {}, {}, {"theme": [chance.choice([*Theme])]}, {"region": [place]},
         {"covers_from": ["2015-01-01"], "covers_until": ["2016-12-31"]}, {"bbox": ["139,35,140,36"]})
    )  # fmt: skip
    return (words, filters) if number % 20 else ("", filters)


def _measured(index: SearchIndex, queries: int) -> Figures:
    chance = random.Random("musubi-queries-1")
    searcher = index._searcher()  # noqa: SLF001 - the limit is a query of the library itself
    deeds: dict[str, Callable[[Asked], object]] = {
        "tantivy, one query (the limit)": lambda asked: _raw(searcher, asked[0]),
        "search, new": lambda asked: _anew(index, asked),
        "search, asked again": lambda asked: index.search(*asked, size=PAGE),
        "suggestions": lambda asked: index.suggest(asked[0][:3]),
    }
    figures: Figures = {name: [] for name in deeds}
    for number in range(queries):
        asked = asked_of(number, chance)
        for name, deed in deeds.items():
            start, spent = time.perf_counter(), time.process_time()
            deed(asked)
            figures[name].append((time.perf_counter() - start, time.process_time() - spent))
    return figures


def _anew(index: SearchIndex, asked: Asked, sight: Sight = PUBLIC) -> object:
    index._kept = Kept()  # noqa: SLF001 - as if nobody had asked before
    for kept in (ranking.exact, ranking.wide, ranking.beyond, ranking.loose, meaning.read):
        kept.cache_clear()
    return index.search(*asked, size=PAGE, sight=sight)


def _raw(searcher: Any, words: str) -> Any:
    found = ranking.exact(words)
    step = found.steps[[step.name for step in found.steps].index("words_in_text")] if words else found.steps[0]
    return searcher.search(step.query, PAGE, count=False, order_by_field="standing").hits


def _get(connection: http.client.HTTPConnection, asked: Asked) -> None:
    words, filters = asked
    pairs = [("q", words), ("size", str(PAGE)), *((name, one) for name, values in filters.items() for one in values)]
    connection.request("GET", f"/v1/catalog?{urlencode(pairs)}")
    answer = connection.getresponse()
    if answer.status != 200 or "items" not in orjson.loads(answer.read()):
        raise RuntimeError(f"the search for {words!r} failed: {answer.status}")


def _print_http(exchange: World, queries: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", exchange.settings.port, timeout=60)
    chance, walls = random.Random("musubi-queries-2"), []
    for number in range(queries):
        asked = asked_of(number, chance)
        start = time.perf_counter()
        _get(connection, asked)
        walls.append(time.perf_counter() - start)
    print(f"  {'GET /v1/catalog over HTTP, wall':48} {_spans(walls)}", flush=True)


def print_spans(figures: Figures) -> None:
    """Print p50 and p99 of each, by the clock and of the processor."""
    print(f"  {'':48} {'p50 ms':>8} {'p99 ms':>8}")
    for name, found in figures.items():
        for kind, spans in (("wall", [wall for wall, _ in found]), ("processor", [spent for _, spent in found])):
            print(f"  {f'{name}, {kind}':48} {_spans(spans)}", flush=True)


def _spans(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:8.2f} {statistics.quantiles(seconds, n=100)[98] * 1e3:8.2f}"
