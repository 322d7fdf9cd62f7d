"""Places by local-government code: what lies in what, and how it is called. Pure data and functions.

The municipalities and the wards of cities (``municipalities.tsv``: code, name, English name) are facts of the list
localgovjp of Code for FUKUI (CC0), with the wards that Hamamatsu has since 2024; the English names are its readings,
romanised without long vowels.
"""

from functools import cache
from pathlib import Path

from marketplace.identity.rules import government_check_digit, is_government_code

_NAMES = (  # noqa: SIM905 - a table reads better unquoted
    "北海道 Hokkaido 青森県 Aomori 岩手県 Iwate 宮城県 Miyagi 秋田県 Akita 山形県 Yamagata "
    "福島県 Fukushima 茨城県 Ibaraki 栃木県 Tochigi 群馬県 Gunma 埼玉県 Saitama 千葉県 Chiba "
    "東京都 Tokyo 神奈川県 Kanagawa 新潟県 Niigata 富山県 Toyama 石川県 Ishikawa 福井県 Fukui "
    "山梨県 Yamanashi 長野県 Nagano 岐阜県 Gifu 静岡県 Shizuoka 愛知県 Aichi 三重県 Mie "
    "滋賀県 Shiga 京都府 Kyoto 大阪府 Osaka 兵庫県 Hyogo 奈良県 Nara 和歌山県 Wakayama "
    "鳥取県 Tottori 島根県 Shimane 岡山県 Okayama 広島県 Hiroshima 山口県 Yamaguchi 徳島県 Tokushima "
    "香川県 Kagawa 愛媛県 Ehime 高知県 Kochi 福岡県 Fukuoka 佐賀県 Saga 長崎県 Nagasaki "
    "熊本県 Kumamoto 大分県 Oita 宮崎県 Miyazaki 鹿児島県 Kagoshima 沖縄県 Okinawa"
).split()
PREFECTURES = tuple(zip(_NAMES[::2], _NAMES[1::2], strict=True))
"""Japanese and English names in the order of their codes, 01 to 47."""

# The cities with wards of their own (政令指定都市); the codes of their wards follow upon theirs.
_CITIES = (
    "01100", "04100", "11100", "12100", "14100", "14130", "14150", "15100", "22100", "22130",
    "23100", "26100", "27100", "27140", "28100", "33100", "34100", "40100", "40130", "43100",
)  # fmt: skip
_LAST_OF_WARDS = "199"  # in the last three digits before the check digit


_MUNICIPALITIES = Path(__file__).with_name("municipalities.tsv")


def whole_code(code: str) -> str:
    """Return a code of five digits with its check digit."""
    return f"{code}{government_check_digit(code)}"


def holding(code: str) -> list[str]:
    """Return a local-government code with those in which it lies: ward, city, prefecture. Others stand alone."""
    if not is_government_code(code):
        return [code]
    city, prefecture = _city_of(code[:5]), whole_code(f"{code[:2]}000")
    return list(dict.fromkeys([code, *([whole_code(city)] if city else []), prefecture]))


def names_of(code: str) -> tuple[str, ...]:
    """Return the Japanese and English names of a place, and of what it lies in."""
    return tuple(name for one in holding(code) for name in _name(one))


def name_of(code: str, language: int) -> str | None:
    """Return how a place is called: 0 in Japanese, 1 in English; None for a code that no place has, or had lately."""
    found = _name(code)
    return found[language] if found else None


def _name(code: str) -> tuple[str, ...]:
    if code[2:5] == "000" and is_government_code(code) and 1 <= int(code[:2]) <= len(PREFECTURES):
        return PREFECTURES[int(code[:2]) - 1]
    return municipalities().get(code[:5], ()) if is_government_code(code) else ()


@cache
def municipalities() -> dict[str, tuple[str, str]]:
    """Return the Japanese and English names of all municipalities and wards of cities, by code without check digit."""
    lines = _MUNICIPALITIES.read_text(encoding="utf-8").splitlines()
    return {code: (ja, en) for code, ja, en in (line.split("\t") for line in lines)}


def _city_of(code: str) -> str | None:
    if code[2:] > _LAST_OF_WARDS:
        return None
    return max((city for city in _CITIES if city[:2] == code[:2] and city <= code), default=None)
