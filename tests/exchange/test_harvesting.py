"""Taking over a CKAN site from a really started server: whole, again, in parts, killed, and against its will."""

import copy
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings
from marketplace.catalog.harvesting import queries, service
from marketplace.catalog.harvesting.errors import HarvestRunning
from marketplace.catalog.harvesting.models import HarvestRecord, HarvestRun
from marketplace.catalog.harvesting.rules import FILE, HarvestDraft
from marketplace.catalog.harvesting.states import HarvestProblem, HarvestSchedule, Outcome, RecordReason, SourceKind
from marketplace.catalog.models import Dataset
from marketplace.exchange import harvest_fetching, harvesting, showcase
from marketplace.exchange.harvest_fetching import Reach
from marketplace.exchange.harvest_walks import Step
from marketplace.exchange.listing import withdraw_dataset
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.transaction import transaction
from tests.factories import ckan_site
from tests.factories.ckan_site import Site, package
from tests.factories.identity import OrganizationFactory, actor_of

COUNTS = ("created", "changed", "unchanged", "refused", "vanished")


@pytest.fixture
def site() -> Iterator[Site]:
    with ckan_site.started() as made:
        made.packages = [package(number) for number in range(250)]
        yield made


@pytest.fixture
def provider(app: Flask) -> Actor:
    return actor_of(OrganizationFactory(provider=True))


def begun(provider: Actor, address: str, kind: SourceKind = SourceKind.CKAN, **how: Any) -> str:
    with transaction():
        held = service.set_harvest(provider, HarvestDraft(address, kind))
        return service.begin_run(provider, held.id, **how).id


def reach(**how: Any) -> Reach:
    return Reach(within=True, pause_seconds=0.0, **how)


def harvested(provider: Actor, site: Site, **how: Any) -> HarvestRun:
    run_id = begun(provider, site.address, **how)
    harvesting.carry_on(run_id, reach())
    return ended(run_id)


def ended(run_id: str) -> HarvestRun:
    run = queries.find_run(run_id)
    assert run is not None
    return run


def counts(run: HarvestRun) -> dict[str, int]:
    return {name: getattr(run, name) for name in COUNTS if getattr(run, name)}


def datasets() -> int:
    return db.session.scalar(select(func.count()).select_from(Dataset)) or 0


def test_a_site_is_taken_over_whole_listed_and_on_the_record(provider: Actor, site: Site) -> None:
    run = harvested(provider, site)
    assert (run.state, run.problem, counts(run)) == ("done", None, {"created": 250})
    assert datasets() == listings.count_listings() == 250
    dataset = db.session.scalars(select(Dataset).where(Dataset.origin_id == site.packages[7]["id"])).one()
    assert dataset.source == site.packages[7]
    assert dataset.update_frequency == "ANNUAL"
    imported = select(func.count()).where(Entry.verb == Verb.DATASET_IMPORTED.value)
    assert db.session.scalar(imported) == 250
    assert db.session.scalar(select(Entry.facts).where(Entry.verb == Verb.HARVEST_ENDED.value)) == {
        "created": 250, "changed": 0, "unchanged": 0, "refused": 0, "vanished": 0, "dry_run": False,
    }  # fmt: skip


def test_again_asks_for_what_changed_alone_and_makes_nothing_twice(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    site.asked.clear()
    site.packages[3] |= {"title": "新しい名前", "metadata_modified": "2026-01-02T00:00:00.000000"}
    run = harvested(provider, site)
    assert counts(run)["changed"] == 1
    assert datasets() == 250
    assert sum(counts(run).values()) < 20  # the records of the newest instant come once more
    title = select(Dataset.title_ja).where(Dataset.origin_id == site.packages[3]["id"])
    assert db.session.scalar(title) == "新しい名前"
    whole = harvested(provider, site, is_full=True)
    assert counts(whole) == {"unchanged": 250}


def test_what_vanished_is_flagged_and_back_again_when_it_comes_again(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    lost = site.packages.pop(5)
    run = harvested(provider, site)
    assert counts(run)["vanished"] == 1
    [line] = queries.list_lines(run.id, outcome=Outcome.VANISHED).items
    assert (line.record_id, line.title) == (lost["id"], lost["title"])
    held = select(HarvestRecord.vanished_at).where(HarvestRecord.record_id == lost["id"])
    assert db.session.scalar(held) is not None
    assert listings.is_listed(str(line.dataset_id))
    site.packages.append(lost)
    harvested(provider, site, is_full=True)
    assert db.session.scalar(held) is None
    assert datasets() == 250


def test_most_of_a_catalogue_does_not_vanish_at_once(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    del site.packages[20:]
    run = harvested(provider, site, is_full=True)
    assert (run.state, run.problem, run.detail, run.vanished) == ("done", "implausible", "230 of 250", 0)
    flagged = select(func.count()).select_from(HarvestRecord).where(HarvestRecord.vanished_at.is_not(None))
    assert db.session.scalar(flagged) == 0


def test_a_dry_run_reports_and_changes_nothing(provider: Actor, site: Site) -> None:
    run = harvested(provider, site, dry_run=True)
    assert counts(run) == {"created": 250}
    assert datasets() == listings.count_listings() == 0
    assert len(queries.list_lines(run.id, size=100).items) == 100
    assert counts(harvested(provider, site)) == {"created": 250}


def test_what_is_listed_at_once_is_what_would_be_listed_one_by_one(provider: Actor, site: Site) -> None:
    site.packages = [package(number, number % 4) for number in range(12)]
    site.packages[3]["notes"] = "ライセンスは CC BY 3.0 です。"
    with clock.stopped(clock.now()):
        harvested(provider, site)
        for dataset in db.session.scalars(select(Dataset)):
            listed = listings.find_listing(dataset.id)
            assert listed is not None
            assert listed.document == json.loads(json.dumps(showcase.document(dataset)))
    waiting = text("SELECT (SELECT count(*) FROM search_waiting), (SELECT count(*) FROM search_change)")
    assert tuple(db.session.execute(waiting).one()) == (12, 12)


class Killed(BaseException):
    """The process ends here."""


def test_a_run_that_was_killed_goes_on_after_the_last_batch_that_was_kept(provider: Actor, site: Site) -> None:
    run_id = begun(provider, site.address)

    def kill(_step: Step) -> None:
        raise Killed

    with pytest.raises(Killed):
        harvesting.carry_on(run_id, reach(), kill)
    assert (ended(run_id).state, ended(run_id).position, datasets()) == ("running", 1, 100)
    with pytest.raises(HarvestRunning), transaction():
        service.begin_run(provider, ended(run_id).harvest_id)
    site.asked.clear()
    harvesting.carry_on(run_id, reach())
    assert counts(ended(run_id)) == {"created": 250}
    assert datasets() == 250
    assert sum("package_search" in path for path in site.asked) == 2
    harvesting.carry_on(run_id, reach())
    assert counts(ended(run_id)) == {"created": 250}


def test_refused_records_say_why_and_hold_up_nobody(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    with transaction():
        gone = db.session.scalars(select(Dataset).where(Dataset.origin_id == site.packages[0]["id"])).one()
        withdraw_dataset(provider, gone.id)
    site.packages = [
        package(0, title="changed"),
        package(900, private=True),
        package(901, id=""),
        package(902, id="x" * 500),
        package(903, title="", name=""),
        package(904, notes="a\0b"),
        package(905),
        *site.packages[1:],
    ]
    run = harvested(provider, site, is_full=True)
    assert counts(run) == {"created": 1, "unchanged": 249, "refused": 6}
    told = {line.title: line.reason for line in queries.list_lines(run.id, outcome=Outcome.REFUSED).items}
    assert told["changed"] == RecordReason.WITHDRAWN
    assert sorted(told.values()) == ["private", *["unreadable"] * 4, "withdrawn"]


def test_a_record_that_is_another_catalogues_already_stays_theirs(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    with ckan_site.started() as mirror:
        mirror.packages = [*copy.deepcopy(site.packages[:3]), package(999)]
        mirror.packages[0]["title"] = "別の名前"
        run = harvested(provider, mirror)
    assert counts(run) == {"created": 1, "refused": 3}
    assert {line.reason for line in queries.list_lines(run.id, outcome=Outcome.REFUSED).items} == {"held_elsewhere"}
    assert datasets() == 251


def unsearchable(_site: Site, path: str, _asked: dict[str, str]) -> tuple[int, bytes] | None:
    return (404, b"{}") if "package_search" in path else None


def test_a_site_without_search_is_read_by_its_list_of_names(provider: Actor, site: Site) -> None:
    site.packages = site.packages[:45]
    site.odd = unsearchable
    assert counts(harvested(provider, site)) == {"created": 45}
    site.packages[3]["title"] = "新しい名前"
    assert counts(harvested(provider, site)) == {"changed": 1, "unchanged": 44}


def always(status: int, body: bytes) -> ckan_site.Odd:
    return lambda _site, _path, _asked: (status, body)


def the_first_page_for_ever(site: Site, path: str, asked: dict[str, str]) -> tuple[int, bytes] | None:
    if "package_search" in path:
        return ckan_site.told({"count": 10**9, "results": site.packages[:50]})
    return None


DEEP = b'{"success": true, "result": ' + b"[" * 100_000
HOSTILE: dict[str, tuple[ckan_site.Odd, HarvestProblem]] = {
    "it points elsewhere": (always(302, b""), HarvestProblem.REDIRECT),
    "it is no JSON": (always(200, b"<html>"), HarvestProblem.UNREADABLE),
    "it nests without end": (always(200, DEEP), HarvestProblem.UNREADABLE),
    "it is of another form": (always(200, b'{"success": true, "result": 7}'), HarvestProblem.UNREADABLE),
    "it comes again and again": (the_first_page_for_ever, HarvestProblem.LOOP),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_site_ends_the_run_with_a_plain_reason(provider: Actor, site: Site, name: str) -> None:
    site.odd, problem = HOSTILE[name]
    run = harvested(provider, site)
    assert (run.state, run.problem) == ("failed", problem.value)
    assert run.ended_at is not None


def test_a_page_that_is_too_large_is_asked_for_in_parts(
    provider: Actor, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harvest_fetching, "PAGE_BYTES_MAX", 30_000)
    site.packages = site.packages[:40]
    site.packages[17]["notes"] = "長" * 40_000
    run = harvested(provider, site)
    assert counts(run) == {"created": 39, "refused": 1}
    assert "larger than a page" in queries.list_lines(run.id, outcome=Outcome.REFUSED).items[0].title


def test_only_those_who_hold_the_machine_reach_into_it(provider: Actor, site: Site) -> None:
    run_id = begun(provider, site.address)
    harvesting.carry_on(run_id, Reach(pause_seconds=0.0))
    assert (ended(run_id).state, ended(run_id).problem) == ("failed", "refused")
    assert site.asked == []
    with pytest.raises(Invalid), transaction():
        harvesting.name_harvest(provider, HarvestDraft(site.address))
    outside = begun(provider, "http://93.184.216.34/")
    harvesting.carry_on(outside, reach())
    assert ended(outside).problem == "refused"


def test_the_clock_begins_what_is_due_and_a_failure_is_tried_again_sooner(provider: Actor) -> None:
    draft = HarvestDraft("https://data.example.jp/", schedule=HarvestSchedule.WEEKLY)
    with transaction():
        held = harvesting.name_harvest(provider, draft)
    harvesting.harvest_due()
    run = queries.find_running(held.id)
    assert run is not None
    waiting = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'catalog.harvest'")
    assert db.session.scalar(waiting) == 1
    harvesting.harvest_due()
    assert db.session.scalar(waiting) == 1
    with transaction():
        at = service.find_at(run.id)
        assert at is not None
        service.fail(at, HarvestProblem.UNREACHABLE, "")
    next_at = queries.get_own_harvest(provider, held.id).next_at
    assert next_at is not None
    assert (next_at - clock.now()).total_seconds() < 3_700


def test_the_real_records_of_a_city_come_from_a_file_whole_and_once(provider: Actor, shared_data: Path) -> None:
    path = shared_data / "tokyo_ckan_sample300.jsonl.gz"
    for expected in ({"created": 300}, {"unchanged": 300}):
        run_id = begun(provider, f"{FILE}{path.name}", SourceKind.PACKAGES)
        harvesting.carry_on(run_id, Reach(file=path))
        assert (ended(run_id).problem, counts(ended(run_id))) == (None, expected)
    with gzip.open(path) as lines:
        originals = {one["id"]: one for one in map(json.loads, lines)}
    kept = {row.origin_id: row.source for row in db.session.scalars(select(Dataset))}
    assert kept == originals
