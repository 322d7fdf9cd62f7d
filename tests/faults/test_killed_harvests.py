"""`kill -9` of a harvest in the middle, and several workers at one run: each record is there once, the report whole."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select, text

from marketplace.catalog import listings
from marketplace.catalog.harvesting import queries, service
from marketplace.catalog.harvesting.models import HarvestLine, HarvestRecord, HarvestRun
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.models import Dataset
from marketplace.exchange import harvesting
from marketplace.exchange.harvest_fetching import Reach
from marketplace.kit.db import db
from marketplace.kit.postgres import libpq_url
from marketplace.kit.transaction import transaction
from tests.factories import ckan_site
from tests.factories.ckan_site import Site, package
from tests.factories.identity import OrganizationFactory, actor_of
from tests.faults.world import count
from tests.live import ROOT, command, environment, wait_until

RECORDS = 350
WORKERS = 4


@pytest.fixture
def site() -> Iterator[Site]:
    with ckan_site.started() as made:
        made.packages = [package(number) for number in range(RECORDS)]
        yield made


@contextmanager
def harvesting_process(site: Site, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """The command as a newcomer gives it, in a process of its own."""
    arguments = [sys.executable, "-m", "marketplace", "harvest", site.address, "--as", "見本市"]
    with subprocess.Popen(arguments, env=environment(**settings), cwd=ROOT, stdout=subprocess.PIPE, text=True) as one:
        try:
            yield one
        finally:
            one.kill()


def die_waiting(url: str, site: Site, **settings: object) -> None:
    """Kill the process while the site has not answered its third question for records."""
    asked, let_go = threading.Event(), threading.Event()

    def hold(_site: Site, path: str, said: dict[str, str]) -> None:
        if "package_search" in path and said["start"] == "200":
            asked.set()
            let_go.wait(180)

    site.odd = hold
    with harvesting_process(site, **settings) as process:
        assert asked.wait(180)
        process.send_signal(signal.SIGKILL)
        process.wait(180)
    let_go.set()
    site.odd = None


def die_writing(url: str, site: Site, **settings: object) -> None:
    """Kill the process inside a transaction that has written datasets, and waits for a table to report them in."""
    with psycopg.connect(libpq_url(url)) as ours:

        def lock(_site: Site, path: str, said: dict[str, str]) -> None:
            if "package_search" in path and said["start"] == "200":
                ours.execute("LOCK TABLE search_change IN EXCLUSIVE MODE")

        site.odd = lock
        with harvesting_process(site, **settings) as process:
            wait_until("the process to be inside its transaction", lambda: waiting(url))
            process.send_signal(signal.SIGKILL)
            process.wait(180)
    site.odd = None


def waiting(url: str) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(libpq_url(url)) as look:
        return look.execute(query).fetchone() == (1,)


@pytest.mark.parametrize("die", [die_waiting, die_writing])
def test_a_killed_harvest_goes_on_where_it_was_and_reports_each_record_once(
    own_database: Flask, site: Site, tmp_path: Path, die: object
) -> None:
    url = db.engine.url.render_as_string(hide_password=False)
    settings = {"database_url": libpq_url(url), "marketplace_data_dir": tmp_path / "data"}
    assert callable(die)
    die(url, site, **settings)
    wait_until("the database to notice", lambda: not waiting(url))
    db.session.rollback()
    cut_off = db.session.scalars(select(HarvestRun)).one()
    assert (cut_off.state, cut_off.position, count(Dataset)) == ("running", 2, 200)

    site.asked.clear()
    again = command("harvest", site.address, **settings)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"run {cut_off.id} was cut off after 2 batches and goes on" in again.stdout
    assert f"{RECORDS} created, 0 changed, 0 unchanged, 0 refused, 0 vanished" in again.stdout
    assert sum("package_search" in path for path in site.asked) == 2
    assert_whole_and_once(site, cut_off.id)


def assert_whole_and_once(site: Site, run_id: str) -> None:
    """Each record is one dataset, one listing and one line, and the record of the exchange names each once."""
    db.session.rollback()
    run = queries.find_run(run_id)
    assert run is not None
    assert (run.state, run.created, run.position) == ("done", RECORDS, 4)
    assert count(HarvestRun) == 1
    origins = sorted(one["id"] for one in site.packages)
    assert sorted(db.session.scalars(select(Dataset.origin_id))) == origins
    assert sorted(db.session.scalars(select(HarvestRecord.record_id))) == origins
    lines = db.session.execute(select(HarvestLine.record_id, HarvestLine.outcome)).all()
    assert sorted(tuple(line) for line in lines) == [(one, "created") for one in origins]
    assert listings.count_listings() == RECORDS
    imported = text("SELECT count(*), count(DISTINCT subject) FROM audit_entry WHERE verb = 'catalog.dataset.imported'")
    assert tuple(db.session.execute(imported).one()) == (RECORDS, RECORDS)


def test_of_workers_that_have_fetched_the_same_page_one_takes_it_over(own_database: Flask, site: Site) -> None:
    with transaction():
        provider = actor_of(OrganizationFactory(provider=True))
        harvest = service.set_harvest(provider, HarvestDraft(site.address))
        run_id = service.begin_run(provider, harvest.id).id
    together = threading.Barrier(WORKERS, timeout=180)

    def meet(_site: Site, path: str, said: dict[str, str]) -> None:
        if "package_search" in path and said["start"] == "0":
            together.wait()

    site.odd = meet

    def work(_n: int) -> None:
        with own_database.app_context():
            harvesting.carry_on(run_id, Reach(within=True, pause_seconds=0.0))

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
    assert sum("package_search" in path for path in site.asked) == WORKERS + 3
    assert_whole_and_once(site, run_id)
    assert db.session.scalar(select(func.sum(HarvestRun.created))) == RECORDS
