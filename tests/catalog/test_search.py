"""Finding what is listed, in Japanese and English."""

import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marketplace.catalog import merit, narrowing, search, words
from marketplace.catalog.errors import IndexBroken, IndexBusy
from marketplace.catalog.search import SearchIndex
from marketplace.catalog.sight import Sight
from marketplace.kit import clock
from marketplace.kit.errors import Invalid
from marketplace.kit.pages import encode_cursor
from tests.factories.catalog import DocumentFactory

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: int) -> str:
    return clock.text(NEW_YEAR + timedelta(days=day))


def ids(result: search.SearchResult) -> list[str]:
    return [hit.dataset_id for hit in result.hits]


def walk(index: SearchIndex, query: str, size: int, **filters: list[str]) -> list[str]:
    """All hits, page by page."""
    result = index.search(query, filters, size=size)
    seen = ids(result)
    while result.next_cursor:
        result = index.search(query, filters, size=size, cursor=result.next_cursor)
        seen += ids(result)
    return seen


@pytest.fixture
def city(index: SearchIndex) -> SearchIndex:
    """A small catalogue in which each thing can be mistaken for another."""
    index.rebuild(
        [
            DocumentFactory(
                id="flow", title_ja="大通地区の人流データ", title_en="Pedestrian flow", themes=["transport_tourism"]
            ),
            DocumentFactory(id="temperature", title_ja="毎時の気温", columns=["観測所名", "気温", "stationName"]),
            DocumentFactory(id="mentions", title_ja="観光統計", description_ja="人流と宿泊の調査。", region="131008"),
            DocumentFactory(id="tokyo", title_ja="東京都の避難所", formats=["XLSX", "CSV"], region="130001"),
            DocumentFactory(id="kyoto", title_ja="京都市の避難所", price_classes=["free", "metered"]),
            DocumentFactory(id="bears", title_ja="ヒグマ出没情報", title_en="Bear sightings", formats=["GeoJSON"]),
            DocumentFactory(id="keyword", title_ja="歩行者調査", keywords=["人流", "サーバ"]),
            DocumentFactory(
                id="publisher",
                title_ja="決算書",
                publisher={"id": "org_2", "name_ja": "人流研究所", "name_en": "Flow Lab"},
            ),
        ]
    )
    return index


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("人流", {"flow", "mentions", "keyword", "publisher"}),
        ("気温", {"temperature"}),
        ("京都", {"kyoto"}),
        ("東京", {"tokyo", "mentions"}),
        ("東京都", {"tokyo", "mentions"}),
        ("Tokyo", {"tokyo", "mentions"}),
        ("避難所", {"tokyo", "kyoto"}),
        ("避難所 東京", {"tokyo"}),
        ("観測所名", {"temperature"}),
        ("stationname", {"temperature"}),
        ("station", {"temperature"}),
        ("ＰＥＤＥＳＴＲＩＡＮ", {"flow", "mentions", "keyword", "publisher"}),
        ("footfall", {"flow", "mentions", "keyword", "publisher"}),
        ("evacuation shelter", {"tokyo", "kyoto"}),
        ("ひなんじょ", {"tokyo", "kyoto"}),
        ("じんりゅう", {"flow", "mentions", "keyword", "publisher"}),
        ("サーバ", {"keyword"}),
        ("サ-バ", set()),
        ("ひぐま", {"bears"}),
        ("pedestrain", {"flow", "mentions", "keyword", "publisher"}),
        ("sihgtings", {"bears"}),
        ("歩行者調", {"keyword"}),
        ("縣", set()),
        ("ﾃﾞｰﾀ", {"flow"}),
        ("bear sighting", {"bears"}),
        ("BEARS", {"bears"}),
        ("サーバー", {"keyword"}),
        ("人流の調査", {"mentions", "keyword"}),
        ("人流 気温", set()),
        ("存在しない語彙", set()),
    ],
)
def test_words_are_found_whatever_their_width_case_and_form(city: SearchIndex, query: str, found: set[str]) -> None:
    result = city.search(query)
    assert set(ids(result)) == found
    assert result.total == len(found)


def test_the_title_weighs_more_than_keywords_and_these_more_than_descriptions(city: SearchIndex) -> None:
    result = city.search("人流")
    assert ids(result)[0] == "flow"
    assert set(ids(result)[1:3]) == {"keyword", "publisher"}
    assert ids(result)[3] == "mentions"
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)


def test_a_title_that_is_the_query_stands_first(index: SearchIndex) -> None:
    index.upsert_many(
        [
            DocumentFactory(id="parts", title_ja="人口の密度と世帯", published_at=at(9)),
            DocumentFactory(id="whole", title_ja="市町村別の人口密度", published_at=at(8)),
            DocumentFactory(id="exact", title_ja="人口 密度", published_at=at(1)),
        ]
    )
    assert ids(index.search("人口密度")) == ["exact", "whole", "parts"]


def test_where_no_document_has_all_words_those_with_most_are_found(city: SearchIndex) -> None:
    result = city.search("札幌 避難所 東京")
    assert ids(result)[0] == "tokyo"
    assert result.next_cursor is None
    first = city.search("札幌 避難所 東京", size=1)
    assert ids(city.search("札幌 避難所 東京", size=1, cursor=first.next_cursor)) == ["kyoto"]
    city.upsert(DocumentFactory(id="all", title_ja="東京と札幌の避難所", published_at="2099-01-01T00:00:00.000000Z"))
    assert ids(city.search("札幌 避難所 東京", size=1, cursor=first.next_cursor)) == ["kyoto"]
    assert ids(city.search("札幌 避難所 東京")) == ["all", "tokyo", "kyoto"]


def test_an_empty_query_lists_the_newest_first(index: SearchIndex) -> None:
    index.rebuild(DocumentFactory(id=f"ds_{day}", published_at=at(day)) for day in (3, 1, 2))
    index.upsert(DocumentFactory(id="undated", published_at=None))
    for query in ("", "  ", "\u3000", "\x00"):
        assert ids(index.search(query)) == ["ds_3", "ds_2", "ds_1", "undated"]


def test_an_empty_index_answers(index: SearchIndex) -> None:
    result = index.search("人流")
    assert (result.hits, result.total, result.next_cursor) == ([], 0, None)
    assert result.facets == {name: {} for name in narrowing.FACETS}


def test_facets_count_each_value(city: SearchIndex) -> None:
    facets = city.search("避難所").facets
    assert facets["format"] == {"CSV": 2, "XLSX": 1}
    assert facets["price_class"] == {"free": 2, "metered": 1}
    assert facets["region"] == {"130001": 1, "010006": 1, "011002": 1}
    assert facets["publisher"] == {"org_1": 2}
    assert facets["theme"] == {"other": 2}
    assert facets["frequency"] == {"ANNUAL": 2}


def test_a_dataset_of_two_themes_is_counted_and_found_under_each(index: SearchIndex) -> None:
    index.rebuild(
        [DocumentFactory(id="both", themes=["labour", "economy"]), DocumentFactory(id="one", themes=["economy"])]
    )
    assert index.search("").facets["theme"] == {"economy": 2, "labour": 1}
    assert ids(index.search("", {"theme": ["labour"]})) == ["both"]
    assert set(ids(index.search("", {"theme": ["economy"]}))) == {"both", "one"}


def test_filters_add_up_and_their_values_are_alternatives(city: SearchIndex) -> None:
    assert ids(city.search("避難所", {"region": ["130001"]})) == ["tokyo"]
    assert set(ids(city.search("", {"region": ["130001", "131008"]}))) == {"tokyo", "mentions"}
    assert ids(city.search("", {"region": ["130001", "131008"], "format": ["XLSX"]})) == ["tokyo"]
    assert set(ids(city.search("", {"publisher": ["org_2"], "region": []}))) == {"publisher"}
    assert city.search("", {"format": ["no such", "\x00", "\ud800", '"*']}).total == 0


def test_a_facet_still_shows_what_its_own_filter_leaves_out(city: SearchIndex) -> None:
    result = city.search("避難所", {"region": ["130001"]})
    assert result.total == 1
    assert result.facets["region"] == {"130001": 1, "010006": 1, "011002": 1}
    assert result.facets["format"] == {"CSV": 1, "XLSX": 1}
    everywhere = {name: ["none"] for name in narrowing.FACETS}
    assert city.search("避難所", everywhere).facets == {name: {} for name in narrowing.FACETS}


def test_an_unknown_filter_is_named(city: SearchIndex) -> None:
    with pytest.raises(Invalid) as refusal:
        city.search("", {"colour": ["red"]})
    assert refusal.value.errors[0]["pointer"] == "/colour"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("query", ["", "人流", "人流 調査"])
def test_pages_hold_every_hit_once_in_one_order(index: SearchIndex, size: int, query: str) -> None:
    draw = random.Random(7)
    texts = ["人流", "調査", "人流の調査", "気温"]
    index.rebuild(
        DocumentFactory(
            id=f"ds_{n:02}",
            title_ja=draw.choice(texts),
            description_ja=draw.choice(texts),
            keywords=[draw.choice(texts)],
            published_at=at(n % 5),
        )
        for n in range(40)
    )
    whole = index.search(query, size=100)
    assert walk(index, query, size) == ids(whole)
    assert len(set(ids(whole))) == len(whole.hits) == whole.total


def test_documents_of_one_instant_are_paged_by_id(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merit, "key_of", lambda document: 7)
    index.rebuild(DocumentFactory(id=f"ds_{n:02}", title_ja="人流") for n in range(30))
    assert walk(index, "人流", 4) == [f"ds_{n:02}" for n in range(30)]


def test_pages_do_not_shift_when_datasets_come_and_go(index: SearchIndex) -> None:
    index.rebuild(DocumentFactory(id=f"ds_{n:02}", title_ja="人流", published_at=at(n)) for n in range(9))
    first = index.search("人流", size=3)
    index.remove("ds_08")
    index.remove("ds_06")
    index.upsert(DocumentFactory(id="new", title_ja="人流", published_at=at(99)))
    index.upsert_many(DocumentFactory(title_ja="気温", description_ja="人流") for _ in range(5))
    second = index.search("人流", size=3, cursor=first.next_cursor)
    assert ids(second) == ["ds_05", "ds_04", "ds_03"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "人流",
        encode_cursor([0, 1, 2]),
        encode_cursor([0, "a", 1, "b"]),
        encode_cursor([0, 1, 2**70, "b"]),
        encode_cursor([0, 1, -1, "b"]),
        encode_cursor([3, 1, 1, "b"]),
    ],
)
def test_a_made_up_cursor_is_refused(city: SearchIndex, cursor: str) -> None:
    with pytest.raises(Invalid):
        city.search("人流", cursor=cursor)


@pytest.mark.parametrize(
    "query",
    [
        'AND OR NOT ("',
        "title_ja:人流 AND -気温^9~2",
        "* ? [a TO z] /.*/",
        "'; DROP TABLE dataset; --",
        "人" * 10_000,
        "人流 " * 3_000,
        " ".join(map(str, range(5_000))),
        "😀😀👨\u200d👩\u200d👧",
        "\x00人流\x00",
        "\ud800",
        "\u202e流人",
        "ﷺ" * 5_000,
        "の",
        "。、！",
        "a" * 70_000,
        "\n\r\t",
        "%00%0a",
        "e\u0301" * 4_000,
    ],
)
def test_hostile_queries_are_only_text(city: SearchIndex, query: str) -> None:
    result = city.search(query, size=3)
    assert len(result.hits) <= 3 <= city.search("").total


def test_hostile_documents_are_only_text(index: SearchIndex) -> None:
    index.upsert(
        DocumentFactory(
            id="ds_'\"*",
            title_ja="a" * 70_000,
            title_en="\ud800",
            description_ja="人流" * 40_000 + "。" + "x" * 60_000,
            keywords=["\x00", " "],
            columns=["気温\n" * 100] + ["c"] * 5_000,
            formats=["CSV", "CSV"],
        )
    )
    result = index.search("人流")
    assert ids(result) == ["ds_'\"*"]
    assert result.facets["format"] == {"CSV": 1}
    index.remove("ds_'\"*")
    assert index.search("").total == 0


def test_an_upsert_replaces_and_a_removal_forgets(city: SearchIndex) -> None:
    city.upsert(DocumentFactory(id="flow", title_ja="積雪深"))
    assert "flow" not in ids(city.search("大通"))
    assert ids(city.search("積雪")) == ["flow"]
    city.remove("flow")
    city.remove("never there")
    assert city.search("積雪").total == 0
    assert city.search("").total == 7


def test_a_rebuilt_index_answers_as_the_one_that_grew(index: SearchIndex, tmp_path: Path) -> None:
    draw = random.Random(11)
    texts = ["人流", "気温と湿度", "観光客の調査", "避難所一覧", "Bear sightings", "人口密度"]
    current: dict[str, dict[str, Any]] = {}
    for n in range(60):
        dataset_id = f"ds_{draw.randrange(25):02}"
        if n % 7 == 6:
            index.remove(dataset_id)
            current.pop(dataset_id, None)
        else:
            current[dataset_id] = DocumentFactory(
                id=dataset_id, title_ja=draw.choice(texts), description_ja=draw.choice(texts), published_at=at(n)
            )
            index.upsert(current[dataset_id])
    rebuilt = SearchIndex(tmp_path / "rebuilt")
    rebuilt.rebuild(current.values())
    for query in ["", *texts]:
        assert rebuilt.search(query, size=100) == index.search(query, size=100)


def test_another_reader_sees_what_was_written(city: SearchIndex, index: SearchIndex) -> None:
    reader = SearchIndex(index._directory)
    assert reader.search("").total == 8
    city.upsert(DocumentFactory(id="new", title_ja="積雪深"))
    assert ids(reader.search("積雪")) == ["new"]
    city.rebuild([])
    assert reader.search("").total == 0


def test_while_another_process_writes_the_index_is_busy_and_nothing_changes(city: SearchIndex) -> None:
    program = (
        "import sys, tantivy; writer = tantivy.Index.open(sys.argv[1]).writer(15_000_000, 1);"
        " print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(city._directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        for deed in (
            lambda: city.upsert(DocumentFactory(id="new")),
            lambda: city.remove("flow"),
            lambda: city.rebuild([]),
        ):
            with pytest.raises(IndexBusy):
                deed()
        assert city.search("").total == 8
        other.stdin.close()
    city.remove("flow")
    assert city.search("").total == 7


def test_a_write_that_fails_leaves_the_index_as_it_was_and_free(city: SearchIndex) -> None:
    def half() -> Iterator[dict[str, Any]]:
        yield DocumentFactory(id="new")
        raise RuntimeError("the database went away")

    for write in (city.rebuild, city.upsert_many):
        with pytest.raises(RuntimeError):
            write(half())
        assert city.search("").total == 8
    city.upsert(DocumentFactory(id="new"))
    assert city.search("").total == 9


def test_threads_share_one_index(city: SearchIndex) -> None:
    def work(n: int) -> int:
        city.upsert(DocumentFactory(id=f"thread_{n}", title_ja="積雪深"))
        return city.search("人流").total

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [4] * 16
    assert city.search("積雪").total == 16


@pytest.mark.parametrize("damage", [b"{", b"", b'{"segments": []}'])
def test_a_damaged_index_says_so_and_is_mended_by_a_rebuild(city: SearchIndex, damage: bytes) -> None:
    (city._directory / "meta.json").write_bytes(damage)
    for index in (city, SearchIndex(city._directory)):
        with pytest.raises(IndexBroken):
            index.search("人流")
        assert not index.is_usable()
        with pytest.raises(IndexBroken):
            index.upsert(DocumentFactory())
    city.rebuild([DocumentFactory(id="flow", title_ja="人流")])
    assert city.is_usable()
    assert ids(city.search("人流")) == ["flow"]


def test_an_absent_index_wants_a_rebuild(index: SearchIndex) -> None:
    assert not index.is_usable()
    index.rebuild([])
    assert index.is_usable()


def test_an_index_of_another_form_is_replaced_by_a_rebuild(index: SearchIndex) -> None:
    import tantivy

    index._directory.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("other")
    tantivy.Index(builder.build(), str(index._directory))
    assert not index.is_usable()
    index.rebuild([DocumentFactory(title_ja="人流")])
    assert index.search("人流").total == 1


def test_an_index_damaged_under_a_reader_says_so(city: SearchIndex) -> None:
    assert city.search("人流").total == 4
    (city._directory / "meta.json").write_bytes(b"{")
    with pytest.raises(IndexBroken):
        city.search("人流")


def test_a_damaged_segment_is_reported(city: SearchIndex) -> None:
    for file in city._directory.glob("*.store"):
        file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(IndexBroken):
        SearchIndex(city._directory).search("人流")


def test_lost_segment_files_are_reported(city: SearchIndex) -> None:
    for file in city._directory.glob("*.term"):
        file.unlink()
    with pytest.raises(IndexBroken):
        SearchIndex(city._directory).search("人流")
    city.rebuild([DocumentFactory(title_ja="人流")])
    assert city.search("人流").total == 1


def test_a_word_is_cut_the_same_alone_and_in_a_sentence() -> None:
    assert "人流" in words.index_text("札幌市の人流データ。").split()
    assert words.name_of("Ａ　Ｂ") == words.name_of("ab")
    assert words.split_camel("facilityName") == "facilityName facility Name"
    assert words.split_camel("緯度") == "緯度"
    assert words.read_query("。！", 5) == words.Phrase((), ())
    assert len(words.read_query(" ".join(map(str, range(99))), 5).parts) == 5


def test_suggestions_tell_nothing_of_what_is_listed_to_others(index: SearchIndex) -> None:
    index.rebuild(
        [
            DocumentFactory(id="open", title_ja="避難所一覧", keywords=["避難"]),
            DocumentFactory(id="hidden", title_ja="避難計画の秘密", keywords=["避難", "避難秘密"], audience="grp_1"),
        ]
    )
    told = {one.text: one.datasets for one in index.suggest("ひなん")}
    assert told == {"避難": 1, "避難所一覧": None}
    seen = {one.text: one.datasets for one in index.suggest("ひなん", sight=Sight(frozenset({"grp_1"})))}
    assert seen == {"避難": 2, "避難秘密": 1, "避難所一覧": None, "避難計画の秘密": None}
    assert set(index.search("").facets["theme"].values()) == {1}
