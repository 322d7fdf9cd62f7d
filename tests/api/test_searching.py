"""Searching on the wire: explained, narrowed, suggested; and a page that says the same without a script."""

import pytest

from tests.api.trade import call, ok
from tests.web.conftest import List, get, index, listed  # noqa: F401 - fixtures of pages that are searched


def test_a_hit_is_explained_where_that_is_asked_for(app, listed: List):  # noqa: F811
    listed(title_ja="札幌市の避難所", title_en="", description_ja="", description_en="", keywords=[])
    (item,) = ok(call(app, "GET", "/v1/catalog?q=shelter&explain=1"))["items"]
    told = item["explanation"]
    assert told["score"] == told["nearness"]["points"] + sum(told["standing"].values())
    assert (told["words"][0]["found_as"], told["words"][0]["field"]) == ("避難所", "title")
    assert told["nearness"]["ja"]
    assert told["nearness"]["en"]
    (bare,) = ok(call(app, "GET", "/v1/catalog?q=shelter"))["items"]
    assert "explanation" not in bare


def test_facets_and_spans_narrow_on_the_wire(app, listed: List):  # noqa: F811
    listed(title_ja="令和5年度の人流", region="011011")
    listed(title_ja="令和6年度の人流", region="131016")
    found = ok(call(app, "GET", "/v1/catalog?region=010006&covers_until=2023-12-31"))
    assert [item["title_ja"] for item in found["items"]] == ["令和5年度の人流"]
    assert found["facets"]["region"] == {"011011": 1, "011002": 1, "010006": 1}
    assert ok(call(app, "GET", "/v1/catalog?year=2024&licence=CC-BY-4.0&delivery=exchange"))["total"] == 1
    assert ok(call(app, "GET", "/v1/catalog?bbox=141,43,142,44"))["total"] == 0


@pytest.mark.parametrize("query", ["bbox=1,2", "covers_from=yesterday", "covers_until=2026-02-30", "explain=perhaps"])
def test_what_cannot_be_read_is_refused_and_named(app, listed: List, query: str):  # noqa: F811
    answer = call(app, "GET", f"/v1/catalog?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


def test_suggestions_go_on_from_what_is_typed_in_letters_or_in_kana(app, listed: List):  # noqa: F811
    listed(title_ja="避難所一覧", title_en="Shelters of the city", keywords=["避難", "防災"])
    listed(title_ja="避難訓練の記録", title_en="", keywords=["避難"])
    for typed in ("避難", "ひなん"):
        items = ok(call(app, "GET", f"/v1/catalog/suggestions?q={typed}"))["items"]
        assert items[0] == {"text": "避難", "kind": "tag", "datasets": 2}
        assert {"避難所一覧", "避難訓練の記録"} == {item["text"] for item in items if item["kind"] == "title"}
    assert [item["text"] for item in ok(call(app, "GET", "/v1/catalog/suggestions?q=shel"))["items"]] == [
        "Shelters of the city"
    ]
    assert [item["text"] for item in ok(call(app, "GET", "/v1/catalog/suggestions?size=1"))["items"]] == ["避難"]
    assert ok(call(app, "GET", "/v1/catalog/suggestions?q=存在しない"))["items"] == []


@pytest.mark.parametrize("query", [f"q={'a' * 101}", "size=0", "size=51", "colour=red"])
def test_suggestions_refuse_what_they_cannot_take(app, listed: List, query: str):  # noqa: F811
    assert call(app, "GET", f"/v1/catalog/suggestions?{query}").status_code == 422


@pytest.mark.parametrize("typed", ["\x00", '"', "a" * 100, "😀", "%ED%A0%80", "ー", "、。", "人" * 100])
def test_hostile_beginnings_are_only_text(app, listed: List, typed: str):  # noqa: F811
    listed()
    assert call(app, "GET", "/v1/catalog/suggestions", query_string={"q": typed}).status_code in {200, 400, 422}


def test_the_page_offers_suggestions_and_spans_without_a_script(get, listed: List):  # noqa: F811
    listed(title_ja="避難所一覧", title_en="", keywords=["避難", "<b>"])
    text = get("/catalog?q=ひなん&theme=transport_tourism&bbox=141,43,142,44").get_data(as_text=True)
    assert '<datalist id="suggestions">' in text
    assert '<option value="避難所一覧">' in text
    assert 'list="suggestions"' in text
    assert 'name="bbox" maxlength="100" placeholder="141.2,42.9,141.6,43.2" value="141,43,142,44"' in text
    assert '<input type="hidden" name="theme" value="transport_tourism">' in text
    assert "<b>" not in get("/catalog").get_data(as_text=True)
