"""Links that lead nowhere, updates that are late, licences that contradict, datasets that are the same: found and told."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.catalog import listings
from marketplace.catalog.cleaning.files import file_findings
from marketplace.catalog.harvesting import service
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.links import queries as links
from marketplace.catalog.models import Dataset
from marketplace.catalog.profiling import child
from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.catalog.repairs import queries as repairs
from marketplace.exchange import harvesting, monitoring, repairing
from marketplace.exchange.harvest_fetching import Reach
from marketplace.identity.actors import Actor
from marketplace.kit import clock, outbound
from marketplace.kit.db import db
from marketplace.kit.outbound import OutboundRefused
from marketplace.kit.transaction import transaction
from tests.factories import ckan_site
from tests.factories.ckan_site import Site, package
from tests.factories.identity import OrganizationFactory, actor_of
from tests.loopback import Origin, answer, reached

import orjson  # isort: skip


@pytest.fixture
def provider(app: Flask) -> Actor:
    return actor_of(OrganizationFactory(provider=True))


@pytest.fixture
def site() -> Iterator[Site]:
    with ckan_site.started() as made:
        made.packages = [package(0, resources=3)]
        yield made


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    monkeypatch.setattr(monitoring, "PER_HOST_SECONDS", 0)
    with reached(monkeypatch) as made:
        yield made


def harvested(provider: Actor, site: Site) -> None:
    with transaction():
        held = service.set_harvest(provider, HarvestDraft(site.address))
        run_id = service.begin_run(provider, held.id, is_full=True).id
    harvesting.carry_on(run_id, Reach(within=True, pause_seconds=0.0))


def dataset(site: Site, place: int = 0) -> Dataset:
    asked = select(Dataset).where(Dataset.origin_id == site.packages[place]["id"])
    return db.session.scalars(asked.execution_options(populate_existing=True)).one()


def flags(dataset_id: str) -> dict[str, object]:
    return {one.rule: one.after for one in repairs.flags_of(dataset_id)}


def states(provider: Actor, dataset_id: str) -> list[str]:
    return sorted(one.state for one in links.list_links(provider, dataset_id).items)


def a_day_later() -> None:
    with transaction():
        db.session.execute(text("UPDATE dataset_link SET next_at = now() - interval '1 hour'"))


def missing(peer: socket.socket, head: str) -> None:
    status = "404 Not Found" if "/0.csv" in head else "200 OK"
    answer(b"", status)(peer, head)


def test_a_link_is_dead_when_it_led_nowhere_twice_and_alive_again_when_it_answers(
    provider: Actor, site: Site, origin: Origin
) -> None:
    harvested(provider, site)
    found = dataset(site)
    assert states(provider, found.id) == ["unchecked"] * 3
    origin.respond = missing
    monitoring.check_links()
    assert states(provider, found.id) == ["alive", "alive", "failing"]
    assert flags(found.id) == {}
    asked = len(origin.asked)
    monitoring.check_links()
    assert len(origin.asked) == asked  # none of them is due
    a_day_later()
    monitoring.check_links()
    assert states(provider, found.id) == ["alive", "alive", "dead"]
    dead = f"https://data.example.jp/{site.packages[0]['name']}/0.csv"
    assert flags(found.id) == {"dead_links": {"count": 1, "urls": [dead]}}
    listed = listings.find_listing(found.id)
    assert listed is not None
    assert [one["url"] for one in listed.document["links"] if one["dead"]] == [dead]
    assert [one["rule"] for one in listed.document["flags"]] == ["dead_links"]
    origin.respond = answer(b"")
    a_day_later()
    monitoring.check_links()
    assert states(provider, found.id) == ["alive"] * 3
    assert flags(found.id) == {}


def test_head_is_asked_first_get_where_head_says_nothing_and_redirects_are_followed_a_few_steps(
    provider: Actor, site: Site, origin: Origin
) -> None:
    site.packages[0]["resources"] = site.packages[0]["resources"][:1]
    harvested(provider, site)
    found = dataset(site)

    def knows_get_alone(peer: socket.socket, head: str) -> None:
        answer(b"", "405 No" if head.startswith("HEAD") else "200 OK")(peer, head)

    origin.respond = knows_get_alone
    monitoring.check_links()
    assert [head.split()[0] for head in origin.asked] == ["HEAD", "GET"]
    assert states(provider, found.id) == ["alive"]
    a_day_later()
    origin.respond = answer(b"", "302 Found", Location="https://inside.example.jp/")
    monitoring.check_links()
    [link] = links.list_links(provider, found.id).items
    assert (link.state, link.outcome) == ("failing", "it does not lie on the open internet")
    a_day_later()
    origin.respond = answer(b"", "302 Found", Location="/round")
    monitoring.check_links()
    [link] = links.list_links(provider, found.id).items
    assert (link.state, link.outcome) == ("dead", "it points from one address to the next")
    a_day_later()
    origin.respond = answer(b"", "401 Who")
    monitoring.check_links()
    assert states(provider, found.id) == ["guarded"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://a@data.example.jp/", "http://data.example.jp:8080/", "ftp://a/"]
)
def test_nobody_inside_is_asked_for_a_link(url: str) -> None:
    with pytest.raises(OutboundRefused):
        outbound.probe(url, "HEAD")


def test_links_follow_their_record_and_those_that_stay_keep_what_is_known(
    provider: Actor, site: Site, origin: Origin
) -> None:
    site.packages[0]["resources"] += [
        {"url": "ftp://a/b"},
        {"url": 7},
        "odd",
        {"url": "https://data.example.jp/市/表 1.csv"},
    ]
    harvested(provider, site)
    found = dataset(site)
    monitoring.check_links()
    assert states(provider, found.id) == ["alive"] * 4
    assert any("/%E5%B8%82/%E8%A1%A8%201.csv" in head for head in origin.asked)
    site.packages[0]["resources"] = [*site.packages[0]["resources"][1:3], {"url": "https://data.example.jp/new.csv"}]
    harvested(provider, site)
    assert states(provider, found.id) == ["alive", "alive", "unchecked"]


def test_an_update_that_is_late_is_told_until_it_comes(provider: Actor, site: Site) -> None:
    site.packages[0]["metadata_modified"] = "2020-01-01T00:00:00"
    harvested(provider, site)
    monitoring.look_for_overdue()
    assert "overdue" in flags(dataset(site).id)
    fresh = clock.text(clock.now() - timedelta(days=3))[:19]
    site.packages[0] |= {"metadata_modified": fresh}
    harvested(provider, site)
    monitoring.look_for_overdue()
    assert flags(dataset(site).id) == {}


def test_records_of_one_title_are_told_of_each_other_surer_where_their_files_are_the_same(
    provider: Actor, site: Site
) -> None:
    twin = package(1, title="避難所一覧　0")
    twin["resources"] = site.packages[0]["resources"]
    alike = package(2, title="公園"), package(3, title="公園"), package(4, title="公園", maintainer="別の課")
    site.packages += [twin, *alike]
    harvested(provider, site)
    sure = {
        place: [(one.confidence, one.after["dataset_ids"]) for one in repairs.flags_of(dataset(site, place).id)]
        for place in range(5)
    }
    assert sure[0] == [(95, [dataset(site, 1).id])]
    assert sure[2] == [(70, [dataset(site, 3).id])]
    assert sure[4] == []


def test_every_old_file_of_a_real_city_names_another_licence_than_its_catalogue(shared_data: Path) -> None:
    found, files = 0, sorted((shared_data / "takamatsu_ccby4").glob("*.csv"))
    for path in files:
        with path.open("rb") as file:
            profile = orjson.loads(child.answered(file, path.name, ProfileLimits()))["document"]
        conflicts = [
            one for one in file_findings("CC-BY-4.0", [(path.name, profile)]) if one.rule == "licence_conflict"
        ]
        found += bool(conflicts and conflicts[0].after["licence"] == "CC-BY-3.0")
        assert file_findings("other", [(path.name, profile)]) == file_findings(None, [(path.name, profile)])
    assert (found, len(files)) == (117, 118)  # one of the newer ones names none


def test_findings_of_files_are_noted_and_taken_back(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    repairing.look_over(dataset(site).id)
    assert flags(dataset(site).id) == {}
