"""What ties datasets together: those about the same, and those that share a key."""

from typing import Any

from marketplace.api.endpoint import blueprint, guarded, visitor
from marketplace.api.schemas import relations as schemas
from marketplace.exchange import relating
from marketplace.identity.permissions import Permission

blp = blueprint("relations", "/v1/datasets", "Datasets that are about the same, or share a key.")


@blp.route("/<dataset_id>/similar")
@guarded(Permission.CATALOG_READ)
@blp.arguments(schemas.RelationQuery, location="query")
@blp.response(200, schemas.SimilarList)
def list_similar(query: dict[str, int], dataset_id: str) -> Any:
    """List datasets that share the most telling words of title and tags, nearest first."""
    return {"items": relating.list_similar(visitor(), dataset_id, query["size"])}


@blp.route("/<dataset_id>/joins")
@guarded(Permission.CATALOG_READ)
@blp.arguments(schemas.RelationQuery, location="query")
@blp.response(200, schemas.JoinList)
def list_joins(query: dict[str, int], dataset_id: str) -> Any:
    """List public datasets that share a key with this one (date, grid square, codes, coordinates), and say how."""
    return {"items": relating.list_joins(visitor(), dataset_id, query["size"])}
