"""Whether the values of a shared key meet: told by sketches that the profiler makes, and that nobody is shown."""

import json
import random
from typing import Any

import pytest
from sqlalchemy import select

from marketplace.catalog import listings, service, sketches
from marketplace.catalog import queries as catalog
from marketplace.catalog.key_models import ColumnSketch
from marketplace.catalog.profiling.distinct import SKETCH, DistinctCounter
from marketplace.exchange import listing, relating
from marketplace.identity.rules import government_check_digit
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.catalog import DatasetDraftFactory


def listed(content: str, **fields: Any) -> str:
    """A published dataset of one table, profiled by the confined process as an upload is."""
    provider = market.seller()
    with transaction():
        dataset_id = service.register_dataset(provider, DatasetDraftFactory(**fields)).id
        release_id = service.open_release(provider, dataset_id, "第1版").id
        stored = listing.receive([content.encode()], None, None)
        file_id = listing.attach(provider, release_id, "表.csv", "text/csv", stored).id
    listing.profile(file_id)
    with transaction():
        listing.publish(provider, release_id)
    return dataset_id


def municipalities(first: int, last: int) -> list[str]:
    found = [f"01{number}" for number in range(first, last)]
    return [f"{code}{government_check_digit(code)}" for code in found]


def table(header: str, values: list[str]) -> str:
    rows = [f"{value},{number}" for number, value in enumerate(values, start=1)]
    return "\n".join([f"{header},人数", *rows, ""])


def matches(dataset_id: str) -> dict[str, Any]:
    found = relating.list_joins(None, dataset_id)
    return {one["dataset_id"]: key["match"] for one in found for key in one["keys"] if key["kind"] != "date"}


@pytest.mark.usefixtures("app")
def test_codes_that_meet_are_counted_both_ways_and_ranked_and_those_that_do_not_come_last() -> None:
    own = listed(table("団体コード", municipalities(300, 340)))
    half = listed(table("市区町村コード", municipalities(320, 420)))
    inside = listed(table("団体コード", municipalities(310, 320)))
    apart = listed(table("団体コード", municipalities(500, 540)))
    assert matches(own) == {
        inside: {"share_percent": 25, "other_share_percent": 100, "is_exact": True},
        half: {"share_percent": 50, "other_share_percent": 20, "is_exact": True},
        apart: {"share_percent": 0, "other_share_percent": 0, "is_exact": True},
    }
    told = relating.list_joins(None, own)
    assert [one["dataset_id"] for one in told] == [inside, half, apart]
    assert "値の25%が相手にあり、相手の値の100%がこちらにある" in told[0]["reason_ja"]
    assert "25 % of its values are there, 100 % of those here" in told[0]["reason_en"]


@pytest.mark.usefixtures("app")
def test_values_that_are_written_otherwise_and_files_of_before_are_not_known() -> None:
    own = listed(table("郵便番号", [f"060{number:04}" for number in range(40)]))
    hyphens = listed(table("郵便番号", [f"060-{number:04}" for number in range(40)]))
    of_before = listed(table("郵便番号", [f"060{number:04}" for number in range(10, 50)]))
    [file] = catalog.list_files(catalog.published_release_ids(of_before)[0])
    db.session.delete(db.session.get_one(ColumnSketch, file.sha256))
    db.session.flush()
    assert matches(own) == {hyphens: None, of_before: None}


@pytest.mark.usefixtures("app")
def test_no_sketch_is_shown_and_none_is_kept_of_columns_of_people() -> None:
    people = [f"090-1234-{number:04}" for number in range(40)]
    rows = "\n".join(f"{code},{phone}" for code, phone in zip(municipalities(300, 340), people, strict=True))
    provider = market.seller()
    with transaction():
        dataset_id = service.register_dataset(provider, DatasetDraftFactory()).id
        release_id = service.open_release(provider, dataset_id, "第1版").id
        stored = listing.receive([f"団体コード,電話番号\n{rows}\n".encode()], None, None)
        file_id = listing.attach(provider, release_id, "表.csv", "text/csv", stored).id
    listing.profile(file_id)
    kept = db.session.scalars(select(ColumnSketch).where(ColumnSketch.sha256 == stored.sha256)).one()
    assert set(kept.columns) == {"団体コード"}
    assert "sketch" not in json.dumps(catalog.get_file(file_id).profile)
    shown = listed(table("団体コード", municipalities(300, 345)))
    document = listings.find_listing(shown)
    assert document is not None
    assert "sketch" not in json.dumps(document.document)


def test_shares_of_many_values_are_estimated_from_few_hashes() -> None:
    seeded = random.Random(20261130)
    texts = [f"{seeded.randrange(10**12):013}" for _ in range(12_000)]
    sides = []
    for part in (texts[:8_000], texts[6_000:]):
        counter = DistinctCounter(1_024)
        counter.add(part)
        sides.append(counter.sketch())
    assert [len(side) for side in sides] == [SKETCH, SKETCH]
    found = sketches.matched(*sides)
    assert found is not None
    assert not found.is_exact
    assert 13 <= found.share_percent <= 37  # a quarter, by some 200 hashes
    assert 20 <= found.other_share_percent <= 47  # a third
    assert sketches.matched(sides[0], []) is None


def test_of_a_table_so_wide_that_too_little_is_known_there_is_no_sketch() -> None:
    counter = DistinctCounter(64)
    counter.add(str(number) for number in range(50))
    assert len(counter.sketch()) == 50
    counter.add(str(number) for number in range(10_000))
    assert counter.sketch() == []
