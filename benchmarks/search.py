"""How fast the catalogue answers, against one raw tantivy query on the same index.

The limit finds the twenty newest documents that have all words of the query, and nothing else. A search also ranks
by nearness, counts six facets and gives a cursor; over HTTP it reads the found documents and writes them as JSON.
"""

import argparse
import http.client
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote

import orjson
import psycopg

from benchmarks import machine, world
from benchmarks.world import World
from marketplace.catalog import ranking
from marketplace.catalog.search import SearchIndex
from marketplace.kit import postgres
from marketplace.kit.ids import new_id

SIZES, SIZES_QUICK = (10_000, 100_000), (10_000,)
QUERIES, QUERIES_QUICK = 400, 100
PAGE = 20
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
THEMES = ("population", "tourism", "transport", "disaster", "other")
WORDS = ("人流", "気温", "札幌市 人流", "観光客数 月次", "Sapporo temperature", "bus timetable", "防災施設", "京都", "")
_COPY_DATASETS = """
INSERT INTO dataset SELECT (jsonb_populate_record(d, jsonb_build_object('id', n.id))).*
  FROM unnest(%s::text[]) AS n (id), dataset d WHERE d.id = %s
"""
_COPY_LISTINGS = "COPY listing (dataset_id, document, updated_at) FROM STDIN"


def main(arguments: list[str]) -> None:
    """Print p50 and p99 in milliseconds at each size, and the ratio of the medians to the raw query."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks search")
    parser.add_argument("--quick", action="store_true", help="10 k datasets only")
    quick = parser.parse_args(arguments).quick
    queries = QUERIES_QUICK if quick else QUERIES
    with world.installed() as exchange:
        template = exchange.draft()[1]
        made = documents()
        with exchange.serving() as process_id:
            for size, step in _steps(SIZES_QUICK if quick else SIZES):
                start = time.perf_counter()
                _fill(exchange, template, list(islice(made, step)))
                built = time.perf_counter() - start
                print(f"\n{size} datasets ({step} entered in {built:.0f} s); {queries} queries each, one at a time")
                _print(_measured(exchange, queries))
                used = machine.memory_bytes(process_id)[1] / 2**20
                print(f"  memory of the server (PSS) afterwards: {used:.0f} MiB")


def documents() -> Iterator[dict[str, Any]]:
    """Yield public documents of synthetic datasets in Japanese and English, alike every time but for their ids."""
    chance = random.Random("musubi-search-1")
    while True:
        yield _described(chance) | {
            "id": new_id("ds"),
            "themes": [chance.choice(THEMES)],
            "region": f"{chance.randrange(1, 48):02d}0001",
            "language": "ja",
            "frequency": chance.choice(("DAILY", "MONTHLY", "ANNUAL")),
            "formats": [chance.choice(("csv", "xlsx", "geojson", "parquet"))],
            "price_classes": [chance.choice(("free", "one_off", "metered"))],
            "published_at": f"2026-{chance.randrange(1, 12):02d}-{chance.randrange(1, 28):02d}T00:00:00.000000Z",
            "releases": [],
            "offers": [],
        }


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


def _measured(exchange: World, queries: int) -> dict[str, list[float]]:
    index = SearchIndex(exchange.settings.search_dir)
    connection = http.client.HTTPConnection("127.0.0.1", exchange.settings.port, timeout=60)
    searcher = index._searcher()  # noqa: SLF001 - the limit is a query of the library itself
    deeds: dict[str, Callable[[str], object]] = {
        "tantivy, one query (the limit)": lambda words: _raw(searcher, words),
        "SearchIndex: ranks, facets, cursor": index.search,
        "GET /v1/catalog over HTTP": lambda words: _get(connection, words),
    }
    figures: dict[str, list[float]] = {name: [] for name in deeds}
    for words in WORDS:
        for deed in deeds.values():
            deed(words)
    for number in range(queries):
        words = WORDS[number % len(WORDS)]
        for name in random.sample(list(deeds), len(deeds)):
            start = time.perf_counter()
            deeds[name](words)
            figures[name].append((time.perf_counter() - start) * 1e3)
    return figures


def _raw(searcher: Any, words: str) -> Any:
    farthest = ranking.exact_steps(words)[-1].query
    return searcher.search(farthest, PAGE, count=False, order_by_field="recency").hits


def _get(connection: http.client.HTTPConnection, words: str) -> None:
    connection.request("GET", f"/v1/catalog?size={PAGE}&q={quote(words)}")
    answer = connection.getresponse()
    if answer.status != 200 or not orjson.loads(answer.read())["items"]:
        raise RuntimeError(f"the search for {words!r} failed: {answer.status}")


def _print(figures: dict[str, list[float]]) -> None:
    limit = statistics.median(next(iter(figures.values())))
    print(f"  {'':44} {'p50 ms':>8} {'p99 ms':>8} {'p50 to the limit':>18}")
    for name, found in figures.items():
        p50, p99 = statistics.median(found), statistics.quantiles(found, n=100)[98]
        print(f"  {name:44} {p50:8.2f} {p99:8.2f} {p50 / limit:17.1f}x", flush=True)
