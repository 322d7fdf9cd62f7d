"""How many purchases a second, against PostgreSQL's own TPC-B on the same server.

TPC-B is four short statements and an insert in one transaction; a purchase is an idempotency key, an order, an
acceptance check, a grant with its releases and quota, and four audit entries. Both are durable when acknowledged.
"""

import argparse
import http.client
import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial

from sqlalchemy.engine import make_url

from benchmarks import machine, world
from benchmarks.world import Shop, World

CLIENTS = 8
SCALE = 10
ROUNDS, SECONDS = 5, 3.0
ROUNDS_QUICK, SECONDS_QUICK = 2, 1.5


def main(arguments: list[str]) -> None:
    """Print purchases a second over HTTP and in this process, and their ratio to TPC-B."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks purchase")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if parser.parse_args(arguments).quick else (ROUNDS, SECONDS)
    print(f"{CLIENTS} clients; the server is one process on one core; rounds: {rounds} of {seconds:g} s")
    with world.installed() as exchange:
        shop = exchange.shop([machine.file_of(10 * 1024)])
        bearer = exchange.bearer(exchange.buyer)
        with exchange.serving() as process_id:
            deeds = {
                f"pgbench TPC-B, scale {SCALE} (the limit)": partial(tpcb, exchange, seconds),
                "POST /v1/orders, free offer": lambda: over_http(exchange, shop, bearer, seconds),
                "the purchase story in one process": lambda: in_process(exchange, shop, seconds),
            }
            for deed in deeds.values():
                deed()
            machine.print_ratios(machine.shuffled_rounds(deeds, rounds), "transactions/s")
            _print_cost(exchange, shop, bearer, seconds, process_id)


def tpcb(exchange: World, seconds: float, clients: int = CLIENTS) -> float:
    """Run pgbench in a database of its own on the exchange's server and return its transactions a second."""
    url = make_url(str(exchange.settings.database_url))
    place = ["-h", str(url.query["host"]), "-U", str(url.username), "pgbench"]
    program = machine.postgresql_program("pgbench")
    if exchange.create_database("pgbench"):
        subprocess.run([program, "-i", "-q", "-s", str(SCALE), *place], check=True, capture_output=True)
    command = [program, "-n", "-c", str(clients), "-j", "1", "-T", str(max(1, round(seconds))), *place]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.findall(r"tps = ([0-9.]+)", told)[0])


def over_http(exchange: World, shop: Shop, bearer: str, seconds: float) -> float:
    """Place orders over several connections and return how many a second were acknowledged."""
    body = json.dumps({"offer_id": shop.offer_id, "accept_terms_sha256": shop.terms_sha256})

    def client(over: Callable[[], bool]) -> int:
        placed = 0
        connection = http.client.HTTPConnection("127.0.0.1", exchange.settings.port, timeout=60)
        headers = {"Authorization": bearer, "Content-Type": "application/json"}
        while not over():
            connection.request("POST", "/v1/orders", body, headers | {"Idempotency-Key": str(uuid.uuid4())})
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != 201:
                raise RuntimeError(f"{answer.status}: {told[:500]!r}")
            placed += 1
        connection.close()
        return placed

    return per_second(client, seconds)


def in_process(exchange: World, shop: Shop, seconds: float, clients: int = CLIENTS) -> float:
    """Tell the purchase story on several threads and return how often a second."""

    def client(over: Callable[[], bool]) -> int:
        told = 0
        while not over():
            with exchange.app.app_context():
                exchange.buy(shop.offer_id, shop.terms_sha256)
            told += 1
        return told

    return per_second(client, seconds, clients)


def per_second(client: Callable[[Callable[[], bool]], int], seconds: float, clients: int = CLIENTS) -> float:
    """Run the client on several threads until its ``over()`` is true; return the sum of its counts a second."""
    counts: list[int] = []
    start = time.perf_counter()

    def run() -> None:
        counts.append(client(lambda: time.perf_counter() - start > seconds))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < clients:
        raise RuntimeError("a client failed")
    return sum(counts) / (time.perf_counter() - start)


def _print_cost(exchange: World, shop: Shop, bearer: str, seconds: float, process_id: int) -> None:
    before = machine.cpu_seconds(process_id), machine.cpu_seconds(exchange.database_process)
    placed = over_http(exchange, shop, bearer, seconds) * seconds
    after = machine.cpu_seconds(process_id), machine.cpu_seconds(exchange.database_process)
    server, database = ((late - early) / placed * 1e6 for late, early in zip(after, before, strict=True))
    print(f"  one order over HTTP costs {server:.0f} us of processor time, and {database:.0f} in the database")
