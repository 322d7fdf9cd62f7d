"""Where datasets come from, what was made of them, and who cites them."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, expected_version, guarded, version_tag, visitor
from marketplace.api.openapi import IF_MATCH
from marketplace.api.schemas import provenance as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog import queries as catalog
from marketplace.catalog.lineage import queries, service
from marketplace.catalog.lineage.rules import CitationDraft, SourceDraft
from marketplace.catalog.lineage.states import CitationKind, CitationState
from marketplace.exchange import provenance
from marketplace.identity.permissions import Permission
from marketplace.kit.pages import Page
from marketplace.kit.transaction import transaction

blp = blueprint("provenance", "/v1", "Lineage (由来) and citations (引用・活用事例) of datasets.")


@blp.route("/catalog/<dataset_id>/lineage")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.LineageView)
def read_lineage(dataset_id: str) -> Any:
    """Read what a dataset was made of, and what was made of it: the next step, and the chain of all steps.

    Ten steps each way at most; what one does not see is not in it, nor what lies behind that alone.
    """
    return provenance.read(visitor(), dataset_id)


@blp.route("/catalog/<dataset_id>/citations")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.CitationList)
def read_citations(dataset_id: str) -> Any:
    """Read what was made of a dataset, as its provider has agreed to show it; the newest first."""
    return {"items": provenance.citations_of(visitor(), dataset_id)}


@blp.route("/catalog/<dataset_id>/citations", methods=["POST"])
@guarded(Permission.DEMAND_JOIN)
@blp.arguments(schemas.CitationDraft)
@blp.response(201, schemas.CitationView)
def cite(body: dict[str, Any], dataset_id: str) -> Any:
    """Say what one made of a dataset: its provider's own is shown at once, another's when the provider agrees."""
    draft = CitationDraft(**body | {"kind": CitationKind(body["kind"])})
    with transaction():
        citation = provenance.cite(actor(), dataset_id, draft)
        return created(provenance.shown(citation), f"/v1/catalog/{citation.dataset_id}/citations")


@blp.route("/datasets/<dataset_id>/citations")
@guarded(Permission.DATASETS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.CitationPage)
def list_citations(query: dict[str, Any], dataset_id: str) -> Any:
    """List all citations of a dataset of one's own, those that wait as well."""
    dataset = catalog.get_visible_dataset(actor(), dataset_id)
    page = queries.list_citations(dataset.id, shown_only=False, **query)
    return Page([provenance.shown(one) for one in page.items], page.next_cursor)


@blp.route("/citations/<citation_id>/decision", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.Decision)
@blp.response(200, schemas.CitationView)
def decide(body: dict[str, Any], citation_id: str) -> Any:
    """Show a citation of a dataset of one's own, decline it, or take it off again."""
    with transaction():
        return provenance.shown(service.decide(actor(), citation_id, CitationState(body["state"])))


@blp.route("/datasets/<dataset_id>/lineage")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.DeclaredLineageView)
def read_origins(dataset_id: str) -> Any:
    """Read what was said that a dataset of one's own was made of. Its version is in ETag."""
    return _origins(catalog.get_visible_dataset(actor(), dataset_id))


@blp.route("/datasets/<dataset_id>/lineage", methods=["PUT"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.LineageDraft)
@blp.response(200, schemas.DeclaredLineageView)
@blp.doc(parameters=[IF_MATCH])
def declare_origins(draft: dict[str, Any], dataset_id: str) -> Any:
    """Say anew what a dataset was made of, if it still is at the version in If-Match; circles are refused."""
    sources = [SourceDraft(**source) for source in draft["sources"]]
    with transaction():
        return _origins(provenance.declare_origins(actor(), dataset_id, sources, expected_version()))


def _origins(dataset: Any) -> Any:
    named = {"dataset_id": "source_dataset_id", "url": "url", "title": "title", "words": "words"}
    sources = [
        {name: getattr(origin, field) for name, field in named.items()} for origin in queries.list_origins(dataset.id)
    ]
    shown = {"dataset_id": dataset.id, "version": dataset.version, "sources": sources}
    return shown, 200, {"ETag": version_tag(dataset.version)}
