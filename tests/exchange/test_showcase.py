"""The public document stays small, however much there is of a dataset."""

import pytest
from flask import Flask

from marketplace.catalog import listings, service
from marketplace.catalog.states import ProfileState
from marketplace.exchange import discovery, listing, showcase
from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.catalog import profiled

FILES = (
    {"format": "xlsx", "columns": [{"name": "日付"}, {"name": "気温"}]},
    None,
    {"format": None, "columns": None},
    {"format": "parquet", "columns": [{"name": "気温"}, {"name": "凍結深度"}, {"name": "日付"}]},
)


def shown_of(dataset_id: str) -> dict[str, object]:
    """The public document as it is written now."""
    with transaction():
        listing.refresh(dataset_id)
    db.session.expire_all()
    found = listings.find_listing(dataset_id)
    assert found is not None
    return found.document


def test_the_newest_releases_are_shown_and_all_are_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    on = market.listed()
    newest = [market.release_of(on.provider, on.dataset_id) for _ in range(3)][::-1]
    monkeypatch.setattr(showcase, "RELEASES_SHOWN", 2)

    document = shown_of(on.dataset_id)

    assert [release["id"] for release in document["releases"]] == newest[:2]  # type: ignore[attr-defined] # JSON
    assert document["releases_total"] == 4
    assert showcase.summary(document)["releases"] == 4


def test_profiles_are_shown_as_long_as_they_fit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    on = market.listed()
    market.release_of(on.provider, on.dataset_id)
    monkeypatch.setattr(showcase, "PROFILE_BYTES_SHOWN", 100)

    files = [release["files"][0] for release in shown_of(on.dataset_id)["releases"]]  # type: ignore[attr-defined] # JSON

    assert [file["profile"] for file in files] == [market.PROFILE, None]
    assert [file["profile_state"] for file in files] == ["profiled", "profiled"]


def test_the_first_files_of_a_release_are_shown_and_all_are_counted(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    del app
    on = market.listed()
    monkeypatch.setattr(showcase, "FILES_SHOWN", 0)

    (release,) = shown_of(on.dataset_id)["releases"]  # type: ignore[misc] # JSON

    assert (release["files"], release["files_total"]) == ([], 1)


def test_what_lies_beyond_the_files_shown_is_found_and_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showcase, "FILES_SHOWN", 1)
    on = market.listed()
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "many")
        for number, profile in enumerate(FILES):
            stored = listing.receive([b"%d" % number], None, None)
            file = listing.attach(on.provider, release.id, f"{number}.bin", "text/csv", stored)
            profiled(file.id, profile, ProfileState.PROFILED if profile else ProfileState.OPAQUE)
        listing.publish(on.provider, release.id)

    document = shown_of(on.dataset_id)
    jobs.run_pending("catalog.index")
    found = discovery.search(None, "凍結深度", {"format": ["parquet"]}, None, 20)

    assert document["columns"] == ["日付", "気温", "凍結深度", "日時", "人数"]
    assert document["formats"] == ["CSV", "parquet", "xlsx"]
    assert [item["id"] for item in found["items"]] == [on.dataset_id]
    assert found["facets"]["format"] == {"CSV": 1, "parquet": 1, "xlsx": 1}


def test_column_names_are_bounded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    on = market.listed()
    monkeypatch.setattr(showcase, "COLUMN_NAMES_MAX", 1)
    assert shown_of(on.dataset_id)["columns"] == ["日時"]


def test_profiles_are_shown_on_a_page_of_files_as_long_as_they_fit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    del app
    on = market.listed()
    assert [file["profile"] for file in showcase.list_files(on.dataset_id, on.release_id).items] == [market.PROFILE]
    monkeypatch.setattr(showcase, "PROFILE_BYTES_SHOWN", 1)
    assert [file["profile"] for file in showcase.list_files(on.dataset_id, on.release_id).items] == [None]
