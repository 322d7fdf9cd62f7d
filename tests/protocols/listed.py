"""A dataset as the public sees it, with all that can be said of one: what the mappings are tried on."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from marketplace.licensing.rules import read_terms, terms_sha256
from marketplace.licensing.states import Template
from marketplace.licensing.templates import TEMPLATES
from marketplace.licensing.terms import UsageTerms
from marketplace.protocols.catalogue.entries import Entry, Source
from marketplace.protocols.catalogue.site import Site
from tests.factories.licensing import FULL as FULL_DOCUMENT

SITE = Site("https://data.example.jp")
CHANGED_AT = datetime(2026, 11, 22, 3, 4, 5, 678901, tzinfo=UTC)
ID, RELEASE, EARLIER = "ds_" + "0" * 31 + "1", "rel_" + "0" * 31 + "2", "rel_" + "0" * 31 + "1"
OTHER_ID = "ds_" + "0" * 31 + "2"
COLUMNS = [
    {"name": "日時", "type": "datetime", "format": "iso"},
    {"name": "地点", "type": "string", "format": None},
    {"name": "人数（人）", "type": "integer", "format": None},
    {"name": "比率", "type": "decimal", "format": None},
    {"name": "雨", "type": "boolean", "format": None},
]
PREVIEW = [
    ["2026-11-22T09:00:00", "大通\n東", "1,120", "0.5", "true"],
    ["2026-11-22T10:00:00", '"駅前"', None, "1.25", "false"],
]


def file(name: str = "人流 1.csv", **changes: Any) -> dict[str, Any]:
    """A file with its profile."""
    profile = {"format": "csv", "rows": 2, "columns": COLUMNS, "preview": PREVIEW, "encoding": "cp932"}
    return {
        "name": name, "media_type": "text/csv", "size_bytes": 1234, "sha256": "0f" * 32, "held_by": "exchange",
        "profile_state": "profiled", "profile": profile,
    } | changes  # fmt: skip


def release(release_id: str = RELEASE, label: str = "令和8年度", day: int = 20, **changes: Any) -> dict[str, Any]:
    """A release of one table and one geographic file."""
    geographic = {
        "format": "geojson",
        "rows": 3,
        "columns": [],
        "preview": [],
        "bbox": ["141.3", "43", "141.4", "43.1"],
    }
    files = [file(), file("地点.geojson", media_type="application/geo+json", profile=geographic)]
    return {
        "id": release_id, "label": label, "notes": "欠測を補いました。", "files_total": 2, "files": files,
        "published_at": f"2026-11-{day}T00:00:00.000000Z",
    } | changes  # fmt: skip


def offer(terms: UsageTerms, number: int = 1, **changes: Any) -> dict[str, Any]:
    """An offer under terms, for 12,000 yen where nothing else is said."""
    return {
        "id": f"ofr_{number:032x}", "terms_id": f"trm_{number:032x}", "terms_sha256": terms_sha256(terms),
        "terms_title_ja": "標準商用", "terms_title_en": "Standard commercial", "price_kind": "one_off",
        "amount_yen": 12_000, "price": {"kind": "one_off", "amount_yen": 12_000}, "rails": ["card"], "discounts": [],
        "fee_ordinance": None, "promises": [], "valid_until": "2027-03-31T14:59:59.000000Z", "release_scope": "current",
    } | changes  # fmt: skip


SOURCES = (Source(OTHER_ID, None, ""), Source(None, "https://www.city.example.jp/統計 1", "札幌市の統計"))
FULL = read_terms(FULL_DOCUMENT)
FREE = TEMPLATES[Template.CC_BY]
OFFERS = [
    offer(FULL),
    offer(FREE, 2, price_kind="free", amount_yen=0, price={"kind": "free"}, rails=[], valid_until=None),
    offer(FULL, 3, price_kind="per_unit", amount_yen=0, price={"kind": "per_unit", "unit": "mib", "unit_yen": "3"}),
]


def document(**changes: Any) -> dict[str, Any]:
    """A public document."""
    return {
        "id": ID, "title_ja": "大通地区の人流 <1時間>", "title_en": "Footfall & weather in Odori",
        "description_ja": "センサーで数えた\n1時間ごとの歩行者数。", "description_en": 'Hourly "counts" of passers-by.',
        "themes": ["transport_tourism", "land_weather"], "region": "011002", "language": "ja",
        "keywords": ["人流", "歩行者"], "licence_hint": "CC-BY-4.0", "contact_name": "札幌市ICT戦略推進担当課",
        "contact_url": "https://www.city.sapporo.jp/joho/?q=人 流", "contact_email": "ict@city.example.jp",
        "trust_required": None, "assurance_required": None, "frequency": "DAILY",
        "publisher": {
            "id": "org_" + "a" * 32, "name_ja": "札幌市", "name_en": "City of Sapporo", "corporate_number": "9000020011002",
        },
        "formats": ["CSV", "GEOJSON"], "columns": [column["name"] for column in COLUMNS],
        "price_classes": ["free", "metered", "one_off"], "published_at": "2026-11-20T00:00:00.000000Z",
        "quality": {"score": 71, "parts": [{"part": "description", "points": 20, "points_max": 25, "improve": []}]},
        "releases_total": 2, "releases": [release(), release(EARLIER, "令和7年度", 10, notes="")], "offers": OFFERS,
    } | changes  # fmt: skip


def entry(**changes: Any) -> Entry:
    """That dataset as the mappings take it."""
    terms = {terms_sha256(one): one for one in (FULL, FREE)}
    return Entry(document(**changes), CHANGED_AT, terms, SOURCES)


def bare(**changes: Any) -> Entry:
    """A dataset of which as little is known as ever: imported, without files, offers, texts or contact."""
    nothing = dict.fromkeys(
        ("title_en", "description_ja", "description_en", "contact_name", "contact_url", "contact_email"), ""
    )
    return replace(
        entry(
            **nothing, themes=["other"], region="JP", keywords=[], licence_hint=None, frequency="UNKNOWN", formats=[],
            columns=[], price_classes=[], releases=[], releases_total=0, offers=[], **changes,
        ),
        terms={}, sources=(),
    )  # fmt: skip
