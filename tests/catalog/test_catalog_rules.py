"""What descriptions and file names must look like."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from marketplace.catalog import rules
from marketplace.catalog.errors import FileNameUnsafe
from marketplace.catalog.frequency import frequency_of
from marketplace.catalog.states import (
    FREQUENCY_LABELS,
    LICENCE_LABELS,
    THEME_LABELS,
    Frequency,
    Licence,
    Theme,
)
from marketplace.kit.errors import Invalid
from tests.factories.catalog import DatasetDraftFactory


def pointers(refusal: Invalid) -> set[str]:
    return {error["pointer"] for error in refusal.errors}


@pytest.mark.parametrize(
    "name",
    [
        "人流_2026年11月.csv",
        "札幌市ヒグマ出没情報（令和7年度）.geojson",
        "ＡＥＤ設置箇所一覧.xlsx",
        "data-2026.tar.gz",
        "100%達成.csv",
        "カ\u3099タカナ.csv",
        "con_2026.csv",
        "a" * 255,
        "README",
    ],
)
def test_real_names_pass(name: str) -> None:
    rules.check_file_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "‥",
        "../etc/passwd",
        "..\\windows",
        "a/b.csv",
        "a\\b.csv",
        "a／b.csv",
        "a＼b.csv",
        "%2e%2e%2fetc",
        "a%00.csv",
        "C:a.csv",
        "a\x00.csv",
        "a\r\nSet-Cookie: b.csv",
        "a\tb.csv",
        "a\u202evsc.exe",
        "a\u2066b.csv",
        "a\u200bb.csv",
        "a\u2028b.csv",
        "\ufeffa.csv",
        "a\ud800.csv",
        "a\ue000.csv",
        "人" * 86,
        "a" * 256,
        "CON",
        "con.csv",
        "Lpt1.txt",
        "ＣＯＮ.csv",
        "COM¹.csv",
        "nul .csv",
        " a.csv",
        "a.csv ",
        "a.csv.",
        "\u3000a.csv",
        ".htaccess",
        "~a.csv",
        'a".csv',
        "a*.csv",
        "a|b",
        "<a>",
    ],
)
def test_names_that_some_system_would_misread_are_refused(name: str) -> None:
    with pytest.raises(FileNameUnsafe) as refusal:
        rules.check_file_name(name)
    assert pointers(refusal.value) == {"/name"}


def test_names_that_look_alike_have_one_key() -> None:
    assert rules.name_key("ガ.CSV") == rules.name_key("カ\u3099.csv") == rules.name_key("ｶﾞ．csv")
    assert rules.name_key("人流.csv") != rules.name_key("入流.csv")


def test_a_full_draft_passes() -> None:
    rules.check_draft(DatasetDraftFactory())
    rules.check_draft(rules.DatasetDraft(title_en="Only English", region="JP"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title_ja", "人" * 301),
        ("title_en", "a\x00"),
        ("description_ja", "a\ud800"),
        ("description_en", "a" * 20_001),
        ("themes", ("tourism",)),
        ("themes", ()),
        ("themes", (Theme.LABOUR, Theme.LABOUR)),
        ("region", "011003"),
        ("region", "札幌"),
        ("region", "０１１００２"),
        ("region", ""),
        ("language", "Japanese"),
        ("contact_name", "課\n係"),
        ("contact_url", "javascript:alert(1)"),
        ("contact_url", "https://user:secret@example.jp/"),
        ("contact_url", "https://[broken"),
        ("contact_url", "https:///nohost"),
        ("contact_url", "https://example.jp/a b"),
        ("contact_url", "https://example.jp/\x00"),
        ("contact_email", "not an address"),
        ("contact_email", "a@b"),
        ("update_frequency", "sometimes"),
        ("keywords", ("人流", "人流")),
        ("keywords", (" ",)),
        ("keywords", ("a\x07",)),
        ("keywords", tuple(map(str, range(51)))),
        ("licence_hint", "GPL"),
    ],
)
def test_a_bad_field_is_named(field: str, value: object) -> None:
    with pytest.raises(Invalid) as refusal:
        rules.check_draft(replace(DatasetDraftFactory(), **{field: value}))
    assert pointers(refusal.value) == {f"/{field}"}


def test_one_title_is_needed_and_all_faults_are_named_at_once() -> None:
    with pytest.raises(Invalid) as refusal:
        rules.check_draft(rules.DatasetDraft(title_ja=" ", region="x", language="?"))
    assert pointers(refusal.value) == {"/title_ja", "/region", "/language"}


@pytest.mark.parametrize("label", ["", "  ", "a" * 101, "a\nb"])
def test_a_release_needs_a_visible_label(label: str) -> None:
    with pytest.raises(Invalid) as refusal:
        rules.check_release(label, "")
    assert pointers(refusal.value) == {"/label"}


@pytest.mark.parametrize(
    ("media_type", "sha256", "size_bytes", "at_fault"),
    [
        ("text/csv; charset=shift_jis", "0" * 64, 0, set()),
        ("text/csv\r\nX: y", "0" * 64, 0, {"/media_type"}),
        ("csv", "0" * 64, 0, {"/media_type"}),
        ("text/csv", "A" * 64, 0, {"/sha256"}),
        ("text/csv", "0" * 63, -1, {"/sha256", "/size_bytes"}),
        ("text/csv", "0" * 64, 2**63, {"/size_bytes"}),
    ],
)
def test_type_hash_and_size_must_be_those_of_a_file(
    media_type: str, sha256: str, size_bytes: int, at_fault: set[str]
) -> None:
    with pytest.raises(Invalid) if at_fault else nullcontext() as refusal:
        rules.check_content(media_type, sha256, size_bytes)
    assert (pointers(refusal.value) if refusal else set()) == at_fault


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1年ごと", "ANNUAL"),
        ("１年ごと", "ANNUAL"),
        ("年1回", "ANNUAL"),
        ("年１回（３月頃）", "ANNUAL"),
        ("1回/年", "ANNUAL"),
        ("1年に1回", "ANNUAL"),
        ("１ 年 ご と", "ANNUAL"),
        ("毎年度", "ANNUAL"),
        ("年２回", "ANNUAL_2"),
        ("年４回", "QUARTERLY"),
        ("四半期ごと", "QUARTERLY"),
        ("3か月ごと", "QUARTERLY"),
        ("３ヶ月毎", "QUARTERLY"),
        ("二年ごと", "BIENNIAL"),
        ("5年ごと", "QUINQUENNIAL"),
        ("１０年ごと", "DECENNIAL"),
        ("１か月ごと", "MONTHLY"),
        ("毎月", "MONTHLY"),
        ("月1回", "MONTHLY"),
        ("毎週1回", "WEEKLY"),
        ("2週間ごと", "BIWEEKLY"),
        ("1日ごと", "DAILY"),
        ("1日2回", "DAILY_2"),
        ("24時間ごと", "DAILY"),
        ("随時", "IRREG"),
        (" 不定期", "IRREG"),
        ("変更の都度", "IRREG"),
        ("公開時のみ", "NEVER"),
        ("更新無", "NEVER"),
        ("リアルタイム", "CONT"),
        ("", "UNKNOWN"),
        ("（未定）", "UNKNOWN"),
        ("1か月/1年ごと", "OTHER"),
        ("7年ごと", "OTHER"),
        ("年99回", "OTHER"),
        ("9回/日", "OTHER"),
        ("気が向いたら", "OTHER"),
        ("annual", "ANNUAL"),
        ("R/P1M", "MONTHLY"),
        ("http://publications.europa.eu/resource/authority/frequency/BIMONTHLY", "BIMONTHLY"),
        ("年" * 10_000, "OTHER"),
    ],
)
def test_frequencies_as_publishers_write_them_are_read(text: str, code: str) -> None:
    assert frequency_of(text) == Frequency(code)


def test_every_code_has_a_label_in_both_languages() -> None:
    assert len(Theme) == 17
    assert len(Frequency) == 30
    for codes, labels in ((Theme, THEME_LABELS), (Frequency, FREQUENCY_LABELS), (Licence, LICENCE_LABELS)):
        assert set(codes) == set(labels)
        assert all(label.ja and label.en for label in labels.values())
    for code in Frequency:
        assert frequency_of(FREQUENCY_LABELS[code].ja) == code
