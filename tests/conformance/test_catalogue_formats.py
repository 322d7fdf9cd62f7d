"""Other people's programs read the catalogue of a really started exchange: CKAN's parser, loaders, validators, feeds."""

import json
from pathlib import Path

import pytest
import requests
from lxml import etree, html
from rdflib import DCAT, DCTERMS, FOAF, RDF, SDO, SKOS, Graph, Namespace, URIRef

from tests import live
from tests.conformance import environments
from tests.protocols.test_catalogue_rdf import faults

FOLDER = Path(__file__).parent
ODRL, ADMS = Namespace("http://www.w3.org/ns/odrl/2/"), Namespace("http://www.w3.org/ns/adms#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
VERSION = URIRef("http://www.w3.org/ns/dcat#version")
VCARD, HYDRA = Namespace("http://www.w3.org/2006/vcard/ns#"), Namespace("http://www.w3.org/ns/hydra/core#")
TITLES = {
    "title_ja": "大通地区の人流", "title_en": "Footfall in Odori",
    "description_ja": "1時間ごとの通行量。\n個人は識別できません。", "description_en": 'Passers-by "by the hour".',
    "themes": ["transport_tourism", "land_weather"], "region": "011002", "update_frequency": "DAILY",
    "keywords": ["人流", "歩行者"], "licence_hint": "CC-BY-4.0", "contact_name": "札幌市ICT戦略推進担当課",
    "contact_url": "https://www.city.sapporo.jp/joho/", "contact_email": "ict@city.example.jp",
}  # fmt: skip
CSV = "地点,日付,測定,人数,比率,印\n大通,2026-11-22,2026-11-22 09:00,1120,0.5,true\n駅前,2026-11-23,2026-11-22 10:00,,1.25,false\n".encode(
    "cp932"
)
BEARS = '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[141.35,43.06]},"properties":{"種別":"ヒグマ"}}]}'
RECORDS = [
    {"地点": "大通", "日付": "2026-11-22", "測定": "2026-11-22 09:00:00", "人数": 1120, "比率": "0.5", "印": True},
    {"地点": "駅前", "日付": "2026-11-23", "測定": "2026-11-22 10:00:00", "人数": None, "比率": "1.25", "印": False},
]  # fmt: skip


@pytest.fixture(scope="module")
def exchange(tmp_path_factory, clone):
    with live.exchange(tmp_path_factory.mktemp("formats"), clone()) as started:
        yield started


@pytest.fixture(scope="module")
def listed(exchange, tmp_path_factory):
    """A dataset with two files and two offers, and the documents of it as the exchange's own interface has them."""
    provider, folder = exchange.assemble()["provider"], tmp_path_factory.mktemp("files")
    (folder / "人流 1.csv").write_bytes(CSV)
    (folder / "熊.geojson").write_text(BEARS, encoding="utf-8")
    dataset_id = live.publish(provider, sorted(folder.iterdir()), TITLES)["dataset_id"]
    live.offer(provider, dataset_id, "free")
    live.offer(provider, dataset_id, "one_off", 12_000)
    for number in range(2):
        live.publish(provider, [folder / "人流 1.csv"], TITLES | {"title_ja": f"別のデータ{number}"})
    return requests.get(f"{exchange.base_url}/v1/catalog/{dataset_id}", timeout=60).json()


@pytest.fixture(scope="module")
def readers():
    return environments.installed(FOLDER / "catalogue")


def asked(python, deed, url, **more):
    answer = environments.ask(python, FOLDER / "catalogue" / "read.py", deed=deed, url=url, **more)
    assert "done" in answer, answer
    return answer["done"]


def graph_of(url, accept=None):
    answer = requests.get(url, headers={"Accept": accept} if accept else {}, timeout=60)
    assert answer.status_code == 200
    return Graph().parse(data=answer.content, format=answer.headers["Content-Type"].partition(";")[0])


@pytest.mark.parametrize(("notation", "suffix"), [("turtle", "ttl"), ("json-ld", "jsonld"), ("xml", "rdf")])
def test_ckans_own_parser_reads_every_dataset_page_by_page(exchange, listed, notation, suffix):
    python = environments.installed(FOLDER / "ckan_dcat")
    address, found = f"{exchange.base_url}/catalog.{suffix}?size=2", []
    while address:
        document = requests.get(address, timeout=60).text
        told = environments.ask(python, FOLDER / "ckan_dcat" / "read.py", document=document, notation=notation)
        found += told["datasets"]
        address = told["next"]
    assert len(found) == 3
    [package] = [one for one in found if extras_of(one)["identifier"] == listed["id"]]
    extras = extras_of(package)
    assert package["title"] in {listed["title_ja"], listed["title_en"]}
    assert {tag["name"] for tag in package["tags"]} == set(listed["keywords"])
    assert package["version"] == listed["releases"][0]["label"]
    assert extras["publisher_identifier"] == listed["publisher"]["corporate_number"]
    assert extras["contact_email"] == listed["contact_email"]
    assert extras["spatial_uri"] == "http://data.e-stat.go.jp/lod/sac/C01100"
    files = {one["name"]: one for one in package["resources"]}
    for file in listed["releases"][0]["files"]:
        assert files[file["name"]]["hash"] == file["sha256"]
        assert files[file["name"]]["size"] == file["size_bytes"]
        assert json.loads(files[file["name"]]["access_services"])[0]["endpoint_url"] == [f"{exchange.base_url}/v1"]


def extras_of(package):
    return {row["key"]: row["value"] for row in package["extras"]}


@pytest.mark.parametrize("accept", ["text/turtle", "application/ld+json", "application/rdf+xml"])
def test_what_we_know_is_read_back_from_each_notation(exchange, listed, accept):
    graph = graph_of(f"{exchange.base_url}/catalog/{listed['id']}", accept)
    assert faults(graph) == []
    assert told_of(graph) == known_of(listed)


def told_of(graph):
    """Everything that a graph says of its dataset, in the words of the exchange's own interface."""
    [dataset] = graph.subjects(RDF.type, DCAT.Dataset)
    publisher, contact = graph.value(dataset, DCTERMS.publisher), graph.value(dataset, DCAT.contactPoint)
    return {
        "id": str(graph.value(dataset, DCTERMS.identifier)),
        "titles": in_languages(graph, dataset, DCTERMS.title),
        "descriptions": in_languages(graph, dataset, DCTERMS.description),
        "keywords": sorted(map(str, graph.objects(dataset, DCAT.keyword))),
        "themes": sorted(str(one).partition("#theme-")[2] for one in graph.objects(dataset, DCAT.theme) if "#theme-" in one),
        "region": str(next(graph.objects(dataset, DCTERMS.spatial / DCTERMS.identifier))),
        "frequency": str(graph.value(dataset, DCTERMS.accrualPeriodicity)).rpartition("/")[2],
        "contact": [str(graph.value(contact, VCARD[name])) for name in ("fn", "hasURL", "hasEmail")],
        "publisher": (in_languages(graph, publisher, FOAF.name), str(graph.value(publisher, DCTERMS.identifier))),
        "release": (str(graph.value(dataset, VERSION)), str(graph.value(dataset, ADMS.versionNotes) or "")),
        "files": sorted(
            (
                str(graph.value(file, DCTERMS.title)), int(graph.value(file, DCAT.byteSize)),
                str(next(graph.objects(file, SPDX.checksum / SPDX.checksumValue))),
                str(graph.value(file, DCAT.mediaType)).partition("media-types/")[2], str(graph.value(file, DCTERMS.license)),
            )
            for file in graph.objects(dataset, DCAT.distribution)
        ),
        "offers": sorted(
            (
                str(offer).rpartition("/")[2], str(graph.value(offer, DCTERMS.source)).rpartition("/")[2],
                json.loads(str(graph.value(offer, URIRef("urn:musubi:odrl:1:price")))),
            )
            for offer in graph.objects(dataset, ODRL.hasPolicy)
        ),
    }  # fmt: skip


def in_languages(graph, subject, predicate):
    return {one.language: str(one) for one in graph.objects(subject, predicate)}


def known_of(listed):
    """The same of a public document."""
    release = listed["releases"][0]
    return {
        "id": listed["id"],
        "titles": {"ja": listed["title_ja"], "en": listed["title_en"]},
        "descriptions": {"ja": listed["description_ja"], "en": listed["description_en"]},
        "keywords": sorted(listed["keywords"]),
        "themes": sorted(listed["themes"]),
        "region": listed["region"],
        "frequency": listed["frequency"],
        "contact": [listed["contact_name"], listed["contact_url"], f"mailto:{listed['contact_email']}"],
        "publisher": (
            {"ja": listed["publisher"]["name_ja"], "en": listed["publisher"]["name_en"]}, listed["publisher"]["corporate_number"],
        ),
        "release": (release["label"], release["notes"]),
        "files": sorted(
            (one["name"], one["size_bytes"], one["sha256"], one["media_type"].partition(";")[0], "https://creativecommons.org/licenses/by/4.0/")
            for one in release["files"]
        ),
        "offers": sorted((one["id"], one["terms_sha256"], one["price"]) for one in listed["offers"]),
    }  # fmt: skip


def test_the_duty_to_pay_is_the_price_of_the_offer(exchange, listed):
    graph = graph_of(f"{exchange.base_url}/catalog/{listed['id']}.ttl")
    amounts = {str(one) for one in graph.objects(None, ODRL.rightOperand) if getattr(one, "datatype", None)}
    assert "12000" in amounts
    for offer in listed["offers"]:
        assert requests.get(f"{exchange.base_url}/v1/offers/{offer['id']}", timeout=60).status_code == 200


def test_mlcroissant_validates_and_loads_the_records(exchange, listed, readers):
    told = asked(
        readers, "croissant", f"{exchange.base_url}/catalog/{listed['id']}/croissant.json", record_sets=["sample-1"]
    )
    assert (told["errors"], told["warnings"]) == ([], [])
    [first, second] = told["records"]["sample-1"]
    assert first == {
        "sample-1/地点": "大通", "sample-1/日付": "2026-11-22 00:00:00", "sample-1/測定": "2026-11-22 09:00:00",
        "sample-1/人数": 1120, "sample-1/比率": 0.5, "sample-1/印": True,
    }  # fmt: skip
    assert (second["sample-1/人数"], second["sample-1/印"]) == (None, False)


def test_mlcroissant_refuses_what_is_not_as_it_is_described(exchange, listed, readers, tmp_path):
    described = requests.get(f"{exchange.base_url}/catalog/{listed['id']}/croissant.json", timeout=60).json()
    described["distribution"][0]["sha256"] = "0" * 64
    path = tmp_path / "croissant.json"
    path.write_text(json.dumps(described))
    script = FOLDER / "catalogue" / "read.py"
    answer = environments.ask(readers, script, deed="croissant", url=str(path), record_sets=["sample-1"])
    assert "not identical with the reference" in answer["raised"], answer


def test_frictionless_validates_the_package_and_reads_the_sample(exchange, listed, readers):
    told = asked(readers, "package", f"{exchange.base_url}/catalog/{listed['id']}/datapackage.json")
    assert (told["valid"], told["errors"]) == (True, [])
    assert told["rows"]["sample-1"] == RECORDS
    files = {one["name"]: one for one in told["rows"]["files"]}
    for file in listed["releases"][0]["files"]:
        assert (files[file["name"]]["sha256"], files[file["name"]]["size_bytes"]) == (
            file["sha256"],
            file["size_bytes"],
        )


def test_feedparser_reads_the_feed_and_is_spared_it_again(exchange, listed, readers):
    told = asked(readers, "feed", f"{exchange.base_url}/catalog.atom?size=2")
    assert (told["bozo"], told["version"], told["again"]) == (False, "atom10", 304)
    following = asked(readers, "feed", told["next"][0])
    entries = [*told["entries"], *following["entries"]]
    assert len({one["id"] for one in entries}) == len(entries) == 3
    [entry] = [one for one in entries if listed["id"] in one["id"]]
    assert entry["title"] == f"{listed['title_ja']} / {listed['title_en']}"
    assert set(entry["tags"]) == {*listed["themes"], *listed["keywords"]}


def test_the_page_tells_search_engines_in_words_that_schema_org_knows(exchange, listed):
    page = requests.get(f"{exchange.base_url}/catalog/{listed['id']}", headers={"Accept": "text/html"}, timeout=60)
    [script] = html.document_fromstring(page.content).iterfind(".//script[@type='application/ld+json']")
    graph = Graph().parse(data=script.text, format="json-ld")
    [dataset] = graph.subjects(RDF.type, SDO.Dataset)
    ours = [name for name in {*graph.predicates(), *graph.objects(None, RDF.type)} if str(name).startswith(str(SDO))]
    assert [name for name in ours if name not in SDO] == []
    assert 50 <= len(str(graph.value(dataset, SDO.description))) <= 5_000
    assert str(graph.value(dataset, SDO.url)) == f"{exchange.base_url}/catalog/{listed['id']}"


def test_the_sitemaps_lead_to_every_page(exchange, listed):
    name = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"
    robots = requests.get(f"{exchange.base_url}/robots.txt", timeout=60).text
    [index] = [line.removeprefix("Sitemap: ") for line in robots.splitlines() if line.startswith("Sitemap: ")]
    parts = [one.text for one in etree.fromstring(requests.get(index, timeout=60).content).iter(name)]
    pages = [one.text for part in parts for one in etree.fromstring(requests.get(part, timeout=60).content).iter(name)]
    assert f"{exchange.base_url}/catalog/{listed['id']}" in pages
    assert {requests.get(page, timeout=60).status_code for page in pages} == {200}


def test_the_whole_catalogue_is_copied_in_one_stream(exchange, listed):
    for suffix in ("ttl", "jsonld", "rdf"):
        graph = graph_of(f"{exchange.base_url}/catalog/all.{suffix}")
        assert len(list(graph.subjects(RDF.type, DCAT.Dataset))) == 3
        assert faults(graph) == []
        assert {str(one) for one in graph.subjects(RDF.type, SKOS.ConceptScheme)} >= {
            f"{exchange.base_url}/catalog#themes"
        }
        assert not list(graph.subjects(RDF.type, HYDRA.PartialCollectionView))
