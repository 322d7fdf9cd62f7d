"""Quality in DCAT: what was counted of a dataset, in the Data Quality Vocabulary (W3C, DQV). Pure."""

from marketplace.catalog.quality import POINTS
from marketplace.catalog.quality_words import PART_LABELS, Part
from marketplace.protocols.catalogue.entries import Document
from marketplace.protocols.catalogue.rdf import Iri, Node, Said, both, iri, node, typed
from marketplace.protocols.catalogue.site import Site

_SCORE = "score"
_LABELS = {_SCORE: ("説明の品質（100点満点）", "Quality of the description, of 100 points")}
_LABELS |= {
    part.value: (f"{label.ja}（{POINTS[part]}点満点）", f"{label.en}, of {POINTS[part]} points")
    for part, label in PART_LABELS.items()
}


def measurements(document: Document, site: Site) -> Said:
    """Say how many points a dataset has, in all and by part; nothing of one that was listed before it was judged."""
    quality = document.get("quality") or {}
    if "score" not in quality:
        return
    points = {_SCORE: quality["score"]} | {part["part"]: part["points"] for part in quality["parts"]}
    for name, value in points.items():
        if name in _LABELS:
            said = (("dqv:isMeasurementOf", iri(site.metric(name))), ("dqv:value", typed(value, "xsd:integer")))
            yield "dqv:hasQualityMeasurement", Node(("dqv:QualityMeasurement",), said)


def metrics(site: Site) -> tuple[Node, ...]:
    """Return what is counted, once for all datasets beside it."""
    names = (_SCORE, *(part.value for part in Part))
    return tuple(node("dqv:Metric", _metric(name), site.metric(name)) for name in names)


def _metric(name: str) -> Said:
    yield from both("skos:prefLabel", *_LABELS[name])
    yield "dqv:expectedDataType", Iri("http://www.w3.org/2001/XMLSchema#integer")
