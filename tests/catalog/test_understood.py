"""Dictionary, coverage, quality, punctuality and changes of columns: pure functions over public documents."""

import copy
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.catalog import coverage, dictionary, punctuality, quality, schema_changes
from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.quality_words import ADVICE_LABELS, PART_LABELS, Advice, Part
from marketplace.kit import clock
from marketplace.kit.errors import Invalid

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def column(name, kind="string", low=None, high=None, null_share="0.000000"):
    return {"name": name, "type": kind, "null_share": null_share, "min": low, "max": high, "examples": ["例"]}


def document(*columns, days=(1,), **changes):
    profile = {"format": "csv", "encoding": "utf-8", "header": True, "warnings": [], "columns": list(columns)}
    releases = [
        {"id": f"rel_{day}", "published_at": clock.text(NOW - timedelta(days=day)), "files": [{"profile": profile}]}
        for day in days
    ]
    said = {
        "title_ja": "人流", "title_en": "Footfall", "description_ja": "説明" * 100, "description_en": "Counted by the hour.",
        "keywords": ["a", "b", "c"], "themes": ["population"], "frequency": "DAILY", "licence_hint": "CC-BY-4.0",
        "contact_name": "情報課", "offers": [{}], "releases": releases,
    }  # fmt: skip
    return said | changes


NOTES = dictionary.stored([ColumnNote("人数", "人数", "Count", unit="人"), ColumnNote("地点", description_en="Where.")])


def full():
    return document(column("人数", "integer", "1", "9"), column("地点"))


def marks(found):
    return {part.value: mark.points for part, mark in found.marks.items()}


def test_a_dataset_with_everything_has_a_hundred_points():
    found = quality.assess(full(), NOTES, NOW)
    assert found.score == 100
    assert all(mark.improve == [] for mark in found.marks.values())
    assert sum(quality.POINTS.values()) == 100
    assert marks(found) == {part.value: points for part, points in quality.POINTS.items()}


def test_an_empty_record_has_next_to_none_and_is_told_what_to_do():
    bare = dict.fromkeys(("title_en", "description_ja", "description_en", "contact_name"), "")
    found = quality.assess(document(days=()) | bare | {
        "keywords": [], "themes": ["other"], "frequency": "UNKNOWN", "licence_hint": None, "offers": [],
    }, [], NOW)  # fmt: skip
    assert found.score == 0
    advised = {advice for mark in found.marks.values() for advice in mark.improve}
    assert {Advice.TITLE_IN_BOTH, Advice.TAG, Advice.TABLE, Advice.FILES, Advice.FREQUENCY, Advice.OFFER} <= advised


@pytest.mark.parametrize(
    ("changes", "part", "points", "advice"),
    [
        ({"description_ja": "短い", "description_en": "short"}, "description", 6, Advice.DESCRIPTION_LONGER),
        ({"keywords": ["一つ"]}, "tags", 7, Advice.MORE_TAGS), ({"themes": ["other"]}, "tags", 7, Advice.THEME),
        ({"frequency": "UNKNOWN"}, "freshness", 2, Advice.FREQUENCY), ({"frequency": "ことば"}, "freshness", 2, Advice.FREQUENCY),
        ({"frequency": "HOURLY"}, "freshness", 12, Advice.OVERDUE), ({"frequency": "NEVER"}, "freshness", 20, None),
        ({"offers": []}, "terms", 5, Advice.OFFER), ({"licence_hint": "other"}, "terms", 7, Advice.LICENCE),
        ({"releases": []}, "formats", 0, Advice.FILES), ({"releases": []}, "freshness", 5, Advice.FILES),
    ],
)  # fmt: skip
def test_each_want_costs_points_and_names_its_cure(changes, part, points, advice):
    found = quality.assess(full() | changes, NOTES, NOW)
    assert marks(found)[part] == points
    assert advice is None or advice in found.marks[Part(part)].improve


@pytest.mark.parametrize(
    ("profile", "points", "advice"),
    [
        ({"format": "xlsx"}, 11, Advice.OPEN_FORMAT), ({"format": None, "columns": []}, 1, Advice.OPEN_FORMAT),
        ({"encoding": "cp932"}, 10, Advice.CLEAN_FILES), ({"header": False}, 10, Advice.CLEAN_FILES),
        ({"warnings": [{"code": "ragged-rows"}]}, 10, Advice.CLEAN_FILES),
    ],
)  # fmt: skip
def test_files_are_judged_by_how_machines_read_them(profile, points, advice):
    given = full()
    given["releases"][0]["files"][0]["profile"] |= profile
    found = quality.assess(given, NOTES, NOW).marks[Part.FORMATS]
    assert found.points == points
    assert advice in found.improve


def test_columns_without_meaning_unit_or_values_cost_points_in_proportion():
    given = document(
        column("人数", "integer"), column("世帯数（世帯）", "integer"), column("空", "empty", null_share="1.000000")
    )
    found = quality.assess(given, dictionary.stored([ColumnNote("空", "空欄")]), NOW)
    assert found.marks[Part.DICTIONARY] == (4 + 4, [Advice.COLUMNS, Advice.UNITS])
    assert found.marks[Part.COMPLETENESS] == (7, [Advice.NULLS])


def test_promises_that_were_not_kept_cost_points():
    late = document(column("a"), days=(0, 5, 10, 11))
    found = quality.assess(late, [], NOW).marks[Part.FRESHNESS]
    assert found == (5 + 8 + 7 // 3, [Advice.PUNCTUALITY])


def test_every_part_and_every_advice_has_words_in_both_languages():
    assert set(PART_LABELS) == set(Part)
    assert set(ADVICE_LABELS) == set(Advice)


def test_a_release_is_on_time_by_a_tenth_of_its_period():
    at = [NOW, NOW - timedelta(days=1, hours=2), NOW - timedelta(days=2, hours=5)]
    turns = punctuality.turns("DAILY", at)
    assert [turn.on_time for turn in turns] == [True, False, None]
    assert punctuality.kept(turns) == (1, 2)
    assert [turn.due_at for turn in punctuality.turns("IRREG", at)] == [None] * 3
    assert punctuality.turns("DAILY", []) == []


def test_a_dictionary_tells_what_is_said_and_what_is_found():
    by_name = {
        one["name"]: one for one in dictionary.described([column("人数", "integer"), column("面積(km2)")], NOTES)
    }
    assert by_name["人数"]["unit"] == {"code": "{person}", "ja": "人", "en": "persons", "source": "declared"}
    assert by_name["人数"]["label_en"] == "Count"
    assert by_name["面積(km2)"]["unit"]["source"] == "header"
    assert by_name["面積(km2)"]["examples"] == ["例"]
    odd = dictionary.described([column("x")], dictionary.stored([ColumnNote("x", unit="坪")]))
    assert odd[0]["unit"] == {"code": None, "ja": "坪", "en": "坪", "source": "declared"}


def test_bad_notes_are_refused_with_the_place_of_each_fault():
    with pytest.raises(Invalid) as refused:
        dictionary.check_notes([ColumnNote("a"), ColumnNote("a", label_ja="x" * 300), ColumnNote("", unit="\0")])
    assert {error["pointer"] for error in refused.value.errors} == {
        "/columns/1/name", "/columns/1/label_ja", "/columns/2/name", "/columns/2/unit",
    }  # fmt: skip
    with pytest.raises(Invalid):
        dictionary.check_notes([ColumnNote(str(n)) for n in range(dictionary.NOTES_MAX + 1)])


def test_the_widest_column_of_time_says_which_time_is_covered():
    given = document(
        column("更新日", "date", "1990-01-01", "2026-01-01"), column("日付", "date", "2025-04-01", "2026-03-31"),
        column("年度", "integer", "2025", "2025"), column("生年月日", "date", None, None),
    )  # fmt: skip
    assert coverage.temporal(given) == {"from": "2025-04-01", "until": "2026-03-31", "column": "日付"}
    assert coverage.temporal(document(column("年", "integer", "1", "12"))) is None
    assert coverage.temporal(document(column("日付", "date", "0001-01-01", "2026-01-01"))) is None
    assert coverage.temporal(document(days=())) is None


def test_coordinates_say_which_part_of_the_earth_is_covered():
    given = document(column("緯度", "decimal", "42.98", "43.2"), column("経度", "decimal", "141.2", "141.5"))
    profile = given["releases"][0]["files"][0]["profile"]
    profile["preview"] = [["43.06", "141.35"], ["x", "141"], ["95", "141"], [None, None], ["43"]]
    assert coverage.bounding_box(given) == ["141.2", "42.98", "141.5", "43.2"]
    assert [tuple(map(str, point)) for point in coverage.points(given, 10)] == [("141.35", "43.06")]
    stated = copy.deepcopy(given)
    stated["releases"][0]["files"][0]["profile"] |= {"bbox": ["140", "41", "142", "44"], "preview": None}
    assert coverage.bounding_box(stated) == ["140", "41", "142", "44"]
    assert coverage.points(stated, 10) == []


@pytest.mark.parametrize(
    "columns",
    [
        [("緯度", "43", "43")], [("緯度", "95", "96"), ("経度", "141", "142")], [("緯度", None, None), ("経度", "141", "142")],
        [("緯度", "NaN", "NaN"), ("経度", "141", "142")], [("緯度", "1e99", "1e99"), ("経度", "x", "y")],
    ],
)  # fmt: skip
def test_what_is_not_on_the_earth_covers_nothing(columns):
    assert coverage.bounding_box(document(*[column(name, "decimal", *span) for name, *span in columns])) is None


def test_changes_of_columns_are_told_and_renames_guessed():
    before = {"日付": "date", "人数（人）": "integer", "地点名": "string", "備考": "string", "空": "empty"}
    after = {
        "日付": "string",
        "人数(人)": "integer",
        "地点名称": "string",
        "備考": "string",
        "空": "integer",
        "天気": "string",
    }
    found = schema_changes.compare(before, after)
    assert found.added == ["天気"]
    assert found.removed == []
    assert found.renamed == [("人数（人）", "人数(人)"), ("地点名", "地点名称")]
    assert found.retyped == [("日付", "date", "string")]
    assert found.breaks
    assert found.document()["renamed"][0] == {"before": "人数（人）", "after": "人数(人)"}


def test_another_name_elsewhere_or_of_another_type_is_no_rename():
    found = schema_changes.compare({"a": "string", "収入": "integer"}, {"a": "string", "b": "date", "支出": "integer"})
    assert (found.added, found.removed, found.renamed) == (["b", "支出"], ["収入"], [])
    assert not schema_changes.compare({"a": "string"}, {"a": "string", "b": "date"}).breaks
