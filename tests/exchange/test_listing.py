"""Listing: what the public sees follows what providers do, whoever does it at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.access.queries import list_entitled_files
from marketplace.app import install
from marketplace.catalog import listings, queries, service
from marketplace.catalog.states import ProfileState
from marketplace.exchange import discovery, listing
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind, ReleaseScope
from tests.factories import market
from tests.factories.catalog import DatasetDraftFactory


def shown(dataset_id: str) -> dict:
    """The public document."""
    return listings.find_listing(dataset_id).document


def found(words: str) -> list[str]:
    """The datasets that a search finds, after the index has followed."""
    jobs.run_pending("catalog.index")
    return [item["id"] for item in discovery.search(None, words, {}, None, 20)["items"]]


def test_the_public_document_has_its_stated_shape(app: Flask) -> None:
    on = market.listed()
    offer = market.offered(on, PriceKind.PER_UNIT, 300, 2, duration_days=90, quota_downloads=5)
    document = shown(on.dataset_id)
    assert set(document) == {
        "id", "title_ja", "title_en", "description_ja", "description_en", "themes", "region", "language", "keywords",
        "licence_hint", "contact_name", "contact_url", "contact_email", "frequency", "publisher", "formats", "columns",
        "price_classes", "published_at", "releases", "releases_total", "offers", "trust_required", "assurance_required",
        "temporal", "bbox", "due_at", "column_notes", "quality", "trial", "trust", "ratings", "origin", "links",
        "links_total", "flags", "high_value_categories",
    }  # fmt: skip
    assert document["formats"] == ["CSV"]
    assert document["columns"] == ["日時", "人数"]
    assert document["price_classes"] == ["metered"]
    assert set(document["publisher"]) == {"id", "name_ja", "name_en", "corporate_number"}
    (release,) = document["releases"]
    assert set(release) == {"id", "label", "notes", "published_at", "files", "files_total"}
    (file,) = release["files"]
    assert (file["name"], file["size_bytes"], file["profile"]) == (market.NAME, len(market.CONTENT), market.PROFILE)
    (shown_offer,) = document["offers"]
    assert shown_offer["id"] == offer.id
    assert (shown_offer["price"]["unit_yen"], shown_offer["price"]["included_units"]) == ("300", 2)
    assert (shown_offer["amount_yen"], shown_offer["duration_days"]) == (0, 90)
    assert "shares" not in shown_offer
    assert (shown_offer["quota_bytes"], shown_offer["quota_downloads"]) == (None, 5)
    assert shown_offer["terms_title_ja"]


def test_a_search_result_says_less_than_the_document(app: Flask) -> None:
    on = market.listed()
    found(str(shown(on.dataset_id)["title_ja"]))
    (item,) = discovery.search(None, shown(on.dataset_id)["title_ja"], {}, None, 20)["items"][:1]
    assert (item["id"], item["releases"], item["columns"]) == (on.dataset_id, 1, ["日時", "人数"])


def test_publishing_opens_the_release_to_grants_of_all_releases_only(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    every = market.ordered(buyer, market.offered(on, PriceKind.FREE, scope=ReleaseScope.ALL))
    current = market.ordered(buyer, market.offered(on, PriceKind.FREE))
    later = market.release_of(on.provider, on.dataset_id, b"a,b\n1,2\n")
    opened = {
        made.grant_id: {file.release_id for file in list_entitled_files(buyer, made.grant_id)}
        for made in (every, current)
    }
    assert opened == {every.grant_id: {on.release_id, later}, current.grant_id: {on.release_id}}
    assert [release["id"] for release in shown(on.dataset_id)["releases"]] == [later, on.release_id]


def test_what_is_withdrawn_is_shown_and_found_no_longer(app: Flask) -> None:
    on, buyer = market.listed(), market.buyer()
    made = market.ordered(buyer, market.offered(on, PriceKind.FREE))
    assert on.dataset_id in found("大通地区の人流データ")
    with transaction():
        listing.withdraw_release(on.provider, on.release_id)
    assert shown(on.dataset_id)["releases"] == []
    with transaction():
        listing.withdraw_dataset(on.provider, on.dataset_id)
    assert listings.find_listing(on.dataset_id) is None
    assert on.dataset_id not in found("大通地区の人流データ")
    assert [file.release_id for file in list_entitled_files(buyer, made.grant_id)] == [on.release_id]


def test_what_the_index_still_holds_but_nobody_lists_is_left_out(app: Flask) -> None:
    on = market.listed()
    assert on.dataset_id in found("大通地区の人流データ")
    with transaction():
        listing.withdraw_dataset(on.provider, on.dataset_id)
    answer = discovery.search(None, "大通地区の人流データ", {}, None, 20)
    assert on.dataset_id not in [item["id"] for item in answer["items"]]


def test_a_draft_is_listed_by_nothing_that_is_done_to_it(app: Flask) -> None:
    provider = market.seller()
    with transaction():
        dataset = service.register_dataset(provider, DatasetDraftFactory())
        listing.make_offer(provider, market.offer_draft(provider, dataset.id))
        listing.revise(provider, dataset.id, {"title_ja": "改題"}, 1)
    assert listings.find_listing(dataset.id) is None


def test_a_revision_is_shown_at_once(app: Flask) -> None:
    on = market.listed()
    with transaction():
        version = queries.get_dataset(on.dataset_id).version
        listing.revise(on.provider, on.dataset_id, {"title_ja": "すすきのの人流"}, version)
    assert shown(on.dataset_id)["title_ja"] == "すすきのの人流"
    assert on.dataset_id in found("すすきの")


def test_a_rebuilt_index_holds_what_is_listed_and_nothing_else(app: Flask) -> None:
    on, gone = market.listed(), market.listed()
    found("人流")
    with transaction():
        listing.withdraw_dataset(gone.provider, gone.dataset_id)
    assert listing.rebuild_index() == listings.count_listings()
    hits = {hit.dataset_id for hit in market.index().search("人流", {}, cursor=None, size=100).hits}
    assert on.dataset_id in hits
    assert gone.dataset_id not in hits


def test_a_file_is_profiled_once_in_its_sandbox(app: Flask) -> None:
    provider = market.seller()
    stored = listing.receive([market.CONTENT], None, None)
    with transaction():
        dataset = service.register_dataset(provider, DatasetDraftFactory())
        release = service.open_release(provider, dataset.id, "初版")
        file_id = listing.attach(provider, release.id, market.NAME, "text/csv", stored).id
    assert jobs.run_pending("catalog.profile") == 1
    profiled = queries.get_file(file_id)
    assert profiled.profile_state == ProfileState.PROFILED
    assert [column["name"] for column in profiled.profile["columns"]] == ["日時", "地点", "人数"]
    at = profiled.profiled_at
    listing.profile(file_id)
    db.session.expire_all()
    assert queries.get_file(file_id).profiled_at == at


def test_a_file_whose_profiling_was_given_up_is_taken_up_again(app: Flask) -> None:
    on = market.listed()
    with transaction():
        release = service.open_release(on.provider, on.dataset_id, "given up")
        file = service.attach_file(on.provider, release.id, "a.csv", "text/csv", "0" * 64, 1)
    db.session.execute(text("DELETE FROM procrastinate_jobs"))
    listing.profile_left()
    assert db.session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0
    with clock.stopped(file.received_at + timedelta(hours=2)):
        listing.profile_left()
    (waiting,) = db.session.execute(text("SELECT task_name, args FROM procrastinate_jobs")).all()
    assert (waiting.task_name, waiting.args) == ("catalog.profile", {"file_id": file.id})


def test_an_imported_package_is_listed_with_or_without_files(app: Flask) -> None:
    city = market.party(city=True)
    package = {
        "id": "9a1c",
        "name": "aed",
        "title": "AED設置箇所一覧",
        "notes": "市内のAED",
        "resources": [],
        "tags": [],
    }
    with transaction():
        dataset = listing.import_ckan(city, package)
    assert shown(dataset.id)["title_ja"] == "AED設置箇所一覧"
    assert shown(dataset.id)["releases"] == []
    assert dataset.id in found("AED設置箇所")
    with transaction():
        assert listing.import_ckan(city, package).id == dataset.id
        listing.withdraw_dataset(city, dataset.id)
    assert listings.find_listing(dataset.id) is None


def test_a_stranger_changes_nothing_that_is_shown(app: Flask) -> None:
    on, stranger = market.listed(), market.seller()
    offer = market.offered(on, PriceKind.FREE)
    before = shown(on.dataset_id)
    for deed in (
        lambda: listing.publish(stranger, on.release_id),
        lambda: listing.withdraw_release(stranger, on.release_id),
        lambda: listing.revise(stranger, on.dataset_id, {"title_ja": "x"}, 1),
        lambda: listing.withdraw_dataset(stranger, on.dataset_id),
        lambda: listing.withdraw_offer(stranger, offer.id),
        lambda: listing.make_offer(stranger, market.offer_draft(stranger, on.dataset_id)),
        lambda: listing.supersede_offer(stranger, offer.id, market.offer_draft(stranger, on.dataset_id)),
    ):
        with pytest.raises(NotFound), transaction():
            deed()
    assert shown(on.dataset_id) == before


def test_offers_made_and_releases_published_at_once_are_all_listed(own_database: Flask) -> None:
    on = market.listed()
    buyer = market.buyer()
    free = market.offered(on, PriceKind.FREE, scope=ReleaseScope.ALL)
    start = threading.Barrier(6)

    def run(n: int) -> None:
        with own_database.app_context():
            start.wait()
            if n < 3:
                market.offered(on)
            elif n < 5:
                market.release_of(on.provider, on.dataset_id, bytes([n]))
            else:
                market.ordered(buyer, free)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6)))
    document = shown(on.dataset_id)
    assert len(document["offers"]) == 4
    assert len(document["releases"]) == 3
    (grant,) = db.session.execute(text("SELECT id FROM access_grant")).scalars()
    assert len(list_entitled_files(buyer, grant)) == 3


def test_an_unusable_index_is_made_anew_in_the_background(own_database: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    install(own_database)
    on = market.listed()
    jobs.run_pending()
    monkeypatch.setattr(type(market.index()), "is_usable", lambda _self: False)
    listing.ensure_index()
    monkeypatch.undo()
    market.index().rebuild(iter(()))
    assert jobs.run_pending("catalog.rebuild") == 1
    assert on.dataset_id in found("大通地区の人流データ")
