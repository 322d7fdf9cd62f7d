"""Facets of the region's hierarchy, years and bands; spans of time and boxes of the earth; why a hit stands where it does."""

import random
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from marketplace.catalog import asking, entries, explaining, extent, meaning, merit, narrowing, places, ranking
from marketplace.catalog.search import SearchIndex
from marketplace.catalog.states import Theme
from marketplace.kit.errors import Invalid
from tests.factories.catalog import DocumentFactory


def ids(index: SearchIndex, query: str = "", **filters: list[str]) -> set[str]:
    return {hit.dataset_id for hit in index.search(query, filters, size=50).hits}


@pytest.fixture
def earth(index: SearchIndex) -> SearchIndex:
    """Datasets here and there, now and then."""
    index.rebuild(
        [
            DocumentFactory(
                id="odori", region="011011", temporal={"from": "2024-04-01", "until": "2025-03-31"},
                bbox=["141.34", "43.05", "141.37", "43.07"], quality=85, licence_hint="CC-BY-4.0",
                privacy_class="nonPersonalInformation",
            ),
            DocumentFactory(
                id="sapporo", region="011002", title_ja="平成30年度の人口", bbox=["140.9", "42.7", "141.6", "43.2"],
                quality={"score": 40, "parts": []}, releases=[{"files": [{"held_by": "provider"}]}],
            ),
            DocumentFactory(id="hokkaido", region="010006", temporal={"from": "2020-01-01", "until": "2020-12-31"}),
            DocumentFactory(id="fiji", region="JP", bbox=["177.0", "-19.0", "179.9", "-16.0"], quality=0),
        ]
    )  # fmt: skip
    return index


def test_a_ward_lies_in_its_city_and_a_city_in_its_prefecture() -> None:
    assert places.holding("011011") == ["011011", "011002", "010006"]
    assert places.holding("141046") == ["141046", "141003", "140007"]
    assert places.holding("131016") == ["131016", "130001"]  # Tokyo's special wards are no wards of a city
    assert places.holding("012025") == ["012025", "010006"]
    assert places.holding("JP") == ["JP"]
    assert places.holding("999999") == ["999999"]
    assert places.names_of("011011") == ("中央区", "Chuo", "札幌市", "Sapporo", "北海道", "Hokkaido")
    assert (places.name_of("012025", 0), places.name_of("012025", 1)) == ("函館市", "Hakodate")
    assert places.name_of("999999", 0) is None


def test_every_municipality_has_a_name_in_both_languages_and_every_city_with_wards_is_among_them() -> None:
    known = places.municipalities()
    assert len(known) > 1_900
    assert all(ja[-1] in "市区町村" and en.isascii() and en.istitle() for ja, en in known.values())
    assert all(1 <= int(code[:2]) <= 47 for code in known)
    told = {places.name_of(places.whole_code(code), 1) for code in ("11100", "15100", "42208", "32202", "40100")}
    assert told == {"Saitama", "Niigata", "Matsuura", "Hamada", "Kitakyushu"}
    assert places.name_of(places.whole_code("26100"), 1) == "Kyoto"


def test_regions_are_found_and_counted_with_what_lies_in_them(earth: SearchIndex) -> None:
    assert ids(earth, region=["010006"]) == {"odori", "sapporo", "hokkaido"}
    assert ids(earth, region=["011002"]) == {"odori", "sapporo"}
    assert ids(earth, region=["011011"]) == {"odori"}
    assert earth.search("").facets["region"] == {"010006": 3, "011002": 2, "011011": 1, "JP": 1}
    assert ids(earth, "Hokkaido") == {"odori", "sapporo", "hokkaido"}


def test_years_bands_paths_licences_and_classes_are_counted(earth: SearchIndex) -> None:
    facets = earth.search("").facets
    assert facets["year"] == {"2018": 1, "2020": 1, "2024": 1, "2025": 1}
    assert facets["quality"] == {"0-39": 1, "40-59": 1, "80-100": 1}
    assert facets["delivery"] == {"source": 3, "provider": 1}
    assert facets["licence"] == {"CC-BY-4.0": 1}
    assert facets["privacy_class"] == {"nonPersonalInformation": 1}
    assert ids(earth, year=["2018", "2025"]) == {"odori", "sapporo"}
    assert ids(earth, quality=["80-100"]) == {"odori"}


def test_spans_of_time_find_what_overlaps_them(earth: SearchIndex) -> None:
    assert ids(earth, covers_from=["2025-03-31"]) == {"odori"}
    assert ids(earth, covers_from=["2025-04-01"]) == set()
    assert ids(earth, covers_until=["2018-06-01"]) == {"sapporo"}
    assert ids(earth, covers_from=["2019-01-01"], covers_until=["2024-04-01"]) == {"odori", "hokkaido"}
    counted = earth.search("", {"covers_from": ["2020-06-01"], "region": ["011011"]}).facets["region"]
    assert counted == {"010006": 2, "011002": 1, "011011": 1}


def test_boxes_find_what_touches_them_also_across_the_date_line(earth: SearchIndex) -> None:
    assert ids(earth, bbox=["141.35,43.06,141.36,43.065"]) == {"odori", "sapporo"}
    assert ids(earth, bbox=["141,42.8,141.1,42.9"]) == {"sapporo"}
    assert ids(earth, bbox=["-180,-90,180,90"]) == {"odori", "sapporo", "fiji"}
    assert ids(earth, bbox=["179,-20,-179,-10"]) == {"fiji"}
    assert ids(earth, bbox=["-10,-20,10,20"]) == set()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bbox", ["1,2,3"]),
        ("bbox", ["1,2,3,4,5"]),
        ("bbox", ["a,b,c,d"]),
        ("bbox", ["nan,0,1,1"]),
        ("bbox", ["0,91,1,92"]),
        ("bbox", ["0,2,1,1"]),
        ("bbox", ["181,0,181,1"]),
        ("bbox", ["1e5,0,1,1"]),
        ("bbox", ["１,0,1,1"]),
        ("bbox", ["0,0,1,1", "0,0,1,1"]),
        ("covers_from", ["2026"]),
        ("covers_from", ["2026-02-30"]),
        ("covers_until", ["20260101"]),
        ("covers_until", ["２０２６-01-01"]),
        ("covers_until", ["\ud800"]),
    ],
)
def test_spans_that_cannot_be_read_are_named(earth: SearchIndex, name: str, values: list[str]) -> None:
    with pytest.raises(Invalid) as refusal:
        earth.search("", {name: values})
    assert refusal.value.errors[0]["pointer"] == f"/{name}"


@pytest.mark.parametrize(
    ("title", "years"),
    [
        ("令和5年度 予算", ["2023"]),
        ("令和元年の人口", ["2019"]),
        ("ダイオキシン類調査結果・H27地下水", ["2015"]),
        ("平成10年～平成12年の写真", ["1998", "1999", "2000"]),
        ("国勢調査（2015年）", ["2015"]),
        ("人口1998人", None),
        ("第33回世論調査", None),
    ],
)
def test_a_title_tells_its_years(title: str, years: list[str] | None) -> None:
    days = extent.days_of(DocumentFactory(title_ja=title))
    assert (days and days.years) == years


def test_what_stands_in_columns_of_few_values_is_found(index: SearchIndex) -> None:
    columns = [
        {
            "name": "種別",
            "type": "string",
            "distinct_estimate": 3,
            "examples": ["指定緊急避難場所"],
            "distribution": {"kind": "values", "values": [{"value": "津波避難ビル", "count": 20}], "others": 3},
        },
        {"name": "備考", "type": "string", "distinct_estimate": 4000, "examples": ["二度と出ない備考"]},
    ]
    profile: dict[str, Any] = {"columns": columns, "preview": [["福祉避難所", "ほかの備考"]]}
    index.upsert(DocumentFactory(id="values", releases=[{"files": [{"profile": profile}, {"profile": None}]}]))
    assert ids(index, "緊急") == ids(index, "福祉避難所") == ids(index, "津波") == {"values"}
    assert ids(index, "二度") == ids(index, "ほかの備考") == set()


def test_quality_trust_and_freshness_decide_among_the_equally_near(index: SearchIndex) -> None:
    at = "2020-01-01T00:00:00.000000Z"
    index.rebuild(
        [
            DocumentFactory(id="plain", title_ja="人流の調査", published_at=at),
            DocumentFactory(id="good", title_ja="人流の調査", published_at=at, quality=90),
            DocumentFactory(id="trusted", title_ja="人流の調査", published_at=at, trust=90),
            DocumentFactory(id="younger", title_ja="人流の調査", published_at="2021-06-01T00:00:00.000000Z"),
            DocumentFactory(id="far", title_ja="調査", description_ja="人流", published_at=at, quality=100, trust=100),
        ]
    )
    found = index.search("人流")
    assert [hit.dataset_id for hit in found.hits] == ["good", "trusted", "younger", "plain", "far"]


def test_a_little_nearness_gives_way_to_much_quality(index: SearchIndex) -> None:
    at = "2020-01-01T00:00:00.000000Z"
    index.rebuild(
        [
            DocumentFactory(id="nearer", title_ja="避難場所の位置", published_at=at),
            DocumentFactory(id="better", title_ja="地図", keywords=["避難所"], published_at=at, quality=100, trust=100),
        ]
    )
    assert [hit.dataset_id for hit in index.search("避難所").hits] == ["better", "nearer"]


def test_the_parts_of_a_score_add_up_and_say_by_which_words(index: SearchIndex) -> None:
    document = DocumentFactory(id="ds", title_ja="札幌市の避難所", quality=80, trust=50)
    index.upsert(document)
    (hit,) = index.search("shelter sapporo").hits
    told = explaining.explain("shelter sapporo", hit, document)
    assert told["score"] == hit.score == told["nearness"]["points"] + sum(told["standing"].values())
    assert told["nearness"]["step"] == "meaning_in_title"
    assert told["standing"]["quality"] == 24
    assert [(one["word"], one["found_as"], one["field"]) for one in told["words"]] == [
        ("shelter", "避難所", "title"),
        ("sapporo", "札幌", "title"),
    ]
    (newest,) = index.search("").hits
    assert explaining.explain("", newest, document)["score"] == 0
    missing = explaining.explain("気温", hit, document)["words"]
    assert missing == [{"word": "気温", "found_as": None, "field": None}]


def test_every_step_can_be_explained() -> None:
    from marketplace.catalog.ranking import POINTS

    assert set(explaining.STEPS) == set(POINTS)


def test_a_key_keeps_its_points_and_hostile_figures_are_bounded() -> None:
    hostile = DocumentFactory(quality=10**9, trust=-5, published_at="9999-12-31T00:00:00.000000Z")
    assert merit.standing_of(hostile) == merit.Standing(30, 0, 400)
    key = merit.key_of(hostile)
    assert key < 2**63
    assert merit.points_in(key) == 430
    assert merit.points_in(merit.key_with(7, key)) == 7
    assert entries.entry_of(hostile)
    assert merit.score({"quality": "85"}, "quality") == 0


@pytest.mark.parametrize(
    ("facet", "values", "found"),
    [
        ("theme", ["economy", "labour"], ("economy", "labour")),
        ("format", ["CSV|x", "a\tb", "CSV|x"], ("CSV|x", "a\tb")),
        ("region", ["011011", "011002", "010006"], ("011011", "011002", "010006")),
        ("year", ["2019", "2020", "2021"], ("2019", "2020", "2021")),
        ("year", [], ()),
        ("licence", [], ()),
    ],
)
def test_values_that_are_counted_as_one_come_apart_again(facet: str, values: list[str], found: tuple[str, ...]) -> None:
    assert narrowing.apart(facet, narrowing.together(facet, values)) == found


def test_counts_are_exact_over_many_segments_and_many_combinations(index: SearchIndex) -> None:
    chance = random.Random(5)
    made: list[dict[str, Any]] = []
    for _batch in range(4):
        batch = [
            DocumentFactory(
                formats=chance.sample(["CSV", "XLSX", "PDF", "GeoJSON"], chance.randrange(1, 4)),
                themes=chance.sample([*Theme], chance.randrange(1, 3)),
                region=places.whole_code(f"{chance.randrange(1, 48):02}{chance.randrange(201, 230)}"),
            )
            for _ in range(60)
        ]
        index.upsert_many(batch)
        made += batch
    facets = index.search("").facets
    assert facets["format"] == Counter(one for document in made for one in document["formats"])
    assert facets["theme"] == Counter(one for document in made for one in document["themes"])
    assert facets["region"] == Counter(code for document in made for code in places.holding(document["region"]))
    for code, number in list(facets["region"].items())[:20]:
        assert index.search("", {"region": [code]}).total == number


def test_what_is_kept_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "KEPT_MAX", 2)
    kept = asking.Kept()
    kept.keep("a", 1)
    kept.keep("b", 2)
    assert kept.find("a") == 1
    kept.keep("c", 3)
    assert (kept.find("a"), kept.find("b"), kept.find("c")) == (1, None, 3)


def test_kept_counts_end_with_the_commit_and_are_nobody_elses_to_change(index: SearchIndex) -> None:
    index.upsert(DocumentFactory(formats=["CSV"]))
    index.search("").facets["format"]["CSV"] = 99
    assert index.search("").facets["format"] == {"CSV": 1}
    index.upsert(DocumentFactory(formats=["CSV"]))
    assert index.search("").facets["format"] == {"CSV": 2}


def test_an_index_made_with_another_table_of_synonyms_is_made_anew(
    index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.rebuild([DocumentFactory(title_ja="人流")])
    entries.schema.cache_clear()
    monkeypatch.setattr(meaning, "digest", lambda: "another")
    try:
        there = SearchIndex(index._directory)
        assert not there.is_usable()
        there.rebuild([DocumentFactory(title_ja="人流")])
        assert there.search("人流").total == 1
    finally:
        entries.schema.cache_clear()
        ranking.exact.cache_clear()


@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_of_a_wide_search_hold_every_hit_once(index: SearchIndex, size: int) -> None:
    words = ["札幌", "避難所", "気温", "人口"]
    index.rebuild(
        DocumentFactory(
            id=f"ds_{n:02}",
            region="JP",
            title_ja=" ".join(w for bit, w in enumerate(words) if n >> bit & 1) or "無",
            quality=n,
        )
        for n in range(16)
    )
    query, seen, cursor = " ".join(words), [], None
    while True:
        result = index.search(query, size=size, cursor=cursor)
        seen += [hit.dataset_id for hit in result.hits]
        cursor = result.next_cursor
        if cursor is None:
            break
    assert seen[0] == "ds_15"
    assert len(seen) == len(set(seen)) == result.total == 11  # all four, three, or two of them
    assert seen == [hit.dataset_id for hit in index.search(query, size=100).hits]


def test_processes_read_what_one_of_them_writes(index: SearchIndex) -> None:
    index.rebuild([DocumentFactory(id="first", title_ja="人流の調査")])
    program = (
        "import sys; from pathlib import Path; from marketplace.catalog.search import SearchIndex\n"
        "index = SearchIndex(Path(sys.argv[1]))\n"
        "for line in sys.stdin: print(index.search(line.strip()).total, flush=True)"
    )
    command = [sys.executable, "-c", program, str(index._directory)]
    with ExitStack() as stack:
        readers = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(2)
        ]

        def told() -> list[int]:
            for reader in readers:
                reader.stdin.write("人流\n")
                reader.stdin.flush()
            return [int(reader.stdout.readline()) for reader in readers]

        assert told() == [1, 1]
        index.upsert(DocumentFactory(id="second", title_ja="人流の計測"))
        assert told() == [2, 2]
        index.remove("first")
        index.remove("second")
        assert told() == [0, 0]
