"""The catalogue in other people's formats: pages, single datasets, each known already or not, and whole copies.

The limit of a whole copy is PostgreSQL's own COPY of the same documents to the same client. The pages are written
beside rdflib, which makes a graph of the same datasets and writes that.
"""

import argparse
import http.client
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import psycopg

from benchmarks import machine, search, world
from benchmarks.world import World
from marketplace.kit import clock, postgres
from marketplace.licensing.queries import get_terms, usage_terms
from marketplace.protocols.catalogue import dcat_catalogue, json_ld, rdf_xml, turtle
from marketplace.protocols.catalogue.entries import Entry
from marketplace.protocols.catalogue.site import Site

SIZES, SIZES_QUICK, MILLION = (5_000, 100_000), (5_000,), 1_000_000
ROUNDS, ROUNDS_QUICK = 100, 20
PAGE = 100
LISTS = ("/catalog.jsonld", "/catalog.ttl", "/catalog.rdf", "/catalog.atom", "/sitemap.xml")
WHOLE = ("jsonld", "ttl", "rdf")
BESIDE = (".jsonld", ".ttl", ".rdf", "/croissant.json", "/datapackage.json", "/cadde.json")
WRITERS = {"json-ld": json_ld.written, "turtle": turtle.written, "xml": rdf_xml.written}
CONTACT = {"contact_name": "情報政策課", "contact_url": "https://www.example.jp/", "contact_email": "data@example.jp"}
REST = CONTACT | {"trust_required": None, "assurance_required": None, "links": [], "releases_total": 1}
CSV = "日付,地区,人数,count\n" + "".join(f"2026-11-{day:02},中央,{day * 7},{day}\n" for day in range(1, 29))


def main(arguments: list[str]) -> None:
    """Print milliseconds of pages and documents, and datasets a second of whole copies, at each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks formats")
    parser.add_argument("--quick", action="store_true", help="5 k datasets only")
    parser.add_argument("--million", action="store_true", help="a million datasets too (some 3 GB of database)")
    parser.add_argument(
        "--size", type=int, action="append", help="this many datasets, in place of all that; again for more"
    )
    parser.add_argument(
        "--whole", choices=WHOLE, action="append", help="whole copies in this format alone; again for more"
    )
    asked = parser.parse_args(arguments)
    sizes = asked.size or (SIZES_QUICK if asked.quick else SIZES + ((MILLION,) if asked.million else ()))
    rounds = ROUNDS_QUICK if asked.quick else ROUNDS
    with world.installed() as exchange, tempfile.TemporaryDirectory() as folder:
        listed = _listed(exchange, Path(folder))
        made, before = _documents(listed), 0
        _print_rdflib(exchange, list(islice(_documents(listed), PAGE)))
        with exchange.serving() as process_id:
            for size in sizes:
                last = _fill(exchange, listed["id"], islice(made, size - before))
                before = size
                print(f"\n{size} datasets; {rounds} requests each, one at a time")
                _print_requests(exchange, [*LISTS, *(f"/catalog/{last}{one}" for one in BESIDE)], rounds)
                _print_copies(exchange, size, process_id, asked.whole or WHOLE)


def _listed(exchange: World, folder: Path) -> dict[str, Any]:
    """List one dataset with a file and an offer; returns its public document."""
    file = folder / "人流.csv"
    file.write_text(CSV, encoding="utf-8")
    dataset_id = exchange.shop([file]).dataset_id
    with psycopg.connect(_url(exchange)) as connection:
        [document] = (
            connection.execute("SELECT document FROM listing WHERE dataset_id = %s", [dataset_id]).fetchone() or ()
        )
    return dict(document)


def _documents(listed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in search.documents():
        publisher = one["publisher"] | {"corporate_number": "9000020011002"}
        yield one | REST | {name: listed[name] for name in ("releases", "offers")} | {"publisher": publisher}


def _fill(exchange: World, template: str, made: Iterator[dict[str, Any]]) -> str:
    """Put datasets with their documents into the database alone; returns the id of the last one."""
    last = ""
    with psycopg.connect(_url(exchange)) as connection, connection.cursor() as cursor:
        while some := list(islice(made, 10_000)):
            cursor.execute(search._COPY_DATASETS, [[one["id"] for one in some], template])  # noqa: SLF001 - a sister's
            with cursor.copy(search._COPY_LISTINGS) as copy:  # noqa: SLF001 - as above
                for one in some:
                    copy.write_row((one["id"], orjson.dumps(one).decode(), one["published_at"]))
            last = some[-1]["id"]
    with psycopg.connect(_url(exchange), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE listing")
    return last


def _print_requests(exchange: World, paths: list[str], rounds: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", exchange.settings.port, timeout=600)
    for path in paths:
        size, tag, _ = _get(connection, path)
        anew = [_get(connection, path)[2] for _ in range(rounds)]
        known = [_get(connection, path, {"If-None-Match": tag})[2] for _ in range(rounds)]
        named = path.rpartition("ds_")[2][32:] or path
        print(f"  {named:16} {_spans(anew)}   known already {_spans(known)}   {size:,} bytes", flush=True)


def _get(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str] | None = None
) -> tuple[int, str, float]:
    began = time.perf_counter()
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    size = len(answer.read())
    spent = time.perf_counter() - began
    if answer.status != (304 if headers else 200):
        raise RuntimeError(f"{path}: {answer.status}")
    return size, answer.headers["ETag"], spent


def _print_copies(exchange: World, size: int, process_id: int, suffixes: Sequence[str]) -> None:
    limit = _copied(exchange)
    before = machine.memory_bytes(process_id)[1]
    for suffix in suffixes:
        connection = http.client.HTTPConnection("127.0.0.1", exchange.settings.port, timeout=7_200)
        began = time.perf_counter()
        connection.request("GET", f"/catalog/all.{suffix}")
        answer, got, most = connection.getresponse(), 0, 0
        while piece := answer.read(2**22):
            got += len(piece)
            most = max(most, machine.memory_bytes(process_id)[1])
        spent = time.perf_counter() - began
        rate = f"{size / spent:,.0f} datasets/s, {got / 2**20 / spent:.1f} MiB/s, {got / 2**20:,.0f} MiB"
        grown = f"memory of the server (PSS) +{max(0, most - before) / 2**20:.0f} MiB"
        print(f"  whole as {suffix:6} {rate}, {spent / limit:.1f} x COPY; {grown}", flush=True)


def _copied(exchange: World) -> float:
    """Return the seconds in which PostgreSQL hands out the same documents, and nobody does anything with them."""
    with psycopg.connect(_url(exchange)) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        with cursor.copy("COPY (SELECT document, updated_at FROM listing ORDER BY dataset_id) TO STDOUT") as copy:
            for _ in copy:
                pass
        return time.perf_counter() - began


def _print_rdflib(exchange: World, made: list[dict[str, Any]]) -> None:
    import rdflib

    with exchange.app.app_context():
        names = {offer["terms_sha256"] for one in made for offer in one["offers"]}
        terms = {name: usage_terms(get_terms(name)) for name in names}
    entries = [Entry(one, clock.now(), terms) for one in made]
    print(f"{len(entries)} datasets written, and by rdflib out of a graph that is there already")
    for notation, write in WRITERS.items():
        began = time.perf_counter()
        text = "".join(write(dcat_catalogue.nodes(entries, Site("https://data.example.jp"), None, None)))
        ours = time.perf_counter() - began
        graph = rdflib.Graph().parse(data=text, format=notation)
        began = time.perf_counter()
        graph.serialize(format=notation)
        theirs = time.perf_counter() - began
        both = f"{ours * 1000:7.1f} ms, rdflib {theirs * 1000:7.1f} ms ({theirs / ours:.0f} x)"
        print(f"  {notation:8} {both}, {len(graph):,} triples")


def _url(exchange: World) -> str:
    return postgres.libpq_url(str(exchange.settings.database_url))


def _spans(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return (
        f"p50 {statistics.median(ordered) * 1000:7.2f} ms, p99 {ordered[int(len(ordered) * 0.99) - 1] * 1000:7.2f} ms"
    )
