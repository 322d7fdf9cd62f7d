"""Reading a CKAN package as a dataset draft; the package itself is kept whole beside it."""

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from marketplace.catalog import rules
from marketplace.catalog.cleaning.licences import licence_of
from marketplace.catalog.cleaning.mending import Contents
from marketplace.catalog.errors import PackageUnreadable
from marketplace.catalog.frequency import frequency_of
from marketplace.catalog.rules import DatasetDraft
from marketplace.catalog.states import THEME_LABELS, Licence, Theme
from marketplace.kit.canonical import sha256_hex

PACKAGE_BYTES_MAX = 4 * 2**20
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # JSON's escape of it, and not an escaped backslash before u0000
_FREQUENCY_KEYS = ("更新頻度", "frequency", "accrual_periodicity", "update_frequency", "accrualperiodicity")
_REGION_KEYS = ("全国地方公共団体コード", "都道府県コード又は市区町村コード", "region", "lgcode")
_LICENCE_KEYS = ("license_id", "license_url", "license_title")
_GROUPS = {
    Theme.LAND_WEATHER: "気象 国土 地図",
    Theme.POPULATION: "人口 世帯 人口減少・少子高齢化",
    Theme.LABOUR: "労働 雇用 産業雇用創出",
    Theme.AGRICULTURE: "農業 農林水産",
    Theme.MANUFACTURING: "工業 産業",
    Theme.COMMERCE: "商業",
    Theme.ECONOMY: "経済",
    Theme.HOUSING_LAND: "まちづくり 住宅 都市計画 建設 インフラ",
    Theme.ENERGY_WATER: "エネルギー 水道",
    Theme.TRANSPORT_TOURISM: "観光 交通 交通情報 運輸",
    Theme.INFORMATION_SCIENCE: "情報通信 科学技術",
    Theme.EDUCATION_CULTURE: "生活 教育 文化 芸術文化 スポーツ 子育て オリンピック・パラリンピック",
    Theme.PUBLIC_FINANCE: "税金 行政 財政 議会 選挙",
    Theme.SAFETY_ENVIRONMENT: "環境 防災・災害計画 防災 治安 安全",
    Theme.WELFARE_HEALTH: "医療・福祉 医療 福祉 健康 社会保障",
    Theme.INTERNATIONAL: "国際化",
}
_THEMES = {name: theme for theme, names in _GROUPS.items() for name in names.split()} | {
    label: theme for theme, labels in THEME_LABELS.items() for label in labels
}


@dataclass(frozen=True, slots=True)
class ReadPackage:
    """What a package says in our words, and its id at the publisher."""

    origin_id: str
    draft: DatasetDraft


def read_package(package: dict[str, Any], region_default: str = rules.COUNTRY) -> ReadPackage:
    """Read the ``result`` of CKAN's package_show; raises PackageUnreadable.

    Texts too long for our fields are cut there (the kept package has them whole). A value that no
    field of ours can hold, such as a contact address that is none, is left to the package.
    """
    _check_storable(package)
    origin_id = _text(package, "id")
    title = _text(package, "title") or _text(package, "name")
    if not origin_id or not title:
        raise PackageUnreadable("The package needs an id, and a title or a name.")
    extras = _extras(package)
    translated = _mapping(package, "title_translated")
    notes = _mapping(package, "notes_translated")
    draft = DatasetDraft(
        title_ja=_line(_text(translated, "ja") or title),
        title_en=_line(_text(translated, "en")),
        description_ja=_cut(_text(notes, "ja") or _text(package, "notes"), rules.DESCRIPTION_LENGTH_MAX),
        description_en=_cut(_text(notes, "en"), rules.DESCRIPTION_LENGTH_MAX),
        themes=_themes(package),
        region=_region(extras, region_default),
        contact_name=_contact(package),
        contact_url=_unless(rules.url_fault, _text(package, "url")),
        contact_email=_unless(rules.email_fault, _text(package, "maintainer_email")),
        update_frequency=frequency_of(_first(extras, _FREQUENCY_KEYS)),
        keywords=_keywords(package),
        licence_hint=_licence(package),
    )
    rules.check_draft(draft)
    return ReadPackage(origin_id, draft)


def contents_of(package: dict[str, Any]) -> Contents:
    """Return what a package says beside our fields, as its publisher wrote it."""
    extras = _extras(package)
    files = tuple(
        (_line(_text(one, "name")), _text(one, "format"), _text(one, "url")) for one in _rows(package, "resources")
    )
    return Contents(
        publisher=_contact(package),
        stated_frequency=_first(extras, _FREQUENCY_KEYS),
        stated_licence=next(filter(None, (_text(package, name) for name in _LICENCE_KEYS)), ""),
        stated_region=_first(extras, _REGION_KEYS),
        groups=tuple(filter(None, (_text(one, "title") or _text(one, "name") for one in _rows(package, "groups")))),
        files=files,
    )


def package_sha256(package: dict[str, Any]) -> str:
    """Return the SHA-256 of the package with sorted keys (RFC 8785 would refuse CKAN's larger integers)."""
    return sha256_hex(json.dumps(package, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())


def _check_storable(package: dict[str, Any]) -> None:
    try:
        text = json.dumps(package, ensure_ascii=False, allow_nan=False)
        size_bytes = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise PackageUnreadable(f"The package is not plain JSON: {error}") from error
    if size_bytes > PACKAGE_BYTES_MAX:
        raise PackageUnreadable(f"The package is larger than {PACKAGE_BYTES_MAX:,} bytes.")
    if _NUL.search(text):
        raise PackageUnreadable("The package contains a NUL character, which no database text can hold.")


def _text(source: dict[str, Any], key: str) -> str:
    value = source.get(key)
    return value.strip() if isinstance(value, str) else ""


def _mapping(source: dict[str, Any], key: str) -> dict[str, Any]:
    value = source.get(key)
    return value if isinstance(value, dict) else {}


def _rows(source: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = source.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _extras(package: dict[str, Any]) -> dict[str, str]:
    known = {key: value for key, value in package.items() if isinstance(value, str)}
    return known | {_text(row, "key"): _text(row, "value") for row in _rows(package, "extras")}


def _first(extras: dict[str, str], keys: tuple[str, ...]) -> str:
    return next((extras[key] for key in keys if extras.get(key)), "")


def _themes(package: dict[str, Any]) -> tuple[Theme, ...]:
    names = (_text(group, key) for group in _rows(package, "groups") for key in ("title", "display_name", "name"))
    known = dict.fromkeys(_THEMES[name] for name in names if name in _THEMES)
    return tuple(theme for theme in known if theme is not Theme.OTHER) or (Theme.OTHER,)


def _region(extras: dict[str, str], default: str) -> str:
    stated = unicodedata.normalize("NFKC", _first(extras, _REGION_KEYS))
    return default if not stated or rules.region_fault(stated) else stated


def _contact(package: dict[str, Any]) -> str:
    office = " ".join(filter(None, [_text(_mapping(package, "organization"), "title"), _text(package, "maintainer")]))
    return _cut(_line(office), rules.CONTACT_LENGTH_MAX)


def _keywords(package: dict[str, Any]) -> tuple[str, ...]:
    names = (_line(_text(tag, "display_name") or _text(tag, "name")) for tag in _rows(package, "tags"))
    return tuple(dict.fromkeys(_cut(name, rules.KEYWORD_LENGTH_MAX) for name in names if name))[: rules.KEYWORDS_MAX]


def _licence(package: dict[str, Any]) -> Licence | None:
    """Return the licence of a package, by its id, its address or its title, in this order."""
    stated = [_text(package, name) for name in _LICENCE_KEYS]
    read = next(filter(None, map(licence_of, stated)), None)
    return read.code if read else Licence.OTHER if any(stated) else None


def _line(text: str) -> str:
    return _cut(" ".join(_visible(text).split()), rules.TITLE_LENGTH_MAX)


def _cut(text: str, length_max: int) -> str:
    return _visible(text)[:length_max].strip()


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(sign) == "Cc" and sign not in "\n\r\t" else sign for sign in text)


def _unless(fault: Any, text: str) -> str:
    return "" if fault(text) else text
