"""The public document stays small, however much there is of a dataset."""

import pytest
from flask import Flask

from marketplace.catalog import listings
from marketplace.exchange import listing, showcase
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market


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
