"""Names of files as they appear in a header."""

from urllib.parse import unquote

import pytest

from marketplace.delivery import headers


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("人流データ 2026年11月.csv", "人流データ 2026年11月.csv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/absolute/path.csv", "_absolute_path.csv"),
        ("..\\windows\\win.ini", "_windows_win.ini"),
        ("nul\0.csv", "nul_.csv"),
        ("CON", "_CON"),
        ("com1.csv", "_com1.csv"),
        ("console.csv", "console.csv"),
        (".htaccess", "htaccess"),
        ("ends with dots. . ", "ends with dots"),
        ("..", "download"),
        ("", "download"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("line\u2028break\ud800.csv", "line_break_.csv"),
        ("か\u3099.csv", "が.csv"),
    ],
)
def test_a_hostile_name_is_made_harmless(name, safe):
    assert headers.safe_name(name) == safe


@pytest.mark.parametrize(("name", "ending"), [("あ" * 300 + ".csv", ".csv"), ("x" * 300, "x"), ("x." + "y" * 300, "y")])
def test_a_long_name_is_cut_between_signs_and_keeps_a_short_ending(name, ending):
    safe = headers.safe_name(name)
    assert 190 < len(safe.encode()) <= headers.NAME_BYTES_MAX
    assert safe.endswith(ending)


def test_both_forms_of_the_name_are_plain_ascii_and_the_second_is_exact():
    field = headers.disposition("100%の'札幌' (再).csv")
    assert field.isascii()
    assert field.startswith("attachment; filename=\"100__'__' (_).csv\"; filename*=UTF-8''")
    assert unquote(field.partition("''")[2]) == "100%の'札幌' (再).csv"
