"""The pages on which a dataset is judged: pictures have words, and strangers' words are text."""

import re

from flask import Flask

from marketplace.catalog import dictionary
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.quality_words import ADVICE_CALLS, ADVICE_FIELDS, ADVICE_LABELS, ADVICE_SUGGESTED, Advice
from marketplace.web import description, portrait
from tests.web.conftest import PROFILE, Get, List
from tests.web.test_pages import ATTACK, Outline

VALUES = {"kind": "values", "values": [{"value": ATTACK, "count": 30}, {"value": "北区", "count": 10}], "others": 4}
HISTOGRAM = {"kind": "histogram", "low": "0", "high": "9", "counts": [10, None, 0, 40], "sampled": False}


def column(name: str, distribution: object = None, **more: object) -> dict[str, object]:
    return {"name": name, "type": "string", "null_share": "0.000000", "distribution": distribution} | more


def shown(listed: List, get: Get, **parts: object) -> str:
    dataset = listed(profile=PROFILE | parts)
    return get(f"/catalog/{dataset.id}").text + get(f"/catalog/{dataset.id}", "en").text


def test_a_sparkline_is_a_picture_with_words(listed: List, get: Get) -> None:
    dataset = listed(profile=PROFILE | {"columns": [column("区", VALUES), column("人数（人）", HISTOGRAM)]})
    for language in ("ja", "en"):
        text = get(f"/catalog/{dataset.id}", language).text
        outline = Outline(text)
        assert outline.wrong == []
        assert outline.open == []
        sparks = [svg for svg in outline.all("svg") if svg.get("class") == "spark"]
        assert [svg["role"] for svg in sparks] == ["img", "img"]
        assert text.count("<title>") == 3
        assert ATTACK not in text
        assert [rect.get("class") for rect in outline.all("rect")].count("few") == 1
    assert "persons" in text


def test_a_masked_column_says_so(listed: List, get: Get) -> None:
    text = shown(listed, get, columns=[column("氏名", VALUES, examples=["佐藤"])], preview=[["佐藤"]])
    assert "佐藤" not in text
    assert "not shown: it may be of persons" in text
    assert "個人に関する値の疑いがあるため表示しません" in text


def test_what_a_provider_says_of_a_column_is_text(listed: List, get: Get) -> None:
    said = dictionary.stored([ColumnNote("人数", ATTACK, "Count", ATTACK, "How many passed.", unit=ATTACK)])
    dataset = listed(dictionary=said)
    text = get(f"/catalog/{dataset.id}").text
    assert ATTACK not in text
    assert "How many passed." in get(f"/catalog/{dataset.id}", "en").text


def test_the_score_is_shown_with_its_parts_and_cures(listed: List, get: Get) -> None:
    dataset = listed()
    text = get(f"/catalog/{dataset.id}", "en").text
    assert re.search(r"<strong>[0-9]+</strong> / 100", text)
    assert "Say of every column what it means." in text
    assert "すべての列の意味を書いてください。" in get(f"/catalog/{dataset.id}").text
    assert Outline(text).all("meter")[0]["aria-labelledby"] == "quality"


def test_where_the_rows_lie_is_drawn_without_a_map_of_others(listed: List, get: Get) -> None:
    columns = [
        column("緯度", type="decimal", min="42.9", max="43.2"),
        column("経度", type="decimal", min="141.2", max="141.5"),
    ]
    dataset = listed(profile=PROFILE | {"columns": columns, "preview": [["43.06", "141.35"], ["43.1", "141.4"]]})
    text = get(f"/catalog/{dataset.id}", "en").text
    assert len(Outline(text).all("circle")) == 2
    assert "latitude 42.900°N to 43.200°N, longitude 141.200°E to 141.500°E. 2 points of the sample are shown." in text
    assert not re.search(r"<(img|image|link|script)[^>]*(tile|openstreetmap|gsi\.go\.jp)", text)


def test_maps_keep_their_shape_and_stay_on_the_paper(app: Flask) -> None:
    point = [["0", "0"], ["200", "0"]]
    with app.test_request_context("/?lang=en"):
        for box in ("0 0 0 0", "-180 -90 180 90", "10 -80 10.1 80", "-70.5 -33.6 -70.4 -33.5"):
            drawn = portrait.drawn_map({"bbox": box.split(), "points": point})
            assert drawn is not None
            assert 0 < drawn.width <= portrait.MAP_WIDTH
            assert drawn.height <= portrait.MAP_HEIGHT_MAX + 2 * portrait.MARGIN
        assert "33.500°S" in drawn.words
    assert portrait.drawn_map({"bbox": None}) is None
    assert portrait.spark(None) is None


def test_the_history_of_a_dataset_is_a_page(listed: List, get: Get) -> None:
    dataset = listed()
    for language, words in (("ja", "更新の履歴"), ("en", "Update history")):
        answer = get(f"/catalog/{dataset.id}/history", language)
        assert answer.status_code == 200
        assert words in answer.text
        assert Outline(answer.text).wrong == []
    assert get("/catalog/ds_0/history").status_code == 404


def test_geometries_are_drawn_as_a_coarse_grid_with_words(listed: List, get: Get) -> None:
    grid = {"degrees": "0.01", "cells": [[14130, 4300, 30], [14131, 4301, None], [14140, 4310, 10]]}
    shape = {"format": "geojson", "bbox": ["141.3012", "43.0012", "141.4099", "43.1099"], "grid": grid}
    dataset = listed(profile=PROFILE | shape)
    for language, words in (
        ("en", "Features lie in 3 cells of 0.01 degrees. The fullest, by their middle: 43.005°N 141.305°E 30; "),
        ("ja", "0.01度の升目3個に地物があります。最も多い升目の中心と件数：43.005°N 141.305°E 30、"),
    ):
        text = get(f"/catalog/{dataset.id}", language).text
        outline = Outline(text)
        assert outline.wrong == []
        cells = [rect for rect in outline.all("rect") if rect.get("class") == "cell"]
        assert [rect["fill-opacity"] for rect in cells] == ["0.90", "0.15", "0.46"]
        assert all(int(str(rect["x"])) >= portrait.MARGIN for rect in cells)
        assert words in text


def test_every_advice_leads_to_the_call_that_follows_it(listed: List, get: Get) -> None:
    described = get("/docs").text
    document = get("/openapi.json").json
    assert document is not None
    assert set(ADVICE_CALLS) == set(ADVICE_LABELS) == set(Advice)
    for advice, call in ADVICE_CALLS.items():
        assert f'id="{description.anchor_of(call)}"' in described, advice
        method, _, path = call.partition(" ")
        body = document["paths"][path][method.lower()].get("requestBody", {"content": {}})["content"]
        named = [one["schema"]["$ref"].split("/")[-1] for one in body.values() if "$ref" in one.get("schema", {})]
        known = {field for name in named for field in document["components"]["schemas"][name]["properties"]}
        assert set(ADVICE_FIELDS.get(advice, ())) <= known, advice
    dataset = listed()
    for language in ("ja", "en"):
        text = get(f"/catalog/{dataset.id}", language).text
        assert f'#{description.anchor_of(ADVICE_CALLS[Advice.COLUMNS])}"' in text
    told = get(f"/v1/catalog/{dataset.id}/quality", Accept="application/json").json
    assert told is not None
    advice = [one for part in told["parts"] for one in part["improve"]]
    assert {
        "code": "columns",
        "call": ADVICE_CALLS[Advice.COLUMNS],
        "fields": ["columns"],
        "page": None,
    }.items() <= next(one.items() for one in advice if one["code"] == "columns")
    pages = {one["code"]: one["page"] for one in advice}
    assert all(page == ("/organization/repairs" if code in ADVICE_SUGGESTED else None) for code, page in pages.items())
