"""What a machine mends as records come in, and what their provider decides of it."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings
from marketplace.catalog.cleaning.mending import Rule
from marketplace.catalog.harvesting import queries, service
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.models import Dataset
from marketplace.catalog.repairs import queries as repairs
from marketplace.catalog.repairs.errors import RepairCleared
from marketplace.catalog.repairs.models import DatasetRepair
from marketplace.exchange import harvesting, listing, repairing
from marketplace.exchange.harvest_fetching import Reach
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from tests.factories import ckan_site
from tests.factories.ckan_site import Site, package
from tests.factories.identity import OrganizationFactory, actor_of


@pytest.fixture
def site() -> Iterator[Site]:
    with ckan_site.started() as made:
        made.packages = [package(0, organization={"title": "札幌市危機管理局"}, groups=[]), package(1)]
        yield made


@pytest.fixture
def provider(app: Flask) -> Actor:
    return actor_of(OrganizationFactory(provider=True))


def harvested(provider: Actor, site: Site, *, mends: bool = True) -> dict[str, int]:
    with transaction():
        held = service.set_harvest(provider, HarvestDraft(site.address, repairs=mends))
        run_id = service.begin_run(provider, held.id, is_full=True).id
    harvesting.carry_on(run_id, Reach(within=True, pause_seconds=0.0))
    run = queries.find_run(run_id)
    assert run is not None
    assert run.state == "done"
    return run.comparison


def dataset(site: Site) -> Dataset:
    asked = select(Dataset).where(Dataset.origin_id == site.packages[0]["id"])
    return db.session.scalars(asked.execution_options(populate_existing=True)).one()


def found(provider: Actor, site: Site) -> dict[str, DatasetRepair]:
    return {one.rule: one for one in repairs.list_repairs(provider, dataset(site).id, size=50).items}


def decide(provider: Actor, repair: DatasetRepair, *, accept: bool) -> DatasetRepair:
    with transaction():
        return repairing.decide(provider, repair.dataset_id, repair.id, accept=accept)


def test_what_is_sure_is_mended_with_what_was_before_kept_and_counted(provider: Actor, site: Site) -> None:
    counts = harvested(provider, site)
    mended = dataset(site)
    assert "避難所" in mended.keywords
    assert (mended.region, mended.update_frequency, mended.themes) == ("011002", "ANNUAL", ["safety_environment"])
    assert mended.description_ja.startswith("【総務課】\n札幌市危機管理局が公開する「避難所一覧 0」のデータです。")
    kept = found(provider, site)
    assert kept["frequency"].before == "１年ごと"
    assert (kept["description"].before, kept["description"].state) == ("【総務課】", "applied")
    assert kept["formats"].after == {"xisx": "xlsx"}
    listed = listings.find_listing(mended.id)
    assert listed is not None
    assert listed.document["keywords"] == mended.keywords
    assert (counts["records"], counts["tags_before"], counts["tags_after"]) == (2, 0, 2)
    assert (counts["frequencies_before"], counts["frequencies_after"]) == (0, 2)
    assert (counts["formats_before"], counts["formats_after"], counts["files"]) == (2, 4, 4)


def test_without_repairs_everything_is_a_suggestion_but_the_reading_of_codes(provider: Actor, site: Site) -> None:
    harvested(provider, site, mends=False)
    plain = dataset(site)
    assert (plain.keywords, plain.description_ja, plain.update_frequency) == ([], "【総務課】", "ANNUAL")
    states = {rule: one.state for rule, one in found(provider, site).items()}
    assert (states["tags"], states["description"], states["frequency"]) == ("suggested", "suggested", "applied")
    decide(provider, found(provider, site)["tags"], accept=True)
    assert "避難所" in dataset(site).keywords
    accepted = select(Entry.facts).where(Entry.verb == Verb.REPAIR_ACCEPTED.value)
    assert (db.session.scalar(accepted) or {})["rule"] == "tags"


def test_what_is_refused_goes_back_and_is_not_found_again(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    for rule in (Rule.TAGS, Rule.DESCRIPTION, Rule.REGION, Rule.FREQUENCY, Rule.THEMES):
        decide(provider, found(provider, site)[rule], accept=False)
    back = dataset(site)
    assert (back.keywords, back.description_ja, back.region) == ([], "【総務課】", "JP")
    assert (back.update_frequency, back.themes) == ("UNKNOWN", ["other"])
    site.packages[0]["maintainer"] = "新しい係"
    harvested(provider, site)
    again = dataset(site)
    assert again.contact_name == "札幌市危機管理局 新しい係"
    assert (again.keywords, again.region) == ([], "JP")
    assert found(provider, site)["tags"].state == "refused"
    decide(provider, found(provider, site)["tags"], accept=True)
    assert "避難所" in dataset(site).keywords


def test_what_a_person_wrote_since_stays_when_a_repair_is_refused(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    mended = dataset(site)
    with transaction():
        changes: dict[str, Any] = {"region": "130001", "keywords": (*mended.keywords, "手書き")}
        listing.revise(provider, mended.id, changes, mended.version)
    decide(provider, found(provider, site)["region"], accept=False)
    decide(provider, found(provider, site)["tags"], accept=False)
    assert (dataset(site).region, dataset(site).keywords) == ("130001", ["手書き"])


def test_a_finding_whose_cause_has_gone_is_cleared_and_cannot_be_decided(provider: Actor, site: Site) -> None:
    site.packages[0]["notes"] = "このデータのライセンスは CC BY 3.0 です。"
    harvested(provider, site)
    conflict = found(provider, site)["licence_conflict"]
    assert (conflict.before, conflict.after, conflict.field) == ("CC-BY-4.0", "CC-BY-3.0", None)
    site.packages[0]["notes"] = "このデータのライセンスは CC BY 4.0 です。"
    harvested(provider, site)
    assert found(provider, site)["licence_conflict"].state == "cleared"
    with pytest.raises(RepairCleared):
        decide(provider, conflict, accept=True)


def test_nobody_else_decides_or_reads(provider: Actor, site: Site) -> None:
    harvested(provider, site)
    stranger = actor_of(OrganizationFactory(provider=True))
    repair = found(provider, site)["tags"]
    with pytest.raises(NotFound):
        decide(stranger, repair, accept=False)
    with pytest.raises(NotFound):
        repairs.list_repairs(stranger, repair.dataset_id)
    other = db.session.scalars(select(Dataset).where(Dataset.id != repair.dataset_id)).first()
    assert other is not None
    with pytest.raises(NotFound), transaction():
        repairing.decide(provider, other.id, repair.id, accept=False)
    assert found(provider, site)["tags"].state == "applied"


def test_of_two_decisions_at_once_one_comes_after_the_other(own_database: Flask, site: Site) -> None:
    with transaction():
        owner = actor_of(OrganizationFactory(provider=True))
    harvested(owner, site)
    repair = found(owner, site)["tags"]
    dataset_id, repair_id = repair.dataset_id, repair.id
    db.session.remove()
    barrier = threading.Barrier(4)

    def one(accept: bool) -> None:
        with own_database.app_context():
            barrier.wait()
            with transaction():
                repairing.decide(owner, dataset_id, repair_id, accept=accept)
            db.session.remove()

    threads = [threading.Thread(target=one, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = found(owner, site)["tags"]
    assert ("避難所" in dataset(site).keywords) == (left.state == "accepted")
    verbs = [Verb.REPAIR_ACCEPTED.value, Verb.REPAIR_REFUSED.value]
    assert 2 <= (db.session.scalar(select(func.count()).where(Entry.verb.in_(verbs))) or 0) <= 4
