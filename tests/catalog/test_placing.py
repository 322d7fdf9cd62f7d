"""The first places of a search: whichever way leads to them, they are the same."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.catalog import bands, merit, placing
from marketplace.catalog.search import SearchIndex
from marketplace.catalog.states import Theme
from marketplace.kit import clock
from tests.factories.catalog import DocumentFactory

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
Walk = Callable[..., list[tuple[int, str]]]


def walk(index: SearchIndex, query: str, size: int, filters: dict[str, list[str]] | None = None) -> Any:
    """All hits with score and step, page by page."""
    seen, cursor = [], None
    while cursor or not seen:
        result = index.search(query, filters, size=size, cursor=cursor)
        seen += [(hit.score, hit.dataset_id, hit.step) for hit in result.hits]
        cursor = result.next_cursor
        if not result.total:
            break
    assert len(seen) == result.total
    return seen


@pytest.fixture(params=["at once", "step by step", "by the highest bands", "by one band"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to the places of a page, whatever was found."""
    monkeypatch.setattr(placing, "AT_ONCE_MAX", 10_000 if request.param == "at once" else 0)
    monkeypatch.setattr(placing, "LOOK_AT", {"by the highest bands": 20, "by one band": 1}.get(request.param, 10_000))
    if request.param == "by one band":
        monkeypatch.setattr(bands, "TERMS_MAX", 1)
    return request.param


@pytest.fixture
def market(index: SearchIndex) -> SearchIndex:
    """Many datasets of which each word stands in titles, tags and descriptions, of many ages and qualities."""
    chance = random.Random(11)
    texts = ["人流", "調査", "人流の調査", "気温", "札幌の人流 調査", "shelter", "避難所"]
    made = [
        DocumentFactory(
            id=f"ds_{number:03}",
            title_ja=chance.choice(texts),
            description_ja=chance.choice(texts),
            keywords=[chance.choice(texts)],
            themes=[chance.choice([*Theme][:3])],
            quality=chance.randrange(0, 101, 20),
            published_at=clock.text(NEW_YEAR - timedelta(days=chance.choice((0, 1, 30, 400, 2_000, 4_000)))),
        )
        for number in range(150)
    ]
    index.rebuild(made[:100])
    index.upsert_many(made[90:])
    return index


ASKED = [
    ("", None), ("人流", None), ("人流 調査", None), ("札幌 人流 調査", None), ("札幌 避難所 気温", None), ("shelter", None),
    ("人流", {"theme": [next(iter(Theme))]}), ("", {"theme": [[*Theme][1]], "quality": ["80-100"]}), ("shelterr", None),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 20])
def test_whichever_way_is_taken_the_places_are_the_same(
    market: SearchIndex, way: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {str(asked): walk(market, asked[0], size, asked[1]) for asked in ASKED}
    monkeypatch.setattr(placing, "AT_ONCE_MAX", 10_000)
    monkeypatch.setattr(placing, "LOOK_AT", 10_000)
    monkeypatch.setattr(bands, "TERMS_MAX", 10_000)
    for asked in ASKED:
        whole = [(hit.score, hit.dataset_id, hit.step) for hit in market.search(asked[0], asked[1], size=200).hits]
        assert found[str(asked)] == whole, (way, asked)
        assert len({dataset_id for _, dataset_id, _ in whole}) == len(whole)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_lose_nobody_where_steps_meet_in_one_score(index: SearchIndex, way: str, size: int) -> None:
    """A name in the title is worth 110 points more than one among the tags: what is younger by so much stands beside it."""
    days = [NEW_YEAR - timedelta(days=merit.DAYS_PER_POINT * points) for points in (0, 10, 60, 110, 120)]
    index.rebuild(
        DocumentFactory(
            id=f"ds_{number:02}",
            title_ja="人流の調査" if number % 2 else "調査",
            keywords=["人流"],
            published_at=clock.text(day),
        )
        for number, day in enumerate(day for day in days for _ in range(4))
    )
    seen = walk(index, "人流", size)
    assert len({dataset_id for _, dataset_id, _ in seen}) == 20
    assert [score for score, _, _ in seen] == sorted((score for score, _, _ in seen), reverse=True)
    steps = {score: {step for at, _, step in seen if at == score} for score, _, _ in seen}
    assert max(map(len, steps.values())) == 2


def test_documents_of_one_key_are_paged_by_id_whichever_way_is_taken(
    index: SearchIndex, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merit, "key_of", lambda document: 7)
    index.rebuild(DocumentFactory(id=f"ds_{number:02}", title_ja="人流") for number in range(30))
    assert [dataset_id for _, dataset_id, _ in walk(index, "人流", 4)] == [f"ds_{number:02}" for number in range(30)]


def test_bands_are_taken_from_the_highest_until_there_are_enough() -> None:
    width = bands.WIDTHS["standing"]
    found = bands.read("standing", [("7", 5), ("12", 3), ("9", 40), ("0", 1)])
    assert found.highest == (13 << width) - 1
    assert found.within(0, None) == ([12, 9, 7, 0], True)
    assert found.within(0, None, enough=4) == ([12, 9], False)
    assert found.within(8 << width, None, enough=1_000) == ([12, 9], True)
    assert found.within(0, (9 << width) + 1, enough=1) == ([9], False)
    assert found.within(13 << width, None) == ([], True)
    assert bands.read("standing", []).highest == 0
