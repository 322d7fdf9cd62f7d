"""Catalogues that are one document: lists in CP932, CADDE's spreadsheets, DCAT in three notations, and hostile ones."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
import rdflib
from flask import Flask
from rdflib.compare import isomorphic
from sqlalchemy import select

from marketplace.catalog.harvesting import documents, queries, service
from marketplace.catalog.harvesting.models import HarvestRun
from marketplace.catalog.harvesting.rules import FILE, HarvestDraft
from marketplace.catalog.harvesting.states import SourceKind
from marketplace.catalog.models import Dataset
from marketplace.exchange import harvesting
from marketplace.exchange.harvest_fetching import Reach
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import ckan_site
from tests.factories.ckan_site import Site
from tests.factories.identity import OrganizationFactory, actor_of

LIST = """#試験用の合成データ
全国地方公共団体コード,ID,地方公共団体名,データセット名,概要,分類,キーワード,更新頻度,ライセンス,URL,ファイル形式,備考
011002,1,札幌市,避難所一覧,指定避難所,防災,避難所；防災,年１回,CC BY 4.0,https://a.example/1.csv,CSV,注
011002,1,札幌市,避難所一覧,,,,,,https://a.example/1.xlsx,エクセル,
011002,2,札幌市,"人口, 世帯",,人口,,毎月,政府標準利用規約（第2.0版）,https://a.example/2.csv,CSV,
"""
TURTLE = """
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
<https://a.example/d1> a dcat:Dataset ; dct:title "避難所"@ja, "Shelters"@en ; dct:identifier "d1" ;
  dct:description "指定避難所の位置"@ja ; dcat:keyword "避難所"@ja, "防災"@ja ;
  dct:publisher [ a foaf:Agent ; foaf:name "札幌市"@ja ] ;
  dcat:contactPoint [ vcard:fn "危機管理課" ; vcard:hasEmail <mailto:kiki@city.example.jp> ] ;
  dct:accrualPeriodicity <http://publications.europa.eu/resource/authority/frequency/ANNUAL> ;
  dcat:distribution <https://a.example/d1/1> ; <https://a.example/terms/odd> "残る" .
<https://a.example/d1/1> a dcat:Distribution ; dct:title "位置" ; dcat:downloadURL <https://a.example/1.csv> ;
  dct:license <https://creativecommons.org/licenses/by/4.0/> ;
  dct:format <http://publications.europa.eu/resource/authority/file-type/CSV> ; dcat:byteSize 7 .
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with ckan_site.started() as made:
        yield made


@pytest.fixture
def provider(app: Flask) -> Actor:
    return actor_of(OrganizationFactory(provider=True))


def harvested(provider: Actor, address: str, kind: SourceKind, file: Path | None = None) -> HarvestRun:
    with transaction():
        held = service.set_harvest(provider, HarvestDraft(address, kind, repairs=False))
        run_id = service.begin_run(provider, held.id).id
    harvesting.carry_on(run_id, Reach(within=True, file=file, pause_seconds=0.0))
    run = queries.find_run(run_id)
    assert run is not None
    return run


def of_file(provider: Actor, path: Path, kind: SourceKind) -> HarvestRun:
    return harvested(provider, f"{FILE}{path.name}", kind, path)


def served(site: Site, body: bytes) -> str:
    site.odd = lambda _site, _path, _asked: (200, body)
    return f"{site.address}/catalogue"


def taken() -> dict[str, Dataset]:
    return {one.title_ja: one for one in db.session.scalars(select(Dataset))}


@pytest.mark.parametrize("encoding", ["cp932", "utf-8-sig", "utf-16"])
def test_a_list_is_read_in_any_encoding_its_rows_grouped_and_its_other_columns_kept(
    provider: Actor, site: Site, encoding: str
) -> None:
    address = served(site, LIST.encode(encoding))
    run = harvested(provider, address, SourceKind.LIST)
    assert (run.state, run.created, run.refused) == ("done", 2, 0)
    shelters, people = taken()["避難所一覧"], taken()["人口, 世帯"]
    assert (shelters.region, shelters.update_frequency, shelters.licence_hint) == ("011002", "ANNUAL", "CC-BY-4.0")
    assert (shelters.keywords, shelters.themes) == (["避難所", "防災"], ["safety_environment"])
    assert people.licence_hint == "GJSTU-2.0"
    source = shelters.source or {}
    assert [one["format"] for one in source["resources"]] == ["CSV", "エクセル"]
    assert {"key": "備考", "value": "注"} in source["extras"]
    assert harvested(provider, address, SourceKind.LIST).unchanged == 2


def test_numbers_of_two_lists_are_not_the_same_record(provider: Actor, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        path = tmp_path / name
        path.write_text(LIST.replace("避難所一覧", f"避難所{name}"), encoding="utf-8")
        assert of_file(provider, path, SourceKind.LIST).created == 2


@pytest.mark.parametrize("across", [False, True])
def test_a_spreadsheet_of_cadde_keeps_its_terms_whichever_way_it_lies(
    provider: Actor, tmp_path: Path, across: bool
) -> None:
    rows = [
        [
            "データセット_ID",
            "データセットタイトル",
            "データセットの説明",
            "契約形態",
            "13070",
            "有償無償",
            "アクセスURL",
        ],
        ["c1", "人流データ", "大通の歩行者数", "利用許諾", "非個人情報", "有償", "https://a.example/f.csv"],
        ["c2", "気温", "観測値", "license", "nonPersonalInformation", "free", "https://a.example/t.csv"],
    ]
    book = openpyxl.Workbook()
    book.active.append(["CADDE データカタログ（合成）"])
    for row in zip(*rows, strict=True) if across else rows:
        book.active.append(list(row))
    path = tmp_path / "cadde.xlsx"
    book.save(path)
    run = of_file(provider, path, SourceKind.CADDE)
    assert (run.state, run.created) == ("done", 2)
    extras = {one["key"]: one["value"] for one in (taken()["人流データ"].source or {})["extras"]}
    assert extras["trading_policy_contract_type"] == "利用許諾"
    assert (extras["privacy_policy_contains_personal_data"], extras["fee"]) == ("非個人情報", "有償")


@pytest.mark.parametrize("notation", ["turtle", "xml", "json-ld"])
def test_dcat_is_read_in_every_notation_and_every_statement_kept(provider: Actor, site: Site, notation: str) -> None:
    graph = rdflib.Graph().parse(data=TURTLE, format="turtle")
    address = served(site, graph.serialize(format=notation, encoding="utf-8"))
    run = harvested(provider, address, SourceKind.DCAT)
    assert (run.state, run.created) == ("done", 1)
    shelters = taken()["避難所"]
    assert (shelters.title_en, shelters.update_frequency, shelters.licence_hint) == ("Shelters", "ANNUAL", "CC-BY-4.0")
    assert (shelters.contact_name, shelters.contact_email) == ("札幌市 危機管理課", "kiki@city.example.jp")
    assert shelters.keywords == ["避難所", "防災"]
    kept = rdflib.Graph().parse(data="\n".join((shelters.source or {})["triples"]), format="nt")
    assert isomorphic(kept, graph)


def test_dcat_is_followed_from_page_to_page_but_not_away_and_not_in_a_circle(provider: Actor, site: Site) -> None:
    def page(number: int, following: str) -> bytes:
        said = TURTLE.replace("d1", f"d{number}").replace("避難所", f"避難所{number}")
        return f"{said}\n<{site.address}/c> <http://www.w3.org/ns/hydra/core#next> <{following}> .".encode()

    pages = {"1": page(1, f"{site.address}/c?page=2"), "2": page(2, f"{site.address}/c?page=1")}
    site.odd = lambda _site, _path, asked: (200, pages[asked["page"]])
    run = harvested(provider, f"{site.address}/c?page=1", SourceKind.DCAT)
    assert (run.state, run.problem, run.created) == ("failed", "loop", 2)
    pages["2"] = page(2, "http://elsewhere.example/c")
    run = harvested(provider, f"{site.address}/c?page=1", SourceKind.DCAT)
    assert (run.state, run.problem) == ("failed", "redirect")


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("xl/workbook.xml", b" " * (600 << 20))
    return packed.getvalue()


ENTITIES = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
HOSTILE = {
    "entities": (SourceKind.DCAT, ENTITIES),
    "a context elsewhere": (SourceKind.DCAT, b'{"@context": "http://127.0.0.1:9/c.jsonld", "@id": "x"}'),
    "no graph": (SourceKind.DCAT, b"\x00\x01\x02"),
    "a list without titles": (SourceKind.LIST, b"a,b\n1,2\n"),
    "a picture": (SourceKind.LIST, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8),
    "a broken workbook": (SourceKind.CADDE, b"PK\x03\x04" + b"\0" * 100),
    "JSON that nests": (SourceKind.DCAT, b"[" * 200_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_unreadable_and_nothing_comes_of_them(provider: Actor, tmp_path: Path, name: str) -> None:
    kind, body = HOSTILE[name]
    path = tmp_path / "hostile"
    path.write_bytes(body)
    run = of_file(provider, path, kind)
    assert (run.state, run.problem) == ("failed", "unreadable")
    assert taken() == {}


def test_a_workbook_that_unfolds_into_anything_is_unreadable(provider: Actor, tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(bomb())
    assert of_file(provider, path, SourceKind.CADDE).problem == "unreadable"


def test_a_file_of_packages_that_is_none_is_unreadable_and_a_broken_line_is_refused(
    provider: Actor, tmp_path: Path
) -> None:
    path = tmp_path / "packages.jsonl"
    path.write_bytes(b'{"id": "a", "title": "A"}\n{broken\n{"id": "b", "title": "B"}\n')
    run = of_file(provider, path, SourceKind.PACKAGES)
    assert (run.state, run.created, run.refused) == ("done", 2, 1)
    path.write_bytes(b"\x1f\x8bnothing")
    assert of_file(provider, path, SourceKind.PACKAGES).problem == "unreadable"
    path.write_bytes(b'{"help": "x"}')
    assert of_file(provider, path, SourceKind.PACKAGES).problem == "unreadable"
    assert documents.JSON_BYTES_MAX > 2**20
