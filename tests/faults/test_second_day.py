"""Two servers on one database and one data folder, and a search index that was lost."""

import multiprocessing
import shutil
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import text

from marketplace.access.models import Grant
from marketplace.audit.verbs import Verb
from marketplace.billing.models import Invoice
from marketplace.demo.party import DemoFailed
from marketplace.kit.db import db
from tests.faults.started import Live, pay
from tests.faults.world import assert_sold_once, at_once, count, entries
from tests.live import Exchange, wait_until

ORDERS = 12


def found(live: Live, base_url: str | None = None) -> bool:
    """Whether the catalogue finds the dataset by its Japanese title."""
    party = live.buyer()
    party.base_url = base_url or live.base_url
    try:
        page = party.get("/v1/catalog", q="大通公園")
    except DemoFailed:
        return False  # the index is not whole yet
    return live.world.dataset_id in {item["id"] for item in page["items"]}


class Second(Exchange):
    """Another server of the same installation."""

    @property
    def data_dir(self) -> Path:
        return self.settings_of_first

    settings_of_first: Path = Path()


def second_server(live: Live, tmp_path: Path) -> Exchange:
    folder = tmp_path / "second"
    folder.mkdir()
    made = Second(folder, live.exchange.database_url)
    made.settings_of_first = live.exchange.data_dir
    return made


def test_two_servers_on_one_database_do_each_job_once(live: Live, tmp_path: Path) -> None:
    other = second_server(live, tmp_path)
    try:
        other.start()
        offer = live.world.offer()
        placed = [live.place(offer, str(uuid.uuid4())).json() for _ in range(ORDERS)]
        at_once([lambda order=order: pay(live, order) for order in placed])
        for order in placed:
            live.wait_fulfilled(order["id"])
            assert_sold_once(order["id"])
        assert count(Grant) == count(Invoice) == len(entries(Verb.GRANT_ISSUED)) == ORDERS
        assert wait_until("the search index", lambda: found(live) and found(live, other.base_url))
        other.kill()
        late = live.place(offer).json()
        pay(live, late)
        live.wait_fulfilled(late["id"])
        assert_sold_once(late["id"])
        live.wait_idle()
        live.assert_sound()
    finally:
        other.close()


def hold_writer(directory: str, held: Any, free: Any) -> None:
    """Write the search index in another process for as long as told."""
    import tantivy

    from marketplace.catalog import entries

    writer = tantivy.Index(entries.schema(), directory).writer(15_000_000, 1)
    held.set()
    free.wait(180)
    writer.rollback()
    writer.wait_merging_threads()


def test_a_busy_search_index_puts_the_update_off_and_loses_nothing(live: Live) -> None:
    wait_until("the search index", lambda: found(live))
    context = multiprocessing.get_context("spawn")
    held, free = context.Event(), context.Event()
    directory = str(live.exchange.data_dir / "search")
    writer = context.Process(target=hold_writer, args=(directory, held, free))
    writer.start()
    try:
        assert held.wait(180)
        live.provider().post(f"/v1/datasets/{live.world.dataset_id}/withdraw")
        wait_until("the job to fail", lambda: put_off() > 0)
        assert put_off() > 0
    finally:
        free.set()
        writer.join(180)
    wait_until("the update", lambda: put_off() == 0)
    wait_until("the dataset to be gone", lambda: not found(live))


def put_off() -> int:
    db.session.rollback()
    query = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'catalog.index' AND attempts > 0"
    return db.session.execute(text(query)).scalar() or 0


def test_a_search_index_that_was_lost_is_made_anew_at_the_next_start(live: Live) -> None:
    wait_until("the search index", lambda: found(live))
    live.exchange.stop()
    shutil.rmtree(live.exchange.data_dir / "search")
    live.exchange.restart()
    wait_until("the search index", lambda: found(live))
    live.wait_idle()


def test_a_damaged_search_index_is_made_anew_at_the_next_start(live: Live) -> None:
    wait_until("the search index", lambda: found(live))
    live.wait_idle()
    live.exchange.kill()
    (live.exchange.data_dir / "search" / "meta.json").write_text("{", encoding="utf-8")
    live.exchange.restart()
    wait_until("the search index", lambda: found(live))
