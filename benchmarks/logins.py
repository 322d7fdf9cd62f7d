"""A storm of sign-ins: how long it takes until all are in, and what everybody else notices of it."""

import argparse
import re
import statistics
import threading
import time
from dataclasses import dataclass, field

import requests

from benchmarks import world
from benchmarks.tokens import OWN
from benchmarks.world import World
from marketplace.identity.login import passwords, people
from marketplace.kit.transaction import transaction

PEOPLE, PEOPLE_QUICK = 100, 20
CALM_SECONDS = 5.0
TIMEOUT_SECONDS = 300
PASSWORD = "正しい馬の電池とホチキス"
_MARK = re.compile(r'name="form_token" value="([^"]*)"')


@dataclass
class Others:
    """Somebody whose program keeps asking, and how long each answer took, in seconds."""

    exchange: World
    over: threading.Event = field(default_factory=threading.Event)
    seconds: list[float] = field(default_factory=list)

    def ask(self) -> None:
        """Ask until told to stop; raises where an answer is anything but 200."""
        with requests.Session() as session:
            session.headers["Authorization"] = self.exchange.bearer(self.exchange.buyer)
            while not self.over.is_set():
                start = time.perf_counter()
                session.get(self.exchange.settings.base_url + OWN, timeout=TIMEOUT_SECONDS).raise_for_status()
                self.seconds.append(time.perf_counter() - start)


def main(arguments: list[str]) -> None:
    """Print the latency of a guarded request in calm and in the storm, and how the storm ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks logins")
    parser.add_argument("--quick", action="store_true", help="a smaller storm")
    count = PEOPLE_QUICK if parser.parse_args(arguments).quick else PEOPLE
    with world.installed() as exchange:
        _print_hashing()
        emails = _people(count)
        with exchange.serving():
            calm, _ = _measure(exchange, [])
            storm, tries = _measure(exchange, emails)
    _print_latency("in calm", calm)
    _print_latency(f"while {count} people sign in at once", storm)
    print(f"  median in the storm to median in calm: {statistics.median(storm) / statistics.median(calm):.1f} x")
    waited = sorted(seconds for seconds, _ in tries)
    print(f"  all {count} were in after {waited[-1]:.1f} s (median {statistics.median(waited):.1f} s), with", end=" ")
    print(f"{sum(asked for _, asked in tries)} attempts; those told to come back did so when they were told to")


def _print_hashing() -> None:
    start = time.perf_counter()
    passwords.hash_of(PASSWORD)
    print(f"one password hashed: {(time.perf_counter() - start) * 1000:.0f} ms; {passwords.AT_ONCE} at once at most")


def _people(count: int) -> list[str]:
    emails, known = [f"person{number}@example.jp" for number in range(count)], passwords.hash_of(PASSWORD)
    with transaction():
        for email in emails:
            people.create("計測 太郎", email, known, "ja")
    return emails


def _measure(exchange: World, emails: list[str]) -> tuple[list[float], list[tuple[float, int]]]:
    others, tries = Others(exchange), list[tuple[float, int]]()
    asking = threading.Thread(target=others.ask)
    asking.start()
    storm = [threading.Thread(target=lambda email=email: tries.append(_sign_in(exchange, email))) for email in emails]
    for one in storm:
        one.start()
    for one in storm:
        one.join()
    if not storm:
        time.sleep(CALM_SECONDS)
    others.over.set()
    asking.join()
    if len(tries) != len(emails):
        raise RuntimeError("somebody did not get in")
    return others.seconds, tries


def _sign_in(exchange: World, email: str) -> tuple[float, int]:
    """Sign in as a browser does, coming back when told to; returns the seconds and the attempts that it took."""
    start, page = time.perf_counter(), exchange.settings.base_url + "/sign-in"
    with requests.Session() as browser:
        shown = browser.get(page, timeout=TIMEOUT_SECONDS)
        found = _MARK.search(shown.text)
        if found is None:
            raise RuntimeError(f"{shown.status_code}: no form to sign in with")
        form = {"form_token": found[1], "email": email, "password": PASSWORD}
        for attempt in range(1, 1000):
            answer = browser.post(page, form, allow_redirects=False, timeout=TIMEOUT_SECONDS)
            if answer.status_code == 303:
                return time.perf_counter() - start, attempt
            if answer.status_code != 503:
                raise RuntimeError(f"{answer.status_code}: {answer.text[:500]}")
            time.sleep(float(answer.headers["Retry-After"]))
    raise RuntimeError("never let in")


def _print_latency(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(f"  a guarded request {name:36} p50 {p50 * 1000:7.1f} ms   p99 {p99 * 1000:7.1f} ms   n {len(ordered)}")
