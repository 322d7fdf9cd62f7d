"""A real city's catalogue, taken over and read back by its formats: nothing of what we know of it is lost."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from rdflib import DCAT, DCTERMS, RDF, Graph
from sqlalchemy import select

from marketplace.catalog import ckan
from marketplace.catalog.models import Listing
from marketplace.exchange import listing
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.trade import call, ok
from tests.factories.identity import OrganizationFactory, actor_of
from tests.protocols.test_catalogue_rdf import faults

SAME = ("title_ja", "title_en", "description_ja", "description_en", "region", "update_frequency", "licence_hint")


@pytest.fixture
def documents(app: Flask, shared_data: Path) -> dict[str, dict[str, Any]]:
    """The public documents of 300 records of Tokyo's catalogue."""
    city = actor_of(OrganizationFactory(city=True, local_government_code="130001"))
    with gzip.open(shared_data / "tokyo_ckan_sample300.jsonl.gz", "rt", encoding="utf-8") as lines, transaction():
        for line in lines:
            listing.import_ckan(city, json.loads(line))
    return {row.dataset_id: row.document for row in db.session.scalars(select(Listing))}


@pytest.mark.shared_data
def test_every_record_of_a_city_is_read_back_as_it_is_listed(app: Flask, documents: dict[str, dict[str, Any]]) -> None:
    read: dict[str, dict[str, Any]] = {}
    address = "/catalog.ttl?size=100"
    while address:
        graph = Graph().parse(data=call(app, "GET", address).get_data(), format="turtle")
        read |= {
            str(graph.value(one, DCTERMS.identifier)): told(graph, one)
            for one in graph.subjects(RDF.type, DCAT.Dataset)
        }
        following = [str(one) for one in graph.objects() if "/catalog.ttl?" in str(one) and "cursor=" in str(one)]
        address = following[0].removeprefix(app.config["MUSUBI_SETTINGS"].base_url) if following else ""
    assert len(read) == len(documents) == 300
    for dataset_id, document in documents.items():
        assert read[dataset_id] == known(document)


@pytest.mark.shared_data
def test_what_is_known_of_a_city_keeps_the_profile_and_comes_back_from_cadde(
    app: Flask, documents: dict[str, dict[str, Any]]
) -> None:
    graph = Graph().parse(data=call(app, "GET", "/catalog.ttl?size=40").get_data(), format="turtle")
    assert faults(graph) == []
    for dataset_id, document in [*documents.items()][::10]:
        package = ok(call(app, "GET", f"/catalog/{dataset_id}/cadde.json"))
        draft = ckan.read_package(package).draft
        again = {name: getattr(draft, name) for name in SAME}
        assert again == {name: document["frequency" if name == "update_frequency" else name] for name in SAME}
        assert list(draft.keywords) == document["keywords"]
        assert [theme.value for theme in draft.themes] == document["themes"]
        files = [(link["name"], link["url"]) for link in document["links"]]
        assert [(name, url) for name, _, url in ckan.contents_of(package).files] == files


def told(graph: Graph, dataset: Any) -> dict[str, Any]:
    """What a graph says of a dataset."""
    files = list(graph.objects(dataset, DCAT.distribution))
    return {
        "titles": {str(one) for one in graph.objects(dataset, DCTERMS.title)},
        "descriptions": {str(one) for one in graph.objects(dataset, DCTERMS.description)},
        "keywords": {str(one) for one in graph.objects(dataset, DCAT.keyword)},
        "files": sorted(str(graph.value(one, DCTERMS.title)) for one in files),
        "addresses": len({str(graph.value(one, DCAT.downloadURL)) for one in files}),
    }


def known(document: dict[str, Any]) -> dict[str, Any]:
    """The same of a public document."""
    titles = {document["title_ja"], document["title_en"]} - {""}
    descriptions = {
        one.replace("\r\n", "\n").replace("\r", "\n")
        for one in (document["description_ja"], document["description_en"])
        if one.strip()
    }
    return {
        "titles": titles,
        "descriptions": descriptions or titles,
        "keywords": set(document["keywords"]),
        "files": sorted(link["name"] or document["title_ja"] for link in document["links"]),
        "addresses": len({link["url"] for link in document["links"]}),
    }
