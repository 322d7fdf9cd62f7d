"""The catalogue in RDF: three notations that say the same, and what DCAT-AP demands, held by shapes."""

from pathlib import Path

import pytest
import rdflib
from hypothesis import given
from hypothesis import strategies as st
from pyshacl import validate
from rdflib import DCAT, DCTERMS, RDF, SH, Graph, URIRef
from rdflib.compare import isomorphic

from marketplace.protocols.catalogue import dcat_catalogue, json_ld, rdf_xml, turtle
from marketplace.protocols.catalogue.dcat_catalogue import View
from tests.protocols import listed
from tests.protocols.listed import CHANGED_AT, SITE

SHAPES = Path(__file__).with_name("shapes.ttl")
ODRL = rdflib.Namespace("http://www.w3.org/ns/odrl/2/")
WRITERS = {"json-ld": json_ld.written, "turtle": turtle.written, "xml": rdf_xml.written}
FLAGGED = ["geospatial", "mobility"]
SIGNS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t\r\"\\'<>&#%\ufffe\x0b"), max_size=40
)


def catalogue(*entries):
    """The nodes of a catalogue of these datasets."""
    view = View(
        "https://data.example.jp/catalog.ttl",
        "https://data.example.jp/catalog.ttl",
        "https://data.example.jp/catalog.ttl?cursor=x",
        2,
        100,
    )
    return dcat_catalogue.nodes(entries, SITE, view, CHANGED_AT)


def graph_of(nodes, notation="turtle"):
    return Graph().parse(data="".join(WRITERS[notation](nodes)), format=notation)


def faults(graph, shapes=SHAPES, inference="none"):
    """What the shapes find wrong: of what, where, and in words."""
    _, found, _ = validate(graph, shacl_graph=Graph().parse(shapes), inference=inference)
    return [
        (
            str(found.value(one, SH.focusNode)),
            str(found.value(one, SH.resultPath)),
            str(found.value(one, SH.resultMessage)),
        )
        for one in found.subjects(RDF.type, SH.ValidationResult)
    ]


@pytest.mark.parametrize("notation", ["json-ld", "xml"])
def test_all_notations_say_the_same(notation):
    one, other = (
        graph_of(catalogue(listed.entry(), listed.bare())),
        graph_of(catalogue(listed.entry(), listed.bare()), notation),
    )
    assert len(one) > 250
    assert isomorphic(one, other)


@given(SIGNS, SIGNS, st.lists(SIGNS, max_size=3))
def test_whatever_people_write_is_said_alike_in_all_notations(title, description, keywords):
    entry = listed.entry(
        title_ja=title, description_en=description, keywords=keywords, contact_url=f"https://e.jp/{title}", offers=[]
    )
    graphs = [graph_of(dcat_catalogue.alone(entry, SITE), notation) for notation in WRITERS]
    assert isomorphic(graphs[0], graphs[1])
    assert isomorphic(graphs[1], graphs[2])


@pytest.mark.parametrize(
    "entry",
    [listed.entry(), listed.bare(), listed.entry(high_value_categories=FLAGGED)],
    ids=["full", "bare", "of high value"],
)
def test_the_catalogue_keeps_what_the_profile_demands(entry):
    assert faults(graph_of(catalogue(entry))) == []


@pytest.mark.parametrize(
    ("subject", "predicate"),
    [
        (DCAT.Dataset, DCTERMS.title), (DCAT.Dataset, DCTERMS.publisher), (DCAT.Distribution, DCAT.accessURL),
        (DCAT.Catalog, DCTERMS.description), (DCAT.DataService, DCAT.endpointURL), (ODRL.Offer, ODRL.target),
        (ODRL.Constraint, ODRL.operator), (DCAT.Dataset, URIRef("http://data.europa.eu/r5r/applicableLegislation")),
    ],
)  # fmt: skip
def test_the_shapes_find_what_is_missing(subject, predicate):
    graph = graph_of(catalogue(listed.entry(high_value_categories=FLAGGED)))
    for one in list(graph.subjects(RDF.type, subject)):
        graph.remove((one, predicate, None))
    assert str(predicate) in {path for _, path, _ in faults(graph)}
