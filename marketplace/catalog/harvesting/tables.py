"""Catalogues that are tables: lists of datasets by municipalities, and CADDE's spreadsheets. Pure functions.

Headers are known by what they say, in any width and in the words of several standards: 推奨データセット,
自治体標準オープンデータセット, CADDE 4.0. Rows of one dataset are one record with several files. What no field of a
package takes is kept in its extras.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

Row = Sequence[str]
HEADER_ROWS_MAX = 30
COLUMNS_MAX = 500
DATASETS_ACROSS_MAX = 5_000
_HEADERS = {
    "id": (
        "データセットid データセット_id データid データセット識別子 識別子 identifier datasetid"
        " caddec_dataset_id_for_detail id no 番号 整理番号"
    ),
    "title": (
        "データセット名 データセット_タイトル データセットタイトル データ名称 データ名 タイトル 題名 名称"
        " データセット名称 title dct:title datasettitle"
        " データセットの名称"
    ),
    "notes": (
        "データセット概要 データセット_概要 データセットの説明 データ概要 概要 説明 内容 データセット_説明"
        " description dct:description notes データの概要"
    ),
    "publisher": (
        "公開者 データセット_公開者 提供者 発行者 組織名 自治体名 地方公共団体名 市区町村名 publisher"
        " dct:publisher データ提供者"
    ),
    "maintainer": (
        "所管課 担当課 作成者 データセット_作成者 担当部署 所管部署 問合せ先 問い合わせ先 連絡先"
        " データセット_連絡先情報 contact creator"
    ),
    "frequency": (
        "更新頻度 データセット_更新頻度 提供頻度 accrualperiodicity dct:accrualperiodicity frequency データ更新頻度"
    ),
    "licence": (
        "ライセンス 利用規約 データセット_ライセンス リソース_使用ライセンス 利用ライセンス license"
        " dct:license ライセンス情報 利用条件"
    ),
    "tags": "キーワード データセット_キーワード タグ keyword keywords dcat:keyword tags",
    "group": "分類 カテゴリ カテゴリー 分野 テーマ データセット_分類 主分類 theme dcat:theme category ジャンル",
    "region": (
        "全国地方公共団体コード 都道府県コード又は市区町村コード 地方公共団体コード 団体コード 市区町村コード"
        " 対象地域 lgcode region"
    ),
    "modified": "更新日 最終更新日 データセット_更新日 データ更新日 最終更新年月日 modified dct:modified",
    "page": "ランディングページ データセット_url 公開ページ 掲載ページ 参照url landingpage dcat:landingpage webページ",
    "url": (
        "url アクセスurl リソース_アクセスurl ダウンロードurl リソース_ダウンロードurl データurl ファイルurl"
        " accessurl downloadurl dcat:accessurl"
        " dcat:downloadurl リンク 配信url"
    ),
    "file": "ファイル名 リソース名 リソース_名称 配信名 ファイル名称 distributiontitle resourcename",
    "format": "ファイル形式 データ形式 形式 リソース_ファイル形式 フォーマット format dct:format 配信形式 拡張子",
    "title_en": "データセット名_英語 データ名称_英字 titleen title_en 英語名",
}
_BY_HEADER = {header: field for field, headers in _HEADERS.items() for header in headers.split()}
_CADDE = {
    "契約形態": "trading_policy_contract_type", "13010": "trading_policy_contract_type",
    "秘密保持義務": "trading_policy_nda", "13020": "trading_policy_nda",
    "利用用途": "trading_policy_use_application", "13030": "trading_policy_use_application",
    "開示範囲": "scope_of_disclosure", "13040": "scope_of_disclosure",
    "活用地域": "terms_of_use_permissible_region", "13050": "terms_of_use_permissible_region",
    "注意事項": "terms_of_use_notices", "13060": "terms_of_use_notices",
    "パーソナルデータ類別": "privacy_policy_contains_personal_data", "13070": "privacy_policy_contains_personal_data",
    "データ有効期間": "data_effective_period", "13080": "data_effective_period",
    "利用ライセンス期限": "usage_license_period", "13090": "usage_license_period",
    "有償無償": "fee", "13100": "fee", "販売情報url": "sales_info_url", "13110": "sales_info_url",
    "価格帯": "pricing_price_range", "13120": "pricing_price_range",
    "販売特記": "pricing_notices_of_price", "13130": "pricing_notices_of_price",
    "明示保証": "warranty_express_warranty", "13140": "warranty_express_warranty",
    "準拠法": "warranty_legal_compliance", "13150": "warranty_legal_compliance",
    "14010": "caddec_provider_id", "14020": "caddec_dataset_id_for_detail",
}  # fmt: skip
_KEYS = {"frequency": "更新頻度", "region": "lgcode"}
_SPLIT = re.compile(r"[,、;；|\n]+")
_ASIDE = re.compile(r"[(\[【].*?[)\]】]|[*※:]")


def packages(rows: Iterator[Row]) -> Iterator[dict[str, Any]]:
    """Yield the datasets of a table as CKAN packages; raises ValueError where no row names what the columns are."""
    head: list[Row] = []
    for row in rows:
        head.append([cell.strip() for cell in row[:COLUMNS_MAX]])
        fields = _fields(head[-1])
        if _is_header(fields):
            yield from _grouped(_records(fields, head[-1], rows))
            return
        if len(head) == HEADER_ROWS_MAX:
            break
    yield from _across(head, rows)


def header_field(header: str) -> str:
    """Return which field of ours, or which extra, a column holds."""
    plain = _ASIDE.sub("", unicodedata.normalize("NFKC", header)).casefold()
    folded = "".join(plain.split())
    return _BY_HEADER.get(folded) or _CADDE.get(folded) or header.strip()


def _fields(row: Row) -> list[str]:
    return [header_field(cell) for cell in row]


def _is_header(fields: list[str]) -> bool:
    known = set(fields) & (set(_HEADERS) | set(_CADDE.values()))
    return "title" in known and len(known) >= 2


def _records(fields: list[str], header: Row, rows: Iterator[Row]) -> Iterator[dict[str, list[str]]]:
    for row in rows:
        cells = [cell.strip() for cell in row[:COLUMNS_MAX]]
        if any(cells) and cells != list(header):
            yield _collected(fields, cells)


def _across(head: list[Row], rows: Iterator[Row]) -> Iterator[dict[str, Any]]:
    """Read a table that lies on its side: its first columns say what each row is, each further one is a dataset."""
    whole = [*head, *([cell.strip() for cell in row[:COLUMNS_MAX]] for row in rows)]
    width = max(map(len, whole), default=0)
    for place in range(min(3, width)):
        fields = _fields([row[place] if place < len(row) else "" for row in whole])
        if _is_header(fields) and width <= DATASETS_ACROSS_MAX:
            columns = ([row[at] if at < len(row) else "" for row in whole] for at in range(place + 1, width))
            yield from _grouped(_collected(fields, cells) for cells in columns if any(cells))
            return
    raise ValueError("no row or column names a title and another field of a dataset")


def _collected(fields: list[str], cells: Sequence[str]) -> dict[str, list[str]]:
    record: dict[str, list[str]] = {}
    for field, cell in zip(fields, cells, strict=False):
        if field and cell:
            record.setdefault(field, []).append(cell)
    return record


def _grouped(records: Iterator[dict[str, list[str]]]) -> Iterator[dict[str, Any]]:
    """Yield one package for the rows that follow each other and are one dataset."""
    open_package: dict[str, Any] | None = None
    open_key: tuple[str, str] | None = None
    for record in records:
        title, publisher = _one(record, "title"), _one(record, "publisher")
        if not title and open_package is not None:
            open_package["resources"] += _resources(record)
            continue
        if open_package is not None and (title, publisher) == open_key:
            open_package["resources"] += _resources(record)
            continue
        if open_package is not None:
            yield open_package
        open_package, open_key = _package(record), (title, publisher)
    if open_package is not None:
        yield open_package


def _package(record: dict[str, list[str]]) -> dict[str, Any]:
    title, publisher = _one(record, "title"), _one(record, "publisher")
    record_id = _one(record, "id") or hashlib.sha256(f"{publisher}\n{title}".encode()).hexdigest()[:24]
    extras = [
        {"key": _KEYS.get(field, field), "value": " / ".join(values)}
        for field, values in record.items()
        if field not in _HEADERS or field in _KEYS
    ]
    return {
        "id": record_id, "name": record_id, "title": title, "title_translated": {"en": _one(record, "title_en")},
        "notes": "\n".join(record.get("notes", [])), "url": _one(record, "page"),
        "organization": {"title": publisher}, "maintainer": _one(record, "maintainer"),
        "license_title": _one(record, "licence"), "metadata_modified": _one(record, "modified"),
        "tags": [{"name": word} for word in _words(record, "tags")],
        "groups": [{"title": word} for word in _words(record, "group")],
        "extras": extras, "resources": _resources(record),
    }  # fmt: skip


def _resources(record: dict[str, list[str]]) -> list[dict[str, str]]:
    formats, names = record.get("format", []), record.get("file", [])
    found = [
        {"name": _at(names, place), "format": _at(formats, place), "url": address}
        for place, address in enumerate(record.get("url", []))
    ]
    return found or ([{"name": _at(names, 0), "format": _at(formats, 0), "url": ""}] if names or formats else [])


def _words(record: dict[str, list[str]], field: str) -> list[str]:
    return list(
        dict.fromkeys(word.strip() for text in record.get(field, []) for word in _SPLIT.split(text) if word.strip())
    )


def _one(record: dict[str, list[str]], field: str) -> str:
    return record.get(field, [""])[0]


def _at(values: list[str], place: int) -> str:
    return values[place] if place < len(values) else values[-1] if values else ""
