"""Pages as a browser asks for them, and listings to show on them."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from marketplace.catalog import listings, queries
from marketplace.catalog.models import Dataset
from marketplace.catalog.search import SearchIndex
from marketplace.catalog.states import ReleaseState
from marketplace.exchange import facilities, showcase
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.api.trade import call
from tests.factories.catalog import DatasetFactory, FileFactory, ReleaseFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.licensing import offer_of

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
COLUMN = {
    "name": "人数", "type": "integer", "format": None, "nulls": 1, "null_share": "0.250000", "distinct_estimate": 3,
    "min": "5", "max": "1234",
}  # fmt: skip
PROFILE: dict[str, Any] = {
    "format": "csv", "encoding": "cp932", "line_ending": "crlf", "rows": 4, "columns": [COLUMN],
    "preview": [["5"], [None]], "warnings": [{"code": "no-header", "detail": "No header.", "detail_ja": "見出し行なし。"}],
}  # fmt: skip
Get = Callable[..., TestResponse]
List = Callable[..., Dataset]


def hrefs(text: str, label: str) -> list[str]:
    """Where the links lead that have this label."""
    return [
        unescape(href) for href, inner in re.findall(r'<a[^>]*?href="([^"]*)"[^>]*>(.*?)</a>', text) if label in inner
    ]


@pytest.fixture
def get(app: Flask) -> Get:
    """Ask for a page as a browser does."""

    def ask(path: str, accept_language: str = "ja,en;q=0.5", **headers: str) -> TestResponse:
        fields = {"Accept": BROWSER, "Accept-Language": accept_language} | headers
        return call(app, "GET", path, headers=fields)

    return ask


@pytest.fixture
def index(app: Flask, tmp_path: Path) -> SearchIndex:
    """A search index of the test's own."""
    made = SearchIndex(tmp_path / "search")
    facilities.install(replace(facilities.current(), index=made))
    return made


@pytest.fixture
def listed(app: Flask, index: SearchIndex) -> List:
    """List a dataset with one release of one file or more and one offer, found by everybody."""

    def make(
        *,
        file_name: str = "人流.csv",
        profile: Any = None,
        offer: dict[str, Any] | None = None,
        files: int = 1,
        **fields: Any,
    ) -> Dataset:
        provider = fields.pop("organization", None) or OrganizationFactory(provider=True)
        dataset = DatasetFactory(organization=provider, published=True, **fields)
        release = ReleaseFactory(dataset=dataset)
        FileFactory(release=release, name=file_name, profile=PROFILE if profile is None else profile)
        for number in range(files - 1):
            FileFactory(release=release, name=f"{number:02}.csv", profile=PROFILE)
        release.formats, release.column_names = queries.formats_in(release.id), queries.column_names_in(release.id)
        release.state, release.published_at = ReleaseState.PUBLISHED.value, clock.now()
        db.session.flush()
        offer_of(actor_of(provider), dataset_id=dataset.id, **(offer or {}))
        return put(index, dataset)

    return make


def put(index: SearchIndex, dataset: Dataset) -> Dataset:
    """Show the dataset as it is now."""
    document = showcase.document(dataset)
    listings.put_listing(dataset.id, document)
    index.upsert(document)
    db.session.commit()
    return dataset
