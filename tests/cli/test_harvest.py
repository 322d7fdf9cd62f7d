"""A newcomer takes over a city's site by one command, and finds it in the catalogue."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.exchange import discovery
from marketplace.kit.db import db
from tests.cli.conftest import Run
from tests.factories import ckan_site
from tests.factories.ckan_site import Site, package


@pytest.fixture
def site() -> Iterator[Site]:
    with ckan_site.started() as made:
        made.packages = [package(number) for number in range(30)]
        yield made


def test_one_command_takes_over_a_site_founds_its_provider_and_makes_it_findable(
    run: Run, own_database: Flask, site: Site
) -> None:
    said = run("harvest", site.address, "--as", "見本市")
    assert "30 created, 0 changed, 0 unchanged, 0 refused, 0 vanished" in said
    assert "見本市, founded for this catalogue" in said
    found = discovery.search(None, "避難所一覧", {}, None, 20)
    assert found["total"] == 8
    assert found["items"][0]["publisher"]["name_ja"] == "見本市"
    site.packages[0]["private"] = True
    again = run("harvest", site.address, "--full")
    assert "0 created, 0 changed, 29 unchanged, 1 refused, 0 vanished" in again
    assert f"refused {site.packages[0]['id']}" in again
    db.session.rollback()
    assert db.session.scalar(text("SELECT count(*) FROM organization")) == 1


def test_a_file_is_taken_over_as_a_site_is(run: Run, own_database: Flask, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(json.dumps(package(number)).encode() for number in range(5))))
    assert "5 created" in run("harvest", path, "--dry-run")
    db.session.rollback()
    assert db.session.scalar(text("SELECT count(*) FROM dataset")) == 0
    assert "5 created" in run("harvest", path)


def test_what_cannot_be_taken_over_ends_with_words(run: Run, own_database: Flask, site: Site, tmp_path: Path) -> None:
    assert "no file is called" in run("harvest", "nowhere.json", code=2)
    site.odd = lambda _site, _path, _asked: (200, b"<html>")
    said = run("harvest", site.address, code=1)
    assert "problem: unreadable" in said
    assert "the run did not come to its end" in said
    run("found", "--name-ja", "別の市", "--name-en", "Other", "--kind", "public_body", "--capacity", "provider")
    assert "there are several providers" in run("harvest", site.address, code=2)
