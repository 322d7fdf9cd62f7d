"""There and back: what a foreign record says is told again by our own CKAN actions, and read from there once more."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.catalog.harvesting import service
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.models import Dataset
from marketplace.exchange import harvesting
from marketplace.exchange.harvest_fetching import Reach
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import ckan_site
from tests.factories.ckan_site import Site, package
from tests.factories.identity import OrganizationFactory, actor_of

PUBLISHED = ("url", "name", "format")


@pytest.fixture
def site() -> Iterator[Site]:
    with ckan_site.started() as made:
        yield made


def harvested(provider: Actor, site: Site) -> None:
    with transaction():
        held = service.set_harvest(provider, HarvestDraft(site.address))
        run_id = service.begin_run(provider, held.id, is_full=True).id
    harvesting.carry_on(run_id, Reach(within=True, pause_seconds=0.0))


def taken(provider: Actor) -> dict[str, Dataset]:
    own = select(Dataset).where(Dataset.organization_id == provider.organization_id)
    return {str(one.origin_id): one for one in db.session.scalars(own)}


def told_again(app: Flask, dataset_id: str) -> dict[str, Any]:
    answer = app.test_client().get(f"/api/3/action/package_show?id={dataset_id}").get_json()
    assert answer["success"] is True
    found: dict[str, Any] = answer["result"]
    return found


def compare(source: dict[str, Any], again: dict[str, Any], kept: dict[str, Any] | None) -> None:
    assert kept == source
    assert again["title"] == " ".join(source["title"].split())
    assert again["notes"].startswith((source["notes"] or "").strip()[:20])
    assert {tag["name"] for tag in source["tags"]} <= {tag["name"] for tag in again["tags"]}
    files = [{name: row[name] for name in PUBLISHED} for row in source["resources"]]
    assert [{name: row[name] for name in PUBLISHED} for row in again["resources"]] == files
    extras = {row["key"]: row["value"] for row in again["extras"]}
    for row in source["extras"]:
        assert extras[row["key"]] == row["value"]


def there_and_back(app: Flask, site: Site, packages: list[dict[str, Any]]) -> None:
    site.packages = json.loads(json.dumps(packages))
    first, second = (actor_of(OrganizationFactory(provider=True)) for _ in range(2))
    harvested(first, site)
    again = {origin: told_again(app, one.id) for origin, one in taken(first).items()}
    assert len(again) == len(packages)
    for source in packages:
        compare(source, again[source["id"]], taken(first)[source["id"]].source)
    site.packages = list(again.values())
    harvested(second, site)
    back = taken(second)
    for origin, one in taken(first).items():
        other = back[again[origin]["id"]]
        for name in ("title_ja", "description_ja", "region", "update_frequency", "licence_hint", "themes"):
            assert getattr(other, name) == getattr(one, name), name
        assert set(one.keywords) <= set(other.keywords)


def test_odd_fields_extras_and_files_come_back(app: Flask, site: Site) -> None:
    odd = package(0, 3, extras=[{"key": "更新頻度", "value": "１年ごと"}, {"key": "独自の項目", "value": "残る"}])
    odd |= {"tags": [{"name": "独自"}], "custom_field": {"deep": [1, None, "値"]}, "isopen": True}
    there_and_back(app, site, [odd, package(1), package(2, 0)])


def test_real_records_of_a_city_come_back(app: Flask, site: Site, shared_data: Path) -> None:
    with gzip.open(shared_data / "tokyo_ckan_sample300.jsonl.gz") as lines:
        records = [json.loads(line) for line in lines][::10]
    there_and_back(app, site, records)
