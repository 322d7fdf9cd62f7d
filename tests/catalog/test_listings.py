"""The public documents."""

import pytest
from sqlalchemy.orm import Session

from marketplace.catalog import listings
from marketplace.kit.errors import Invalid, NotFound
from tests.factories.catalog import DatasetFactory


def test_a_document_is_put_replaced_and_dropped(session: Session) -> None:
    dataset, other = DatasetFactory(published=True), DatasetFactory(published=True)
    listings.put_listing(other.id, {"id": other.id})
    listings.put_listing(dataset.id, {"id": dataset.id, "title_ja": "気温"})
    listings.put_listing(dataset.id, {"id": dataset.id, "title_ja": "人流"})
    found = listings.find_listing(dataset.id)
    assert found is not None
    assert found.document == {"id": dataset.id, "title_ja": "人流"}
    assert listings.count_listings() == 2
    listings.drop_listing(dataset.id)
    listings.drop_listing(dataset.id)
    assert listings.find_listing(dataset.id) is None
    assert listings.find_listing(other.id) is not None


def test_only_a_dataset_is_listed(session: Session) -> None:
    with pytest.raises(NotFound):
        listings.put_listing("ds_none", {})
    assert listings.count_listings() == 0


def test_documents_are_found_by_many_ids(session: Session) -> None:
    ids = [DatasetFactory().id for _ in range(3)]
    for dataset_id in ids:
        listings.put_listing(dataset_id, {"id": dataset_id})
    assert set(listings.find_listings([*ids[:2], "ds_none", "\x00"])) == set(ids[:2])
    assert listings.find_listings([]) == {}


def test_documents_are_listed_newest_first_in_pages(session: Session) -> None:
    ids = [DatasetFactory().id for _ in range(5)]
    for dataset_id in ids:
        listings.put_listing(dataset_id, {"id": dataset_id})
    page = listings.list_listings(size=2)
    seen = [document["id"] for document in page.items]
    while page.next_cursor:
        page = listings.list_listings(size=2, cursor=page.next_cursor)
        seen += [document["id"] for document in page.items]
    assert seen == ids[::-1]
    with pytest.raises(Invalid):
        listings.list_listings(cursor="made up")


@pytest.mark.parametrize("batch_rows", [1, 2, 5, 100])
def test_all_documents_come_whatever_the_batch(
    session: Session, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(listings, "BATCH_ROWS", batch_rows)
    ids = [DatasetFactory().id for _ in range(5)]
    for dataset_id in ids:
        listings.put_listing(dataset_id, {"id": dataset_id})
    assert [document["id"] for document in listings.all_documents()] == ids
