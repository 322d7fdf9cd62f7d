"""What ties data together: found by shared keys and words, explained, kept with the listing, never of what is hidden."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, text

from marketplace.catalog import joins, keys, listings
from marketplace.catalog import service as catalog
from marketplace.catalog.key_models import JoinKey
from marketplace.catalog.states import Theme
from marketplace.exchange import listing, relating
from marketplace.identity.actors import Actor
from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.catalog import DatasetDraftFactory, profiled

DAYS = {"name": "日付", "type": "date", "min": "2025-04-01", "max": "2026-03-31", "examples": ["2025-05-01"]}
YEARS_AGO = {"name": "日付", "type": "date", "min": "2010-04-01", "max": "2011-03-31", "examples": []}
MONTHS = {"name": "年月", "type": "string", "min": "2024-01", "max": "2025-12", "examples": ["2024-05"]}
MESH = {"name": "メッシュコード", "type": "integer", "min": "64414277", "max": "64414278", "examples": []}
POINTS = ({"name": "緯度", "type": "decimal", "min": "43.05", "max": "43.1", "examples": []},
          {"name": "経度", "type": "decimal", "min": "141.3", "max": "141.4", "examples": []})  # fmt: skip


def listed(*columns: dict[str, Any], provider: Actor | None = None, **fields: Any) -> str:
    """A published dataset of one file with these columns."""
    provider = provider or market.seller()
    with transaction():
        dataset_id = catalog.register_dataset(provider, DatasetDraftFactory(**fields)).id
    stored = listing.receive([repr((dataset_id, columns)).encode()], None, None)
    with transaction():
        release = catalog.open_release(provider, dataset_id, "第1版")
        file = listing.attach(provider, release.id, "a.csv", "text/csv", stored)
        profiled(file.id, {"format": "CSV", "columns": list(columns)})
        listing.publish(provider, release.id)
    jobs.run_pending("catalog.index")
    return dataset_id


def joined(dataset_id: str, reader: Actor | None = None) -> list[str]:
    return [one["dataset_id"] for one in relating.list_joins(reader, dataset_id)]


@pytest.mark.usefixtures("app")
def test_two_fields_are_joined_by_the_day_where_their_days_and_places_meet() -> None:
    flow = listed(DAYS, themes=(Theme.TRANSPORT_TOURISM,))
    weather = listed(DAYS, themes=(Theme.LAND_WEATHER,))
    same_field = listed(DAYS, themes=(Theme.TRANSPORT_TOURISM,))
    listed(YEARS_AGO)
    listed(DAYS, region="131016")
    listed({"name": "人数", "type": "integer", "min": "1", "max": "2", "examples": ["1"]})
    assert joined(flow) == [weather, same_field]
    first = relating.list_joins(None, flow)[0]
    assert first["keys"] == [
        {"kind": "date", "columns": ["日付"], "other_columns": ["日付"], "grain": "day", "other_grain": "day", "common_grain": "day", "areas": ["P01"], "match": None}
    ]  # fmt: skip
    assert first["reason_ja"] == "日付（日単位、日付 = 日付）で結合できます。2025-04-01から2026-03-31までが重なります。"
    assert first["reason_en"] == "Joins by date (by day, 日付 = 日付). Both reach from 2025-04-01 to 2026-03-31."


@pytest.mark.usefixtures("app")
def test_what_is_finer_is_summed_up_to_what_is_coarser() -> None:
    by_day, by_month = listed(DAYS), listed(MONTHS)
    [one] = relating.list_joins(None, by_day)
    assert (one["dataset_id"], one["keys"][0]["common_grain"], one["keys"][0]["other_grain"]) == (
        by_month,
        "month",
        "month",
    )
    assert (str(one["time_from"]), str(one["time_to"])) == ("2025-04-01", "2025-12-01")
    assert "月単位" in one["reason_ja"]


@pytest.mark.usefixtures("app")
def test_points_are_joined_with_the_grid_squares_in_which_they_lie() -> None:
    squares, points = listed(MESH), listed(*POINTS)
    elsewhere = listed({"name": "mesh", "type": "integer", "min": "53394611", "max": "53394612", "examples": []})
    assert joined(points) == [squares]
    assert joined(squares) == [points]
    assert joined(elsewhere) == []
    [one] = relating.list_joins(None, points)
    assert one["keys"][0]["common_grain"] == "1km"
    assert one["keys"][0]["areas"] == ["M6441"]


@pytest.mark.usefixtures("app")
def test_two_keys_are_nearer_than_one() -> None:
    own = listed(DAYS, MESH)
    one, both = listed(MESH), listed(DAYS, MESH)
    assert joined(own) == [both, one]


@pytest.mark.usefixtures("app")
def test_keys_go_with_the_listing_and_come_with_a_rebuild() -> None:
    own, provider = listed(DAYS), market.seller()
    other = listed(DAYS, provider=provider)
    assert joined(own) == [other]
    db.session.execute(text("DELETE FROM join_key"))
    db.session.commit()
    assert joined(own) == []
    listing.find_keys()
    assert joined(own) == [other]
    with transaction():
        listing.withdraw_dataset(provider, other)
    assert joined(own) == []
    assert set(db.session.scalars(select(JoinKey.dataset_id))) == {own}
    with pytest.raises(NotFound):
        relating.list_joins(None, other)


@pytest.mark.usefixtures("app")
def test_what_is_hidden_by_then_is_left_out_whatever_stands_in_the_table() -> None:
    own, other = listed(DAYS), listed(DAYS)
    document = listings.find_listing(other).document
    listings.drop_listing(other)
    joins.follow(other, document)
    assert joined(own) == []


@pytest.mark.usefixtures("app")
def test_similar_data_share_the_rarest_words() -> None:
    own = listed(DAYS, title_ja="円山公園の蛍の飛翔調査", title_en="", keywords=("蛍",))
    near = listed(DAYS, title_ja="西岡水源池の蛍の飛翔調査", title_en="", keywords=("蛍",))
    far = listed(DAYS, title_ja="市内の降雪量", title_en="", keywords=("雪",))
    found = relating.list_similar(None, own)
    assert [one["dataset_id"] for one in found] == [near]
    assert "蛍" in found[0]["reason_ja"]
    assert found[0]["reason_ja"].endswith("同じ分野")
    assert far not in {one["dataset_id"] for one in found}
    assert [one["dataset_id"] for one in relating.find_related(None, own)["similar"]] == [near]


def test_of_many_that_share_a_key_a_bounded_number_is_looked_at(app: Flask) -> None:
    own = listed(DAYS, MESH)
    document = listings.find_listing(own).document
    many = [market.listed().dataset_id for _ in range(3)]
    for dataset_id in many:
        joins.follow(dataset_id, document)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        found = joins.find(own, keys.keys_of(document))
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert {one.dataset_id for one in found} == set(many)
    assert len([statement for statement in asked if "join_key" in statement]) == 1
    assert "LIMIT" in asked[0]
