"""The other formats as pure mappings: they say what is known, whatever is written, and nothing that breaks a reader."""

import csv
import io
import json
from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html

from marketplace.catalog import ckan
from marketplace.licensing.rules import read_terms, terms_document
from marketplace.licensing.states import UseApplication
from marketplace.licensing.terms import ITEMS, Choice, DataPeriod, LicencePeriod, PriceRange
from marketplace.protocols.catalogue import atom, cadde, croissant, data_package, dcat, samples, turtle
from marketplace.protocols.catalogue.atom import Links
from tests.api.test_register import SCHEMA
from tests.protocols import listed
from tests.protocols.listed import CHANGED_AT, SITE

LINKS = Links(
    "https://data.example.jp/catalog.atom",
    "https://data.example.jp/catalog.atom",
    "https://data.example.jp/catalog.atom?cursor=x&size=2",
)
ATOM = "{http://www.w3.org/2005/Atom}"
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CELLS = st.one_of(
    st.none(),
    ANYTHING,
    st.sampled_from(
        [
            "1",
            "-1,234",
            "+5",
            "1.50",
            "２０",
            "true",
            "TRUE",
            "2026-11-22",
            "2026-11-22 9:00",
            "2026-11-22 09:00",
            "2026-13-01",
            "2026-02-30",
            "2026-02-30 10:00",
            "",
        ]
    ),
)
KINDS = {
    "integer": int,
    "decimal": float,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "boolean": {"true": True, "false": False}.__getitem__,
}


def sample_of(columns, rows):
    profile = {"columns": columns, "preview": rows}
    return samples.sample("rel_1", listed.file(profile=profile))


def test_a_sample_is_written_in_one_way():
    [sample] = samples.samples(listed.entry())
    assert [column.type for column in sample.columns] == ["datetime", "string", "integer", "decimal", "boolean"]
    assert list(csv.reader(io.StringIO(sample.csv().decode(), newline=""))) == [
        ["日時", "地点", "人数（人）", "比率", "雨"],
        ["2026-11-22T09:00:00", "大通\n東", "1120", "0.5", "true"],
        ["2026-11-22T10:00:00", '"駅前"', "", "1.25", "false"],
    ]


@given(
    st.lists(st.tuples(ANYTHING, st.sampled_from([*KINDS, "string", "mixed", "geometry"])), min_size=1, max_size=4),
    st.data(),
)
def test_whatever_is_in_a_preview_each_cell_is_of_the_type_of_its_column(described, data):
    columns = [{"name": name, "type": kind} for name, kind in described]
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=4))
    sample = sample_of(columns, rows)
    names = [column.name for column in sample.columns]
    assert len(set(names)) == len(names) == len(columns)
    assert all(name and name == " ".join(name.split()) for name in names)
    for place, column in enumerate(sample.columns):
        for row in sample.rows:
            if row[place] is not None and column.type in KINDS:
                KINDS[column.type](row[place])


@pytest.mark.parametrize(
    "profile",
    [
        None,
        {"columns": []},
        {"columns": [{"name": "a"}], "preview": []},
        {"columns": [{"name": "a"}], "preview": [["1", "2"]]},
    ],
)
def test_what_shows_no_rows_has_no_sample(profile):
    assert samples.sample("rel_1", listed.file(profile=profile)) is None


def test_numbers_keep_their_names_apart():
    sample = sample_of(
        [{"name": "a", "type": "string"}] * 3 + [{"name": " ", "type": "string"}], [["1", "2", "3", "4"]]
    )
    assert [column.name for column in sample.columns] == ["a", "a (2)", "a (3)", "column 4"]


@given(ANYTHING, ANYTHING)
def test_no_text_ends_the_script_of_a_page(title, description):
    entry = listed.entry(title_ja=title + "</script><!--", description_ja=description, keywords=["]]>"])
    script = croissant.script(entry, SITE)
    page = html.document_fromstring(f'<html><head><script type="application/ld+json">{script}</script></head></html>')
    [found] = page.iter("script")
    assert len(list(page.iter())) == 3 + (page.find("body") is not None)
    assert json.loads(found.text) == json.loads(json.dumps(croissant.metadata(entry, SITE)))


@pytest.mark.parametrize(
    "entry", [listed.entry(), listed.bare(), listed.entry(description_ja="長" * 9_000)], ids=["full", "bare", "long"]
)
def test_search_engines_get_the_length_of_a_description_that_they_ask_for(entry):
    told = croissant.metadata(entry, SITE)
    assert 50 <= len(told["description"]) <= 5_000
    assert told["name"]


def test_prices_are_told_where_they_are_one_number():
    offers = croissant.metadata(listed.entry(), SITE)["offers"]
    assert [(one.get("price"), one.get("priceCurrency")) for one in offers] == [
        ("12000", "JPY"),
        ("0", "JPY"),
        (None, None),
    ]


@given(ANYTHING, ANYTHING, st.lists(ANYTHING, max_size=3))
def test_the_feed_keeps_the_schema_of_atom_whatever_people_write(title, description, keywords):
    entries = [listed.entry(title_ja=title, description_en=description, keywords=keywords), listed.bare()]
    feed = etree.fromstring("".join(atom.feed(entries, SITE, LINKS, CHANGED_AT)).encode())
    assert SCHEMA.validate(feed), SCHEMA.error_log
    assert [link.get("href") for link in feed.iterfind(f"{ATOM}link[@rel='next']")] == [LINKS.following]


def test_a_package_has_the_types_of_its_sample_and_a_table_of_all_files():
    sample, files = data_package.package(listed.entry(), SITE)["resources"]
    assert [field["type"] for field in sample["schema"]["fields"]] == [
        "datetime",
        "string",
        "integer",
        "number",
        "boolean",
    ]
    assert [row["name"] for row in files["data"]] == ["人流 1.csv", "地点.geojson"]
    [empty] = data_package.package(listed.bare(), SITE)["resources"]
    assert empty["name"] == "files"


def told_by(package):
    """The extras of a CKAN package."""
    return {row["key"]: row["value"] for row in package["extras"]}


def test_our_own_reader_of_ckan_packages_finds_again_what_was_listed():
    document = listed.document()
    draft = ckan.read_package(json.loads(json.dumps(cadde.package(listed.entry(), SITE)))).draft
    same = ("title_ja", "title_en", "description_ja", "description_en", "region", "contact_email", "licence_hint")
    assert {name: getattr(draft, name) for name in same} == {name: document[name] for name in same}
    assert [theme.value for theme in draft.themes] == document["themes"]
    assert list(draft.keywords) == document["keywords"]
    assert draft.update_frequency == document["frequency"]


@pytest.mark.parametrize("changes", [
    {}, {"use_application": (Choice(UseApplication.RESEARCH), Choice(UseApplication.OTHER, "災害対応"))},
    {"permissible_region": ("JP",)}, {"permissible_region": ("JP-01", "KR")}, {"permissible_region": ("noLimit",)},
    {"data_effective_period": DataPeriod(start=date(2027, 1, 1))}, {"data_effective_period": DataPeriod(note="通年")},
    {"usage_license_period": LicencePeriod(end=date(2027, 3, 31))}, {"usage_license_period": LicencePeriod(note="協議")},
    {"price_range": PriceRange(2_000)}, {"price_range": PriceRange(0, 5)},
])  # fmt: skip
def test_the_items_of_cadde_are_read_back_to_the_same_terms(changes):
    terms = replace(listed.FULL, **changes)
    written = cadde.items(terms)
    assert set(written) == {item.extras_key for item in ITEMS}
    assert read_back(written) == {item.field: getattr(terms, item.field) for item in ITEMS}


def read_back(written):
    """Read the items as another program would: by the words of the list, into a document of terms."""
    by_key = {item.extras_key: item.field for item in ITEMS}
    document = {by_key[key]: _value(by_key[key], words) for key, words in written.items() if words}
    read = read_terms({"vocabulary": "CADDE-4.0", **document})
    return {item.field: getattr(read, item.field) for item in ITEMS}


def _value(field, words):
    if field == "price_range":
        low, high = (
            words.removesuffix("円").split("円～") if not words.endswith("～") else (words.removesuffix("円～"), None)
        )
        return {"min_yen": int(low), "max_yen": int(high) if high else None}
    if words.startswith("["):
        return [_choice(word, field) for word in json.loads(words)]
    if words.startswith("{"):
        return _period(json.loads(words))
    return _choice(words, field)


def _choice(word, field):
    if not word.startswith("その他("):
        return word
    text = word.removeprefix("その他(").removesuffix(")")
    return text if field == "permissible_region" else {"code": "other", "text": text}


def _period(told):
    if told.get("note"):
        return {"kind": "note", "note": told["note"]}
    if "effectivePeriodOfDataType" in told:
        return {"kind": "startEndDate", "start": told["date"].get("startDate"), "end": told["date"].get("endDate")}
    if "endDate" in told:
        return {"kind": "endDate", "end": told["endDate"]}
    return {"kind": "period", "value": told["period"], "unit": told["unit"]}


def test_all_offers_are_told_with_their_terms_though_cadde_knows_one():
    offers = json.loads(told_by(cadde.package(listed.entry(), SITE))[cadde.OFFERS_KEY])
    assert [one["id"] for one in offers] == [one["id"] for one in listed.OFFERS]
    assert [one["terms"] for one in offers] == [terms_document(one) for one in (listed.FULL, listed.FREE, listed.FULL)]


LINKED = {
    "links": [
        {"name": "避難所一覧", "format": "csv", "url": "https://www.city.example.jp/避難 所.csv", "dead": False},
        {"name": "消えた", "format": "pdf", "url": "https://www.city.example.jp/gone.pdf", "dead": True},
    ],
    "origin": {"url": "https://ckan.example.jp/dataset/1", "vanished_at": None},
    "releases": [], "column_notes": [],
}  # fmt: skip


def test_files_at_the_source_are_told_in_every_format_and_dead_links_in_none():
    entry = listed.entry(**LINKED)
    said = [
        "".join(turtle.written([dcat.dataset(entry, SITE)])), json.dumps(croissant.metadata(entry, SITE)),
        json.dumps(data_package.package(entry, SITE)), json.dumps(cadde.package(entry, SITE)),
    ]  # fmt: skip
    assert all("city.example.jp/" in one and "gone.pdf" not in one for one in said)
    assert "dcat:downloadURL <https://www.city.example.jp/避難%20所.csv>" in said[0]
    assert "prov:wasDerivedFrom <https://ckan.example.jp/dataset/1>" in said[0]
    [resource] = cadde.package(entry, SITE)["resources"]
    assert (resource["name"], resource["format"], resource["caddec_contract_required"]) == (
        "避難所一覧",
        "CSV",
        "notRequired",
    )


def test_what_the_provider_says_of_a_column_stands_beside_its_name():
    notes = [{"name": "人数（人）", "label_en": "People", "description_ja": "1時間の合計", "unit": "人"}]
    entry = listed.entry(column_notes=notes)
    fields = data_package.package(entry, SITE)["resources"][0]["schema"]["fields"]
    assert fields[2]["description"] == "人数（人） / People / 1時間の合計 / 単位 unit: 人"
    assert croissant.metadata(entry, SITE)["recordSet"][0]["field"][2]["description"] == fields[2]["description"]
