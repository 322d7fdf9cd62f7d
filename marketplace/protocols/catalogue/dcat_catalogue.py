"""The catalogue itself in DCAT-AP 3.0.1, whole or by pages (https://www.hydra-cg.com/spec/latest/core/). Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from marketplace.catalog.states import Theme
from marketplace.protocols.catalogue import dcat, measured, vocabulary
from marketplace.protocols.catalogue.entries import Entry
from marketplace.protocols.catalogue.rdf import Iri, Node, Said, both, moment, node, text, typed
from marketplace.protocols.catalogue.site import Site

TITLE = ("結び データカタログ", "Musubi data catalogue")
ABOUT = (
    "この取引所で公開されているデータの一覧です。各データの内容、利用条件、価格を示します。",
    "The data that are listed on this exchange, with their contents, terms of use and prices.",
)
OPERATOR = ("結び データ取引所", "Musubi data exchange")
SERVICE = ("購入したデータの配信API", "Delivery of acquired data")
SERVICE_ABOUT = (
    "購入したデータを取得するHTTP API（OAuth 2.0）。無料のデータも、利用条件に同意して取得します。",
    "The HTTP API by which acquired data are fetched (OAuth 2.0); free data too, once their terms are accepted.",
)


@dataclass(frozen=True, slots=True)
class View:
    """A page of the catalogue: its own address, those of the first and the next, and how many datasets there are.

    The whole of it has no next one; ``total`` stands on the first page alone, since counting takes its time.
    """

    address: str
    first: str
    following: str | None = None
    total: int | None = None
    size: int | None = None


def nodes(entries: Iterable[Entry], site: Site, view: View | None, changed_at: datetime | None) -> Iterator[Node]:
    """Yield the catalogue, its page, the service that delivers, and dataset after dataset."""
    yield node("dcat:Catalog", _catalogue(site, changed_at), site.catalogue)
    yield service(site)
    yield from measured.metrics(site)
    if view is not None:
        yield node(("hydra:PartialCollectionView", "hydra:PagedCollection"), _view(view), view.address)
    for entry in entries:
        found = dcat.dataset(entry, site)
        yield Node((), (("dcat:dataset", Iri(site.dataset(entry.id))),), site.catalogue)
        yield found


def alone(entry: Entry, site: Site) -> Iterator[Node]:
    """Yield one dataset and the service that delivers it."""
    yield dcat.dataset(entry, site)
    yield service(site)
    yield from measured.metrics(site)


def service(site: Site) -> Node:
    """Return the interface that delivers."""
    return node("dcat:DataService", _service(site), site.service)


def _catalogue(site: Site, changed_at: datetime | None) -> Said:
    yield from both("dct:title", *TITLE)
    yield from both("dct:description", *ABOUT)
    yield "dct:publisher", _operator(site)
    yield "foaf:homepage", Node(("foaf:Document",), (), site.catalogue_page)
    yield "dct:language", dcat.language("ja")
    yield "dct:language", dcat.language("en")
    yield "dct:spatial", dcat.place("JP")
    yield "dcat:service", Iri(site.service)
    yield "dcat:themeTaxonomy", node("skos:ConceptScheme", _themes(site), site.themes)
    eu_themes = node(
        "skos:ConceptScheme", both("dct:title", "EUのデータテーマ", "EU data themes"), vocabulary.EU_THEMES
    )
    yield "dcat:themeTaxonomy", eu_themes
    if changed_at is not None:
        yield "dct:modified", moment(changed_at)


def _operator(site: Site) -> Node:
    return node(("foaf:Agent", "foaf:Organization"), both("foaf:name", *OPERATOR), site.operator)


def _themes(site: Site) -> Said:
    yield from both("dct:title", "統計分野（e-Stat）", "Fields of official statistics (e-Stat)")
    for theme in Theme:
        yield "skos:hasTopConcept", dcat.theme(theme, site)


def _service(site: Site) -> Said:
    yield from both("dct:title", *SERVICE)
    yield from both("dct:description", *SERVICE_ABOUT)
    yield "dcat:endpointURL", Iri(f"{site.base_url}/v1")
    yield "dcat:endpointDescription", Iri(f"{site.base_url}/openapi.json")
    yield "dct:publisher", _operator(site)
    yield "dct:accessRights", Node(("dct:RightsStatement",), (), vocabulary.RESTRICTED)
    yield "dcat:contactPoint", node(("vcard:Kind", "vcard:Organization"), _contact(site))
    yield "foaf:page", Node(("foaf:Document",), (), f"{site.base_url}/docs")


def _contact(site: Site) -> Said:
    yield "vcard:fn", text(OPERATOR[1])
    yield "vcard:hasURL", Iri(site.base_url)


def _view(view: View) -> Said:
    yield "hydra:first", Iri(view.first)
    if view.following:
        yield "hydra:next", Iri(view.following)
    if view.total is not None:
        yield "hydra:totalItems", typed(view.total, "xsd:integer")
    if view.size is not None:
        yield "hydra:itemsPerPage", typed(view.size, "xsd:integer")
